"""The table of all settings in `docs/configuration.md`, made from the schema so that it cannot lie."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from analytics_project.config.loader import environment_name
from analytics_project.config.schema import Config
from analytics_project.config.types import format_duration

INTRODUCTION = """# Configuration

Every value has a default. A YAML file named by `CONFIG_FILE` comes over the defaults, the environment over
the file. Durations are written `500ms`, `5s`, `10m`, `2h`, `90d` or `1h30m`, lists with commas. A wrong value or an
unknown key stops the start with one line that names the key, the value and what is allowed.

This page is made by `manage.py describe_settings`.
"""


def reference() -> str:
    return INTRODUCTION + "".join(_sections(Config, ()))


def _sections(cls: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    rows = []
    for name, field in cls.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _sections(kind, (*path, name))
        else:
            rows.append(_row(cls, name, field))
    if rows:
        head = "| key | environment | default | allowed | |\n|---|---|---|---|---|\n"
        yield f"\n## {'.'.join(path)}\n\n{head}{''.join(rows)}"


def _row(cls: type[BaseModel], name: str, field: FieldInfo) -> str:
    cells = (f"`{name}`", f"`{environment_name(cls, name)}`", _default(field), _allowed(field), field.description or "")
    return f"| {' | '.join(cells)} |\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr):
        return "none"
    if isinstance(value, timedelta):
        value = format_duration(value)
    if isinstance(value, list):
        value = ",".join(value)
    return f"`{value}`" if value != "" and value != [] else "none"


def _allowed(field: FieldInfo) -> str:
    if choices := get_args(field.annotation):
        return ", ".join(f"`{choice}`" for choice in choices if isinstance(choice, str)) or "list"
    bounds = dict(re.findall(r"(ge|le)=(\d+)", repr(field.metadata)))
    if "ge" in bounds and "le" in bounds:
        return f"{bounds['ge']} to {bounds['le']}"
    if "ge" in bounds:
        return f"at least {bounds['ge']}"
    kinds = {timedelta: "duration", SecretStr: "text, never shown", int: "number"}
    return next((text for kind, text in kinds.items() if field.annotation is kind), "text")
