"""Conditions as they stand in the file: plain data that the rules package compiles."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from waystation.app.settings_base import complaint

WHEN_SCHEMA = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}


def _tables(value: object) -> object:
    tables = value if isinstance(value, list) else [value]
    if not all(isinstance(table, dict) for table in tables):
        raise complaint("expected a table, or a list of tables of which one must hold")
    return value


def _some(value: object) -> object:
    if not value:
        raise complaint("an empty condition would refuse everything: leave the key out")
    return value


When = Annotated[Any, BeforeValidator(_tables), WithJsonSchema(WHEN_SCHEMA)]
RefuseWhen = Annotated[
    Any, BeforeValidator(_some), BeforeValidator(_tables), WithJsonSchema(WHEN_SCHEMA)
]
