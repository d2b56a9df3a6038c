from django.db import migrations, models
from django.db.models.functions import Now

# Columns are ordered by alignment, which saves eight bytes a row; `created_at` follows the
# clock of the transaction. See docs/storage.md for what each index costs and who needs it.
CREATE_EVENTS = """
CREATE TABLE events (
    "timestamp" timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    project_id integer NOT NULL,
    id uuid NOT NULL,
    event_type text NOT NULL,
    user_id text,
    session_id text,
    properties jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, "timestamp", id),
    CONSTRAINT events_timestamp_sane CHECK ("timestamp" >= '1970-01-01Z' AND "timestamp" < '2200-01-01Z')
) PARTITION BY RANGE ("timestamp");

CREATE INDEX events_type_time ON events (project_id, event_type, "timestamp");
CREATE INDEX events_user_time ON events (project_id, user_id, "timestamp") WHERE user_id IS NOT NULL;
CREATE INDEX events_session_time ON events (project_id, session_id, "timestamp") WHERE session_id IS NOT NULL;
"""


class Migration(migrations.Migration):
    """The table of events. Its partitions are made by `events.partitions`, never here."""

    initial = True
    dependencies = [("access", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_EVENTS, reverse_sql="DROP TABLE events")],
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("project_id", models.IntegerField()),
                        ("event_type", models.TextField()),
                        ("user_id", models.TextField(null=True)),
                        ("session_id", models.TextField(null=True)),
                        ("properties", models.JSONField(default=dict)),
                        ("timestamp", models.DateTimeField(help_text="when it happened, says the producer")),
                        ("created_at", models.DateTimeField(db_default=Now(), help_text="when it was stored")),
                    ],
                    options={"db_table": "events", "ordering": ["-timestamp", "-id"]},
                ),
            ],
        ),
    ]
