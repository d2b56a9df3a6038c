# syntax=docker/dockerfile:1
# One image for every process; the command says which: docker run b25-analytics python manage.py consume_events

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/production.txt requirements/
# Wheels only: nothing is compiled, so nothing that compiles has to be trusted or installed.
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes --only-binary :all: -r requirements/production.txt \
    && /venv/bin/python -m compileall -q /venv/lib

FROM python:3.11-slim-bookworm
RUN groupadd --gid 1000 analytics \
    && useradd --uid 1000 --gid analytics --no-create-home --shell /usr/sbin/nologin analytics \
    && mkdir -p /run/prometheus \
    && chown analytics:analytics /run/prometheus
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SECURITY_ENVIRONMENT=production \
    SERVER_HOST=0.0.0.0 \
    METRICS_HOST=0.0.0.0 \
    HEALTH_HOST=0.0.0.0 \
    PROMETHEUS_MULTIPROC_DIR=/run/prometheus
WORKDIR /app
COPY --from=build /venv /venv
COPY manage.py ./
COPY analytics_project analytics_project
COPY access access
COPY custom_events custom_events
COPY events events
COPY metrics metrics
COPY dashboards dashboards
# A key only for this step: collecting static files signs nothing.
RUN SECURITY_SECRET_KEY=collectstatic-signs-nothing-at-all-0123456789 python manage.py collectstatic --noinput \
    && python -m compileall -q .
USER 1000:1000
EXPOSE 9097 9098 9099
# Of the web process, which is the default command; compose gives the others checks of their own.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9097/healthz', timeout=2)"]
CMD ["python", "manage.py", "serve"]
