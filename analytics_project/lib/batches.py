"""Deleting many rows without one long transaction."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

SIZE = 10_000


def delete_in_batches(table: str, condition: str, parameters: Sequence[Any], size: int = SIZE) -> int:
    """Delete the rows for which the condition holds, a batch in a transaction of its own; answers how many.

    The condition should be one that an index finds: each batch looks for its rows anew.
    """
    statement = f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT {size}))"
    deleted = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            count = int(cursor.rowcount)
        deleted += count
        if count < size:
            return deleted
