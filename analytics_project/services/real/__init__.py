"""The same three services as in production: PostgreSQL 15 and Redis 7 of Debian, Apache Kafka.

For CI and for tests that kill and restart a broker which keeps its records. The instance `real`
is made of these; all else (ports, folder, commands) is as with the embedded ones.
"""

from analytics_project.services.real.debian import DebianPostgres, DebianRedis
from analytics_project.services.real.kafka import ApacheKafka

__all__ = ["ApacheKafka", "DebianPostgres", "DebianRedis"]
