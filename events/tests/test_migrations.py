"""Models and migrations agree, and the tables are what the write path counts on."""

import pytest
from django.core.management import call_command
from django.db import connection

from events.models import Event

pytestmark = pytest.mark.django_db


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_events_are_partitioned_by_time_with_the_tenant_first_in_the_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_partkeydef('events'::regclass)")
        assert cursor.fetchone() == ('RANGE ("timestamp")',)
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'events_pkey'")
        assert cursor.fetchone() == ('PRIMARY KEY (project_id, "timestamp", id)',)


def test_the_columns_of_the_model_are_those_of_the_table() -> None:
    with connection.cursor() as cursor:
        columns = {column.name for column in connection.introspection.get_table_description(cursor, "events")}

    assert {field.column for field in Event._meta.fields} == columns


def test_the_tables_can_be_taken_back_and_made_again() -> None:
    call_command("migrate", "events", "zero", verbosity=0)
    call_command("migrate", "events", verbosity=0)

    assert Event.objects.count() == 0
