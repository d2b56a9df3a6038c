"""What events add up to, and how far the adding is."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from metrics.definitions.models import MetricDefinition as MetricDefinition  # Django looks for models here


class Interval(models.TextChoices):
    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    DAY = "1d"


class MetricAggregation(models.Model):
    """The totals of one series of a metric in one bucket [time_bucket, time_bucket + interval), UTC.

    Written by the rollup engine only, which recomputes and replaces whole buckets. `count` values
    were added up; `skipped` events had no number where the metric has its value. `bins` and
    `bin_counts` are the histogram that percentiles of merged buckets come from.
    """

    pk = models.CompositePrimaryKey("project_id", "metric_name", "interval", "time_bucket", "dimensions")
    project_id = models.IntegerField()
    metric_name = models.TextField()
    interval = models.TextField(choices=Interval.choices)
    time_bucket = models.DateTimeField()
    dimensions = models.JSONField(default=dict)
    count = models.BigIntegerField()
    skipped = models.BigIntegerField(default=0)
    sum = models.DecimalField(max_digits=1000, decimal_places=500, null=True)
    sum_squares = models.DecimalField(max_digits=1000, decimal_places=500, null=True)
    avg = models.DecimalField(max_digits=1000, decimal_places=500, null=True, editable=False)
    min = models.DecimalField(max_digits=1000, decimal_places=500, null=True)
    max = models.DecimalField(max_digits=1000, decimal_places=500, null=True)
    first = models.DecimalField(max_digits=1000, decimal_places=500, null=True)
    last = models.DecimalField(max_digits=1000, decimal_places=500, null=True)
    p50 = models.FloatField(null=True)
    p95 = models.FloatField(null=True)
    p99 = models.FloatField(null=True)

    class Meta:
        # Made by SQL in the migration, as partitions are: Django cannot say it.
        managed = False
        db_table = "metric_aggregations"


class MetricSeries(models.Model):
    """A combination of dimensions that a metric was seen with. A full list sends new ones to the series `other`.

    A series keeps its place for good, so that a bucket which is computed again comes out the same.
    """

    project_id = models.IntegerField()
    metric_name = models.TextField()
    dimensions = models.JSONField(default=dict)
    first_seen = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "metric_series"
        constraints = [
            models.UniqueConstraint(fields=["project_id", "metric_name", "dimensions"], name="metric_series_key")
        ]


class RollupMark(models.Model):
    """A mark: this bucket of this metric is to be computed again. Append-only as `touched_buckets`, for its reason.

    Of 1m: from the facts (a backfill, a rebuild); of a coarser interval: from the interval below.
    """

    interval = models.TextField(choices=Interval.choices)
    project_id = models.IntegerField()
    metric_name = models.TextField()
    time_bucket = models.DateTimeField()

    class Meta:
        db_table = "rollup_marks"
        indexes = [models.Index(fields=["interval", "-time_bucket"], name="rollup_marks_newest")]


class RollupProgress(models.Model):
    """How far an interval is: all facts before `complete_until` are in it, but for buckets that are marked."""

    interval = models.TextField(primary_key=True, choices=Interval.choices)
    complete_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "rollup_progress"


class RollupVersion(models.Model):
    """Counts the changes of a metric in an interval; part of every cache key."""

    pk = models.CompositePrimaryKey("project_id", "metric_name", "interval")
    project_id = models.IntegerField()
    metric_name = models.TextField()
    interval = models.TextField(choices=Interval.choices)
    version = models.BigIntegerField(default=1)

    class Meta:
        db_table = "rollup_versions"


class Seal(models.Model):
    """Facts before `sealed_until` are gone: what was added up from them is never computed again. One row."""

    only = models.BooleanField(primary_key=True, default=True)
    sealed_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "rollup_seal"


class UniqueUsers(models.Model):
    """The distinct users of a bucket: `hashes` of each while they are few, else `registers` of a HyperLogLog sketch."""

    pk = models.CompositePrimaryKey("project_id", "interval", "time_bucket")
    project_id = models.IntegerField()
    interval = models.TextField(choices=Interval.choices)
    time_bucket = models.DateTimeField()
    count = models.BigIntegerField(help_text="exact where there are hashes, else within some 2 %")
    hashes = ArrayField(models.BigIntegerField(), null=True)
    registers = ArrayField(models.SmallIntegerField(), null=True)

    class Meta:
        db_table = "unique_users"


class RollupDrift(models.Model):
    """A stored series of a bucket that a recount of the facts did not come to. Resolved by a later equal recount."""

    project_id = models.IntegerField()
    metric_name = models.TextField()
    interval = models.TextField(choices=Interval.choices)
    time_bucket = models.DateTimeField()
    dimensions = models.JSONField(default=dict)
    stored = models.JSONField(null=True, help_text="what the rollups say; null: no such series")
    recounted = models.JSONField(null=True, help_text="what the facts come to; null: no such series")
    noticed_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "rollup_drift"
        verbose_name_plural = "rollup drift"
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "metric_name", "interval", "time_bucket", "dimensions"],
                condition=models.Q(resolved_at=None),
                name="rollup_drift_open",
            )
        ]
