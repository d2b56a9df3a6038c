"""Build the configuration from defaults, the YAML file and the environment, or say what is wrong."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from analytics_project.config.schema import Config, Section

Part = TypeVar("Part", bound=BaseModel)


class ConfigError(Exception):
    """A value that the service will not start with; the text is one line for the operator."""


def load_config() -> Config:
    """Read the file named by `CONFIG_FILE`, if any, and the environment over it.

    Raises ConfigError with the key, the value and what is allowed.
    """
    return build(Config, read_yaml(os.environ.get("CONFIG_FILE", "")))


def read_yaml(name: str) -> Mapping[str, Any]:
    if not name:
        return {}
    try:
        content = yaml.safe_load(Path(name).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"CONFIG_FILE={name}: cannot be read: {one_line(error)}") from error
    if not isinstance(content or {}, dict):
        raise ConfigError(f"CONFIG_FILE={name}: must hold sections such as server: and database:")
    return content or {}


def build(cls: type[Part], values: object, *path: str) -> Part:
    """Make a section of its values, and the sections inside it first, so that each reads its own prefix."""
    where = ".".join(path)
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        # Not the value itself, which may be the URL of a database with its password.
        raise ConfigError(
            f"{where}: must be a section with keys {', '.join(cls.model_fields)}, not a {type(values).__name__}"
        )
    unknown = [str(key) for key in values if key not in cls.model_fields]
    if unknown:
        key = ".".join((*path, unknown[0]))
        raise ConfigError(f"{key}: unknown key; allowed here: {', '.join(cls.model_fields)}")
    parts = {
        name: build(field.annotation, values.get(name), *path, name)
        for name, field in cls.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    try:
        return cls(**{**values, **parts})
    except ValidationError as error:
        raise ConfigError(explain(cls, error.errors()[0], path)) from None


def explain(cls: type[BaseModel], error: ErrorDetails, path: tuple[str, ...]) -> str:
    """One line: the key in the file and in the environment, the value, and what is allowed."""
    field = str(error["loc"][0]) if error["loc"] else ""
    key = ".".join((*path, field)) if field else ".".join(path)
    allowed = error["msg"].removeprefix("Value error, ")
    if not field:
        return f"{key}: {allowed}"
    shown = "***" if "SecretStr" in str(cls.model_fields[field].annotation) else repr(error["input"])
    return f"{key} ({environment_name(cls, field)})={shown}: {allowed}"


def environment_name(cls: type[BaseModel], field: str) -> str:
    if not issubclass(cls, Section):
        return ""
    return f"{cls.model_config.get('env_prefix', '')}{field}".upper()


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
