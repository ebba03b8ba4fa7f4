"""The shape of the configuration, and a configuration as it is in force.

Contract: `schema` is what editors need (JSON Schema of the file); `effective` is the whole
configuration in the words of the file, defaults included, and never holds a secret: of those
only the place is known here.
"""

import json
from typing import Any

from waystation.app.faults import BARE_KEY
from waystation.app.parts import NAMED
from waystation.app.settings import Settings


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file."""
    described = Settings.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def effective(settings: Settings) -> dict[str, Any]:
    """Return ``settings`` as plain data; reading it back gives the same settings."""
    plain: dict[str, Any] = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain


def as_toml(settings: dict[str, Any]) -> str:
    """Return what `effective` gave as the text of a configuration file."""
    lines: list[str] = []
    for table, content in settings.items():
        if isinstance(content, list):
            for entry in content:
                lines += ["", f"[[{_key(table)}]]", *_pairs(entry)]
        elif table in NAMED:
            for name, entry in content.items():
                lines += ["", f"[{_key(table)}.{_key(name)}]", *_pairs(entry)]
        else:
            lines += ["", f"[{_key(table)}]", *_pairs(content)]
    return "\n".join(lines[1:])


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """A basic string of TOML is one of JSON, but for DEL; no surrogate pairs in either."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
