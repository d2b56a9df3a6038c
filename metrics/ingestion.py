"""What ingestion has done so far, in the words of the service that this one replaces."""

from dataclasses import dataclass

from django.db import connection

TOTALS = """
SELECT coalesce(sum(received), 0), coalesce(sum(stored), 0), coalesce(sum(duplicates), 0),
    coalesce(sum(refused), 0), coalesce(sum(batches), 0), coalesce(sum(duration_ms), 0)
FROM ingest_batches
"""
LAST = "SELECT received, duration_ms FROM ingest_batches ORDER BY committed_at DESC LIMIT 1"


@dataclass(frozen=True)
class IngestionFigures:
    """Totals over all processes since the database was made; the last batch of any of them."""

    received: int
    stored: int
    duplicates: int
    refused: int
    batches: int
    total_ms: float
    last_size: int
    last_ms: float


def figures() -> IngestionFigures:
    with connection.cursor() as cursor:
        cursor.execute(TOTALS)
        *counts, total_ms = cursor.fetchone()
        cursor.execute(LAST)
        size, milliseconds = cursor.fetchone() or (0, 0.0)
    received, stored, duplicates, refused, batches = map(int, counts)
    return IngestionFigures(received, stored, duplicates, refused, batches, total_ms, size, milliseconds)


def go_duration(milliseconds: float) -> str:
    """As Go prints a time.Duration: `0s`, `350µs`, `1.2ms`, `2m3.5s`."""
    microseconds = round(milliseconds * 1000)
    if microseconds == 0:
        return "0s"
    if microseconds < 1000:
        return f"{microseconds}µs"
    if microseconds < 1_000_000:
        return f"{_short(microseconds / 1000)}ms"
    minutes, rest = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_short(rest / 1_000_000)}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _short(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
