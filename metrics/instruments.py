"""Instruments of the rollups, beside those of `events.instruments`."""

from prometheus_client import Counter

BUCKETS_CHECKED = Counter("analytics_rollup_buckets_checked", "Rollup buckets compared with the facts", ["result"])

for result in ("equal", "different"):
    BUCKETS_CHECKED.labels(result)
