from django.db.models import TextChoices


class Reason(TextChoices):
    """Why a record was refused. The one enum: dead letters, API answers and instruments use its values."""

    EMPTY = "empty", "no value at all (a tombstone)"
    TOO_LARGE = "too_large", "larger than one event may be"
    INVALID_JSON = "invalid_json", "not JSON in UTF-8 as RFC 8259 has it"
    NOT_AN_OBJECT = "not_an_object", "JSON, but not an object"
    MISSING_EVENT_TYPE = "missing_event_type", "no event_type"
    INVALID_FIELD = "invalid_field", "a field of the envelope has the wrong type or length"
    INVALID_TIMESTAMP = "invalid_timestamp", "timestamp is neither RFC 3339 with a zone nor epoch milliseconds"
    TOO_OLD = "too_old", "older than raw events are kept"
    IN_FUTURE = "in_future", "further in the future than clocks may differ"
    NUL_CHARACTER = "nul_character", "a NUL character, which PostgreSQL cannot store"
    NUMBER_OUT_OF_RANGE = "number_out_of_range", "a number beyond 64 bits or the range of doubles"
    TOO_DEEP = "too_deep", "nested too deep"
    TOO_MANY_KEYS = "too_many_keys", "an object with too many keys"
    STRING_TOO_LONG = "string_too_long", "a string that is too long"
    CONFLICT = "conflict", "same id and timestamp as a stored event, other content"
    STORAGE_REFUSED = "storage_refused", "PostgreSQL refused the row"
