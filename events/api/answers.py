"""The JSON of answers, in the shapes of the service that this one replaces."""

from typing import Any

import orjson

from events.api.errors import ApiError, BadRequest
from events.api.queries import EventRow
from events.reasons import Reason
from events.store import Outcome


def event(row: EventRow) -> dict[str, Any]:
    """One stored event; a user or session that it does not have is left out."""
    event_id, event_type, user_id, session_id, properties, timestamp, created_at = row
    answer: dict[str, Any] = {"id": event_id, "event_type": event_type}
    if user_id is not None:
        answer["user_id"] = user_id
    if session_id is not None:
        answer["session_id"] = session_id
    # PostgreSQL's own text: parsing it again would round its decimals to doubles.
    answer["properties"] = orjson.Fragment(properties)
    answer["timestamp"] = timestamp
    answer["created_at"] = created_at
    return answer


def single(outcome: Outcome) -> dict[str, Any]:
    """The answer to one event that is stored, now or before; raises for one that was refused."""
    if outcome.status == "refused":
        raise _refusal(outcome)
    answer = {"success": True, "event_id": outcome.event_id, "timestamp": outcome.timestamp}
    if outcome.status == "duplicate":
        answer["duplicate"] = True
    return answer


def batch(outcomes: list[Outcome]) -> dict[str, Any]:
    """What became of each event, in the order sent."""
    statuses = [outcome.status for outcome in outcomes]
    return {
        "received": len(outcomes),
        "stored": statuses.count("stored"),
        "duplicates": statuses.count("duplicate"),
        "refused": statuses.count("refused"),
        "results": [_result(index, outcome) for index, outcome in enumerate(outcomes)],
    }


def _result(index: int, outcome: Outcome) -> dict[str, Any]:
    if outcome.status == "refused":
        return {"status": "refused", "reason": outcome.reason, "details": outcome.detail, "index": index}
    return {
        "status": outcome.status,
        "event_id": outcome.event_id,
        "timestamp": outcome.timestamp,
    }


def _refusal(outcome: Outcome) -> ApiError:
    details = f"{outcome.reason}: {outcome.detail}"
    if outcome.reason == Reason.CONFLICT:
        return ApiError(409, "Conflict", details, reason=outcome.reason)
    if outcome.reason == Reason.TOO_LARGE:
        return ApiError(413, "Body too large", details, reason=outcome.reason)
    return BadRequest("Invalid request body", details, reason=outcome.reason)
