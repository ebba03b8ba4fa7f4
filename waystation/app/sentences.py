"""What pydantic found, said for an operator.

Contract: each validation error becomes one `Problem`.  Values are quoted only where they are
numbers outside a range; a value that may be a secret is never repeated.
"""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.settings_base import Table

NOT_YET = "not available in this version"
TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
NUMBER_RANGES = {"greater_than_equal", "less_than_equal"}


def problems_of(error: ValidationError, model: type[BaseModel], at: Path) -> Iterator[Problem]:
    """Yield one problem for each thing that ``model``, validated at path ``at``, found wrong."""
    for details in error.errors(include_url=False):
        inside: Path = details["loc"]
        yield Problem(path=at + inside, text=sentence(details, model))


def sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what is wrong, without its address."""
    kind, inside, value = details["type"], details["loc"], details["input"]
    context = details.get("ctx", {})
    if kind == "sentence":
        return str(context["text"])
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_key(str(inside[-1]), table_at(model, inside[:-1]))
    if kind in TYPES:
        return f"expected {TYPES[kind]}, got {type_word(value)}"
    if kind == "literal_error":
        return f"expected {choices(str(context['expected']))}"
    if kind in NUMBER_RANGES:
        return f"expected {_range(model, inside)}, got {value}"
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    return "is not valid here"


def _unknown_key(key: str, table: type[BaseModel] | None) -> str:
    if table is None:
        return "unknown key"
    if issubclass(table, Table) and key in table.later:
        return f'"{key}" is {NOT_YET}'
    return f'unknown key "{key}"{closest(key, _keys(table))}'


def _keys(table: type[BaseModel]) -> list[str]:
    """Return the keys of a table as the file writes them."""
    return [info.alias or name for name, info in table.model_fields.items()]


def type_word(value: object) -> str:
    """Return what TOML calls the type of ``value``."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float):
        return "a decimal number"
    if isinstance(value, int):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | tuple):
        return "a list"
    return "a table" if isinstance(value, dict) else "a date or time"


def choices(expected: str) -> str:
    """Return pydantic's list of literals with double quotes, as the file writes them."""
    return expected.replace("'", '"')


def _range(model: type[BaseModel], inside: Path) -> str:
    """Return the range of an integer field: ``1 to 65535`` or ``at least 1``."""
    table = table_at(model, inside[:-1])
    field = table.model_fields.get(str(inside[-1])) if table else None
    metadata = list(field.metadata) if field else []
    for argument in get_args(field.annotation) if field else ():
        metadata += getattr(argument, "__metadata__", ())
    low = _bound(metadata, "ge")
    high = _bound(metadata, "le")
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else "another number"


def _bound(metadata: list[Any], name: str) -> int | None:
    for item in metadata:
        for part in (item, *getattr(item, "metadata", ())):
            if getattr(part, name, None) is not None:
                return int(getattr(part, name))
    return None


def table_at(model: type[BaseModel], inside: Path) -> type[BaseModel] | None:
    """Return the model of the table at ``inside`` of ``model``, if it is a fixed one."""
    table: type[BaseModel] | None = model
    for part in inside:
        if isinstance(part, int) or table is None:
            continue
        field = table.model_fields.get(part)
        table = _model_in(field.annotation) if field else None
    return table


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found:
            return found
    return None
