"""Every setting of the service, with its default. Each is read somewhere; none is for show.

Sections are separate settings classes so that each has its own prefix in the environment
(`DB_HOST`, `KAFKA_BROKERS`, `INGESTION_BATCH_SIZE`). What the environment says wins over the
YAML file, and the file over the defaults.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from analytics_project.config.types import Addresses, CommaList, Duration, format_duration

Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseSettings):
    """A part of the configuration; values given by the YAML file arrive as arguments."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


class Server(Section, env_prefix="SERVER_"):
    host: str = "127.0.0.1"
    port: Port = 9097
    workers: Annotated[int, Field(ge=1, le=64, description="processes")] = 2
    threads: Annotated[int, Field(ge=1, le=64, description="of each process, one database connection each")] = 4
    max_body_size: Annotated[int, Field(ge=1024, description="bytes, after decompression")] = 10_485_760


class Database(Section, env_prefix="DB_"):
    host: str = "127.0.0.1"
    port: Port = 5432
    name: str = "analytics"
    user: str = "analytics"
    password: SecretStr = SecretStr("")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    connect_timeout: Duration = timedelta(seconds=5)


class Redis(Section, env_prefix="REDIS_"):
    host: str = "127.0.0.1"
    port: Port = 6379
    password: SecretStr = SecretStr("")
    db: Annotated[int, Field(ge=0, le=1023, description="number of the database for Celery's queues")] = 0
    cache_host: Annotated[str, Field(description="a server of its own for the cache; empty: the same one")] = ""
    cache_db: Annotated[int, Field(ge=0, le=1023, description="the same for the cache")] = 1


class Kafka(Section, env_prefix="KAFKA_"):
    brokers: Addresses = ["127.0.0.1:9092"]
    topics: Annotated[CommaList, Field(min_length=1)] = [
        "trading.events",
        "market.data",
        "order.events",
        "user.actions",
    ]
    consumer_group: Annotated[str, Field(min_length=1)] = "analytics-consumer-group"
    session_timeout: Annotated[Duration, Field(description="a silent consumer loses its partitions")] = timedelta(
        seconds=20
    )


class Ingestion(Section, env_prefix="INGESTION_"):
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 1000
    batch_timeout: Annotated[Duration, Field(description="a record waits this long at most for its batch to fill")] = (
        timedelta(seconds=5)
    )
    quiet_timeout: Annotated[Duration, Field(description="the same while nothing is in flight: a quiet stream")] = (
        timedelta(milliseconds=100)
    )
    max_in_flight: Annotated[
        int, Field(ge=1, description="records of one Kafka partition enqueued and not yet stored")
    ] = 20_000
    stall_timeout: Annotated[Duration, Field(description="no progress for so long and nothing queued: read again")] = (
        timedelta(seconds=5)
    )
    max_event_size: Annotated[int, Field(ge=256, le=1_048_576, description="bytes")] = 65_536
    max_string_size: Annotated[int, Field(ge=16, description="bytes, as sent")] = 8192
    max_depth: Annotated[int, Field(ge=1, le=256, description="of nested objects and lists in properties")] = 32
    max_keys: Annotated[int, Field(ge=1, description="keys of one JSON object")] = 256
    max_batch_events: Annotated[int, Field(ge=1, description="events in one HTTP batch")] = 1000
    max_clock_skew: Annotated[Duration, Field(description="how far in the future an event may lie")] = timedelta(
        hours=1
    )


class Aggregation(Section, env_prefix="AGGREGATION_"):
    settle: Annotated[Duration, Field(description="a minute is added up so long after its end")] = timedelta(seconds=2)
    compact_above: Annotated[int, Field(ge=100, description="marks and batch rows are compacted above this number")] = (
        5000
    )


class Retention(Section, env_prefix="RETENTION_"):
    raw_events: Annotated[Duration, Field(description="older events are refused as too_old, and dropped")] = timedelta(
        days=90
    )
    rollup_1m: Annotated[Duration, Field(description="none of the rollups shorter than raw_events")] = timedelta(
        days=365
    )
    rollup_5m: Duration = timedelta(days=365)
    rollup_15m: Duration = timedelta(days=365)
    rollup_1h: Duration = timedelta(days=730)
    rollup_1d: Duration = timedelta(days=3650)
    system_metrics: Annotated[Duration, Field(description="figures of batches; older ones are kept by the day")] = (
        timedelta(days=30)
    )
    partitions_ahead: Annotated[int, Field(ge=1, le=60, description="days made in advance")] = 7

    def rollup(self, interval: str) -> timedelta:
        """How long rollups of an interval, such as `5m`, are kept."""
        kept: timedelta = getattr(self, f"rollup_{interval}")
        return kept

    @model_validator(mode="after")
    def rollups_outlive_raw_events(self) -> "Retention":
        """Else a late event would be added up anew from rows that are gone."""
        rollups = [name for name in type(self).model_fields if name.startswith("rollup_")]
        if short := [name for name in rollups if getattr(self, name) < self.raw_events]:
            raise ValueError(
                f"{', '.join(short)} must not be shorter than raw_events={format_duration(self.raw_events)}"
            )
        return self


class Query(Section, env_prefix="QUERY_"):
    default_limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    default_window: Duration = timedelta(hours=24)
    timeout: Duration = timedelta(seconds=10)


class Analytics(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ingestion: Ingestion
    aggregation: Aggregation
    retention: Retention
    query: Query


class Metrics(Section, env_prefix="METRICS_"):
    host: str = "127.0.0.1"
    port: Port = 9098
    path: Annotated[str, Field(pattern=r"^/[\w/-]*$")] = "/metrics"


class Logging(Section, env_prefix="LOG_"):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "text"] = "json"


class Health(Section, env_prefix="HEALTH_"):
    host: str = "127.0.0.1"
    port: Port = 9099
    check_timeout: Duration = timedelta(seconds=2)
    max_lag: Annotated[int, Field(ge=1, description="records behind; above it: degraded")] = 100_000


class Realtime(Section, env_prefix="REALTIME_"):
    refresh: Annotated[Duration, Field(description="how often the live page asks")] = timedelta(seconds=1)


class Security(Section, env_prefix="SECURITY_"):
    environment: Literal["development", "production"] = "development"
    secret_key: SecretStr = SecretStr("")
    allowed_hosts: CommaList = ["*"]
    cors_origins: CommaList = []

    @model_validator(mode="after")
    def production_needs_a_secret(self) -> "Security":
        if self.environment == "production" and len(self.secret_key.get_secret_value()) < 32:
            raise ValueError("secret_key must have at least 32 characters in production")
        return self


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    server: Server
    database: Database
    redis: Redis
    kafka: Kafka
    analytics: Analytics
    metrics: Metrics
    logging: Logging
    health: Health
    realtime: Realtime
    security: Security
