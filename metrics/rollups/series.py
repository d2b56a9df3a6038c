"""The limit on series: a metric keeps those that it knows, and all others together as `{"_other": true}`."""

from typing import Any

from django.db import connection

from metrics.rollups.facts import COLUMNS
from metrics.rollups.merging import MERGED_WORK

OTHER = '{"_other": true}'
# The free places go to the largest new series; equal ones in the order of their dimensions.
ADMIT = """
INSERT INTO metric_series (project_id, metric_name, dimensions)
SELECT %(project)s, metric_name, dimensions FROM (
    SELECT metric_name, dimensions,
        row_number() OVER (PARTITION BY metric_name ORDER BY total DESC, dimensions) AS place
    FROM (
        SELECT metric_name, dimensions, sum(count + skipped) AS total FROM rollup_work w
        WHERE NOT EXISTS (SELECT FROM metric_series s WHERE s.project_id = %(project)s
            AND s.metric_name = w.metric_name AND s.dimensions = w.dimensions)
        GROUP BY metric_name, dimensions) fresh) placed
WHERE place <= coalesce((%(limits)s::jsonb ->> metric_name)::integer, %(default)s) - (
    SELECT count(*) FROM metric_series s WHERE s.project_id = %(project)s AND s.metric_name = placed.metric_name)
ON CONFLICT DO NOTHING
"""
FOLD = """
UPDATE rollup_work w SET dimensions = %(other)s
WHERE NOT EXISTS (SELECT FROM metric_series s WHERE s.project_id = %(project)s
    AND s.metric_name = w.metric_name AND s.dimensions = w.dimensions)
"""


def limit(project_id: int, limits: str, default: int) -> int:
    """Fit the rows at work into the limits (JSON: metric -> series); answers how many went to the series `other`."""
    parameters: dict[str, Any] = {"project": project_id, "limits": limits, "default": default, "other": OTHER}
    with connection.cursor() as cursor:
        cursor.execute(ADMIT, parameters)
        cursor.execute(FOLD, parameters)
        folded = int(cursor.rowcount)
        if folded:
            cursor.execute(
                f"WITH merged AS ({MERGED_WORK}), gone AS (DELETE FROM rollup_work)"
                f" INSERT INTO rollup_work ({COLUMNS}) SELECT * FROM merged"
            )
    return folded
