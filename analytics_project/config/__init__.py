"""The typed configuration: defaults, an optional YAML file, the environment."""

from analytics_project.config.loader import ConfigError, load_config
from analytics_project.config.schema import Config

__all__ = ["Config", "ConfigError", "load_config"]
