"""Every instrument of the write path and the API, under the names that dashboards of B25 use."""

from prometheus_client import Counter, Gauge, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# prometheus_client adds `_total` to counters by itself.
EVENTS_INGESTED = Counter("analytics_events_ingested", "Events stored", ["source"])
EVENTS_FAILED = Counter("analytics_events_failed", "Records refused", ["source"])
EVENTS_DUPLICATE = Counter("analytics_events_duplicate", "Events that were stored already", ["source"])
RECORDS_REDELIVERED = Counter("analytics_records_redelivered", "Kafka records skipped by the ledger")
DEAD_LETTERS = Counter("analytics_dead_letters", "Records written to the dead letters", ["reason"])
BATCHES_PROCESSED = Counter("analytics_batches_processed", "Batches committed", ["source"])
BATCH_DURATION = Histogram(
    "analytics_batch_duration_seconds", "Decoding and storing one batch", ["source"], buckets=BUCKETS
)
QUERY_DURATION = Histogram(
    "analytics_query_duration_seconds", "Answering one query of the API", ["query"], buckets=BUCKETS
)
CACHE_HITS = Counter("analytics_cache_hits", "Answers found in the cache", ["cache"])
CACHE_MISSES = Counter("analytics_cache_misses", "Answers not found in the cache", ["cache"])
ACTIVE_CONNECTIONS = Gauge("analytics_active_connections", "HTTP requests in progress", multiprocess_mode="livesum")
RECORDS_IN_FLIGHT = Gauge(
    "analytics_records_in_flight",
    "Kafka records read and not yet stored",
    ["topic", "partition"],
    multiprocess_mode="livesum",
)

# Series are there from the start, at zero: a rate over a series that just appeared misses its first step.
for source in ("kafka", "http", "replay"):
    for instrument in (EVENTS_INGESTED, EVENTS_FAILED, EVENTS_DUPLICATE, BATCHES_PROCESSED, BATCH_DURATION):
        instrument.labels(source)
