"""What is stored: events, and the bookkeeping that makes their storing exactly-once."""

from django.db import models
from django.db.models.functions import Now

from events.reasons import Reason


class Int8MultiRangeField(models.Field):  # type: ignore[type-arg]
    """A set of bigint ranges; PostgreSQL merges neighbours by itself. Read and written by SQL only."""

    def db_type(self, connection: object) -> str:
        return "int8multirange"


class Event(models.Model):
    """One thing that happened, stored once.

    Range-partitioned by UTC day of `timestamp`. The key of the table is (project_id, timestamp,
    id), so a retry must send id and timestamp unchanged. `id` alone is the key for Django only,
    whose admin knows no composite ones: read by time as well, and never save() an instance.
    """

    id = models.UUIDField(primary_key=True)
    project_id = models.IntegerField()
    event_type = models.TextField()
    user_id = models.TextField(null=True)
    session_id = models.TextField(null=True)
    properties = models.JSONField(default=dict)
    timestamp = models.DateTimeField(help_text="when it happened, says the producer")
    created_at = models.DateTimeField(db_default=Now(), help_text="when it was stored")

    class Meta:
        db_table = "events"
        ordering = ["-timestamp", "-id"]

    def __str__(self) -> str:
        return f"{self.event_type} {self.id}"


class Source(models.TextChoices):
    KAFKA = "kafka"
    HTTP = "http"
    REPLAY = "replay"


class LedgerEntry(models.Model):
    """Which offsets of one Kafka partition are done: stored, known, or refused into dead letters.

    `done` is written in the transaction that stores a batch. A topic that was deleted and made
    again has another `topic_id` and so another entry; `incarnation` counts the fresh starts that
    an operator ordered under the same id. The current entry is the one with the highest id.
    """

    topic = models.TextField()
    kafka_partition = models.IntegerField()
    topic_id = models.UUIDField()
    incarnation = models.IntegerField(default=0)
    base = models.BigIntegerField(help_text="the offset that reading began with")
    done = Int8MultiRangeField(db_default=models.Value("{}"))
    end_offset = models.BigIntegerField(null=True, help_text="end of the Kafka partition when last looked")
    stopped_reason = models.TextField(default="", db_default="", help_text="why reading stopped; empty while it runs")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "kafka_ledger"
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(
                fields=["topic", "kafka_partition", "topic_id", "incarnation"], name="kafka_ledger_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic}/{self.kafka_partition}"


class IngestGap(models.Model):
    """Offsets [lo, hi) that Kafka can no longer give us, found on taking over a partition.

    One is open per entry and kind at a time; it widens while nobody decides.
    """

    class Kind(models.TextChoices):
        RETENTION = "retention", "Kafka's retention removed records before they were read"
        WENT_BACK = "went_back", "offsets went back under the same topic id"

    ledger_entry = models.ForeignKey(LedgerEntry, on_delete=models.CASCADE)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    lo = models.BigIntegerField()
    hi = models.BigIntegerField()
    noticed_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ingest_gaps"
        constraints = [
            models.UniqueConstraint(
                fields=["ledger_entry", "kind"], condition=models.Q(resolved_at=None), name="ingest_gaps_open"
            ),
        ]


class DeadLetter(models.Model):
    """A record that was refused, with its bytes, where it came from and why; it can be replayed."""

    created_at = models.DateTimeField(db_default=Now())
    project_id = models.IntegerField()
    reason = models.CharField(max_length=40, choices=Reason.choices)
    error = models.TextField()
    source = models.CharField(max_length=10, choices=Source.choices)
    topic = models.TextField(null=True)
    topic_id = models.UUIDField(null=True)
    incarnation = models.IntegerField(null=True)
    kafka_partition = models.IntegerField(null=True)
    kafka_offset = models.BigIntegerField(null=True)
    record_timestamp = models.DateTimeField(help_text="Kafka's record time, or when the request came")
    raw = models.BinaryField()
    attempts = models.IntegerField(default=0, db_default=0, help_text="replays that were refused again")
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "dead_letters"
        indexes = [
            # The admin's list and the report by reason look at the newest first.
            models.Index(fields=["created_at"], name="dead_letters_time"),
            # What is still open, which is what an operator asks for and the gauge counts.
            models.Index(fields=["reason", "id"], name="dead_letters_open", condition=models.Q(replayed_at=None)),
            # What retention deletes.
            models.Index(fields=["replayed_at"], name="dead_letters_done", condition=~models.Q(replayed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.reason} #{self.pk}"


class TouchedBucket(models.Model):
    """A mark: the facts of this minute of this type changed. Append-only; the rollup engine takes marks away.

    No unique key on purpose: an upserted mark would make writers wait for the engine, and one
    that is skipped because it is there already can be lost to an engine that just claimed it.
    """

    project_id = models.IntegerField()
    event_type = models.TextField()
    bucket = models.DateTimeField(help_text="start of the minute, UTC")

    class Meta:
        db_table = "touched_buckets"
        # The engine takes the newest first.
        indexes = [models.Index(fields=["-bucket"], name="touched_buckets_newest")]


class IngestBatch(models.Model):
    """What one batch came to: received = stored + duplicates + refused. Older rows are merged by minute, then by day.

    `redelivered` counts records skipped because the ledger had their offsets already; they were
    received before, so they are not part of `received` again.
    """

    committed_at = models.DateTimeField(db_default=Now())
    project_id = models.IntegerField()
    source = models.CharField(max_length=10, choices=Source.choices)
    topic = models.TextField(null=True)
    kafka_partition = models.IntegerField(null=True)
    batches = models.IntegerField(default=1, db_default=1)
    received = models.BigIntegerField()
    stored = models.BigIntegerField()
    duplicates = models.BigIntegerField()
    refused = models.BigIntegerField()
    redelivered = models.BigIntegerField()
    duration_ms = models.FloatField()

    class Meta:
        db_table = "ingest_batches"
        indexes = [models.Index(fields=["committed_at"], name="ingest_batches_time")]


class AssignedTimestamp(models.Model):
    """The time given to an event that came with an id but without a timestamp.

    Time is part of an event's identity. Remembering the first one makes a retry, which comes
    later, the same event.
    """

    pk = models.CompositePrimaryKey("project_id", "event_id")
    project_id = models.IntegerField()
    event_id = models.UUIDField()
    timestamp = models.DateTimeField()

    class Meta:
        db_table = "assigned_timestamps"
        # Retention takes the oldest away, of what may be many millions.
        indexes = [models.Index(fields=["timestamp"], name="assigned_timestamps_time")]
