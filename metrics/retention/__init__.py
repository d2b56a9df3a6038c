"""What is kept for how long: a plan of what is over, and its carrying out. See docs/retention.md."""

from metrics.retention.planning import Plan, apply, plan

__all__ = ["Plan", "apply", "plan"]
