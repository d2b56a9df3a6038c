"""Health, Prometheus metrics and the figures of requests: what operators and probes look at."""
