"""The typed configuration: what wins, what is refused, and that each refusal is one helpful line."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from analytics_project.config import Config, ConfigError, load_config
from analytics_project.config.loader import build
from analytics_project.config.schema import Section
from analytics_project.config.types import format_duration, parse_duration


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONFIG_FILE", raising=False)
    for cls in Section.__subclasses__():
        for field in cls.model_fields:
            monkeypatch.delenv(f"{cls.model_config.get('env_prefix', '')}{field}".upper(), raising=False)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "b25.yaml"
    monkeypatch.setenv("CONFIG_FILE", str(path))
    return path


def test_defaults_need_neither_file_nor_environment() -> None:
    config = load_config()

    assert (config.server.port, config.metrics.port, config.health.port) == (9097, 9098, 9099)
    assert config.kafka.topics == ["trading.events", "market.data", "order.events", "user.actions"]
    assert config.analytics.retention.raw_events == timedelta(days=90)


def test_the_file_wins_over_the_defaults(file: Path) -> None:
    file.write_text("server: {port: 8000}\nanalytics:\n  retention: {raw_events: 30d}\n")

    config = load_config()

    assert config.server.port == 8000
    assert config.analytics.retention.raw_events == timedelta(days=30)
    assert config.server.host == "127.0.0.1"


@pytest.mark.parametrize("content", ["", "server:\n", "# nothing\n", "analytics:\n  query:\n"])
def test_an_empty_file_or_section_means_the_defaults(file: Path, content: str) -> None:
    file.write_text(content)

    assert load_config() == build(Config, {})


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("server: {port: 8000, host: 0.0.0.0}\nanalytics:\n  ingestion: {batch_size: 10}\n")
    monkeypatch.setenv("SERVER_PORT", "8001")
    monkeypatch.setenv("INGESTION_BATCH_SIZE", "20")

    config = load_config()

    assert (config.server.port, config.server.host) == (8001, "0.0.0.0")  # noqa: S104
    assert config.analytics.ingestion.batch_size == 20


def test_an_empty_variable_counts_as_not_set(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("server: {port: 8000}\n")
    monkeypatch.setenv("SERVER_PORT", "")

    assert load_config().server.port == 8000


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("DB_HOST", "db", lambda c: c.database.host),
        ("DB_PORT", 5433, lambda c: c.database.port),
        ("DB_NAME", "b25", lambda c: c.database.name),
        ("DB_USER", "b25", lambda c: c.database.user),
        ("DB_PASSWORD", "secret", lambda c: c.database.password.get_secret_value()),
        ("DB_SSLMODE", "require", lambda c: c.database.sslmode),
        ("REDIS_HOST", "redis", lambda c: c.redis.host),
        ("REDIS_PORT", 6380, lambda c: c.redis.port),
        ("REDIS_PASSWORD", "secret", lambda c: c.redis.password.get_secret_value()),
        ("REDIS_DB", 3, lambda c: c.redis.db),
        ("KAFKA_CONSUMER_GROUP", "other", lambda c: c.kafka.consumer_group),
        ("METRICS_PORT", 1, lambda c: c.metrics.port),
        ("HEALTH_PORT", 65535, lambda c: c.health.port),
        ("LOG_LEVEL", "DEBUG", lambda c: c.logging.level),
    ],
)
def test_the_variables_that_deployments_set(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: object, read: Any
) -> None:
    monkeypatch.setenv(variable, str(value))

    assert read(load_config()) == value


@pytest.mark.parametrize(
    ("value", "items"), [("a:1", ["a:1"]), ("a:1,b.c:2", ["a:1", "b.c:2"]), (" a:1 , [::1]:2 ,", ["a:1", "[::1]:2"])]
)
def test_a_list_is_separated_by_commas(monkeypatch: pytest.MonkeyPatch, value: str, items: list[str]) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", value)

    assert load_config().kafka.brokers == items


def test_a_list_may_be_written_as_one_in_the_file(file: Path) -> None:
    file.write_text("kafka:\n  topics: [one, two]\n  brokers: 'a:1,b:2'\n")

    assert load_config().kafka.topics == ["one", "two"]
    assert load_config().kafka.brokers == ["a:1", "b:2"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90d", 7_776_000), ("5s", 5), ("1h30m", 5400), ("500ms", 0.5), ("2w", 1_209_600), ("0.5h", 1800), ("10m", 600)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["1ms", "5s", "90m", "36h", "90d", "1500ms"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize(
    "value", ["5x", "5", 5, 5.0, "", "d", "-5s", "1h 30m", "5 s", "1e3s", "P90D", None, True, "५s", "1h30"]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="must be a duration such as 500ms, 5s, 10m, 2h, 90d or 1h30m"):
        build(Config, {"analytics": {"retention": {"raw_events": value}}})


@pytest.mark.parametrize("value", ["0s", "0d", "36501d", "99999999999999d", "9" * 400 + "d"])
def test_a_duration_out_of_range_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="must be longer than zero and at most 36500d"):
        build(Config, {"analytics": {"retention": {"raw_events": value}}})


@pytest.mark.parametrize(
    ("variable", "value", "key", "allowed"),
    [
        ("SERVER_PORT", "0", "server.port", "greater than or equal to 1"),
        ("SERVER_PORT", "65536", "server.port", "less than or equal to 65535"),
        ("SERVER_PORT", "http", "server.port", "a valid integer"),
        ("SERVER_PORT", "80.5", "server.port", "a valid integer"),
        ("DB_SSLMODE", "maybe", "database.sslmode", "'disable', 'allow', 'prefer'"),
        ("LOG_LEVEL", "debug", "logging.level", "'DEBUG', 'INFO'"),
        ("KAFKA_BROKERS", "kafka", "kafka.brokers", "must be host:port"),
        ("KAFKA_BROKERS", "kafka:0", "kafka.brokers", "must be host:port"),
        ("KAFKA_BROKERS", "a:1,b:65536", "kafka.brokers", "must be host:port"),
        ("KAFKA_TOPICS", ",", "kafka.topics", "at least 1 item"),
        ("REDIS_DB", "-1", "redis.db", "greater than or equal to 0"),
        ("INGESTION_BATCH_SIZE", "1e3", "analytics.ingestion.batch_size", "a valid integer"),
        ("RETENTION_RAW_EVENTS", "5x", "analytics.retention.raw_events", "must be a duration"),
        ("QUERY_MAX_LIMIT", "10001", "analytics.query.max_limit", "less than or equal to 10000"),
        ("METRICS_PATH", "metrics", "metrics.path", "should match pattern"),
        ("SECURITY_ENVIRONMENT", "staging", "security.environment", "'development' or 'production'"),
    ],
)
def test_a_wrong_variable_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, key: str, allowed: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError) as error:
        load_config()

    line = str(error.value)
    assert line.startswith(f"{key} ({variable})={value!r}: ")
    assert allowed in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"servers": {}}, "servers: unknown key; allowed here: server, database, redis"),
        ({"server": {"prot": 1}}, "server.prot: unknown key; allowed here: host, port"),
        ({"analytics": {"retention": {"raw": "1d"}}}, "analytics.retention.raw: unknown key; allowed here: raw_events"),
        ({5: {}}, "5: unknown key; allowed here: server"),
        ({"server": [9097]}, "server: must be a section with keys host, port"),
        ({"analytics": {"query": "10s"}}, "analytics.query: must be a section with keys default_limit"),
    ],
)
def test_an_unknown_key_or_section_is_refused(values: object, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(Config, values)

    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    "content", [b"server: [", b"\xff\xfe\xff", b"when: 2001-99-99", b"a: \x00", b"!!python/name:os.system"]
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(ConfigError) as error:
        load_config()

    assert str(error.value).startswith(f"CONFIG_FILE={file}: cannot be read: ")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_not_the_same_as_none(file: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config()


def test_a_file_without_sections_is_refused(file: Path) -> None:
    file.write_text("just text")

    with pytest.raises(ConfigError, match="must hold sections such as server: and database:"):
        load_config()


@pytest.mark.parametrize(
    "values",
    [
        {"database": {"password": ["hunter2"]}},
        {"redis": {"password": {"it is": "hunter2"}}},
        {"database": "postgres://b25:hunter2@db/analytics"},
        {"security": {"environment": "production", "secret_key": "hunter2"}},
    ],
)
def test_a_secret_is_not_told(values: object) -> None:
    with pytest.raises(ConfigError) as error:
        build(Config, values)

    assert "hunter2" not in str(error.value)


def test_a_secret_is_not_shown_with_the_configuration() -> None:
    config = build(Config, {"database": {"password": "hunter2"}, "redis": {"password": "hunter2"}})

    assert config.database.password == SecretStr("hunter2")
    assert "hunter2" not in f"{config!r} {config} {config.model_dump_json()}"


def test_production_asks_for_a_long_secret() -> None:
    with pytest.raises(ConfigError, match="security: secret_key must have at least 32 characters in production"):
        build(Config, {"security": {"environment": "production", "secret_key": "x" * 31}})

    secure = build(Config, {"security": {"environment": "production", "secret_key": "x" * 32}})
    assert secure.security.environment == "production"


def test_rollups_are_kept_as_long_as_raw_events() -> None:
    told = "^analytics.retention: rollup_1m, rollup_1h must not be shorter than raw_events=90d$"
    with pytest.raises(ConfigError, match=told):
        build(Config, {"analytics": {"retention": {"rollup_1m": "89d", "rollup_1h": "30d"}}})

    equal = build(Config, {"analytics": {"retention": {"rollup_1m": "90d"}}}).analytics.retention
    kept = {interval: equal.rollup(interval).days for interval in ("1m", "5m", "15m", "1h", "1d")}
    assert kept == {"1m": 90, "5m": 365, "15m": 365, "1h": 730, "1d": 3650}


def test_nothing_changes_a_configuration_that_was_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(load_config().server, "port", 1)  # noqa: B010
