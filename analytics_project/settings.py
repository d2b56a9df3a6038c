"""Django's settings, all derived from the typed configuration in `analytics_project.config`."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from analytics_project.celery_settings import celery_settings
from analytics_project.config import ConfigError, load_config
from analytics_project.lib.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    CONFIG = load_config()
except ConfigError as error:
    sys.exit(f"configuration: {error}")

if _shared_metrics := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # prometheus_client writes into it from the first instrument on, and does not make it.
    Path(_shared_metrics).mkdir(parents=True, exist_ok=True)

PRODUCTION = CONFIG.security.environment == "production"
DEBUG = False
SECRET_KEY = CONFIG.security.secret_key.get_secret_value() or "development-only-" + "x" * 40
ALLOWED_HOSTS = CONFIG.security.allowed_hosts

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "corsheaders",
    "django_prometheus",
    "analytics_project",
    "access",
    "custom_events",
    "events",
    "metrics",
    "dashboards",
]

MIDDLEWARE = [
    "analytics_project.lib.requests.RequestIdMiddleware",
    "analytics_project.monitoring.requests.RequestFiguresMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "analytics_project.urls"
WSGI_APPLICATION = "analytics_project.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "analytics_project.lib.postgresql",
        "HOST": CONFIG.database.host,
        "PORT": CONFIG.database.port,
        "NAME": CONFIG.database.name,
        "USER": CONFIG.database.user,
        "PASSWORD": CONFIG.database.password.get_secret_value(),
        # A connection lives as long as its thread or worker child; each request and each task
        # checks it first, so a restarted server costs one reconnect and no failure.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "sslmode": CONFIG.database.sslmode,
            "connect_timeout": max(1, round(CONFIG.database.connect_timeout / timedelta(seconds=1))),
            "application_name": "b25-analytics",
            # Only what asks for it is prepared; with Django's None not even that is.
            "prepare_threshold": sys.maxsize,
            # A server that vanished without a word is noticed within half a minute, not hours.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_redis_password = CONFIG.redis.password.get_secret_value()
_redis = f"redis://:{_redis_password}@" if _redis_password else "redis://"
_queue = f"{_redis}{CONFIG.redis.host}:{CONFIG.redis.port}/{CONFIG.redis.db}"
_cache = f"{_redis}{CONFIG.redis.cache_host or CONFIG.redis.host}:{CONFIG.redis.port}/{CONFIG.redis.cache_db}"
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": _cache,
        "KEY_PREFIX": "b25",
        "OPTIONS": {
            # Whoever can write Redis must not be able to run code here: no pickle.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
            "IGNORE_EXCEPTIONS": True,
        },
    }
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True

globals().update(celery_settings(_queue))

REST_FRAMEWORK = {
    "DEFAULT_PARSER_CLASSES": ["events.api.parsers.EventParser"],
    "DEFAULT_RENDERER_CLASSES": ["events.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "events.api.renderers.AlwaysJSON",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "events.api.errors.handle",
}

# Bodies are read and limited by the API's own parser (server.max_body_size).
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.server.max_body_size
CORS_ALLOWED_ORIGINS = CONFIG.security.cors_origins
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "x-api-key", "x-request-id"]

TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-us"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_settings(CONFIG.logging.level, CONFIG.logging.format)
