"""What Django's admin shows of metrics; importing it registers all of it."""

from metrics.admin.bookkeeping import RollupDriftAdmin, RollupMarkAdmin, RollupProgressAdmin
from metrics.admin.definitions import MetricDefinitionAdmin

__all__ = ["MetricDefinitionAdmin", "RollupDriftAdmin", "RollupMarkAdmin", "RollupProgressAdmin"]
