"""What Django's admin shows of events; importing it registers all of it."""

from events.admin.bookkeeping import IngestBatchAdmin, IngestGapAdmin, LedgerEntryAdmin
from events.admin.dead_letters import DeadLetterAdmin
from events.admin.event import EventAdmin

__all__ = ["DeadLetterAdmin", "EventAdmin", "IngestBatchAdmin", "IngestGapAdmin", "LedgerEntryAdmin"]
