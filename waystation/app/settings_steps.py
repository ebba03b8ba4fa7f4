"""What is done to an object on its way: ``[edit.NAME]``, ``[lookup.NAME]``, ``[validate.NAME]``.

Contract: what an edit or a validation means is decided by `waystation.transforms`; here its
sentences become complaints with a place.  A table's file is not opened here.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from waystation.app.settings_base import Name, Names, PathText, Table, _as_tuple, complaint

EDIT_SCHEMA = {"type": "object"}
ACTION_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "object"}]}


def _edit(value: object, info: ValidationInfo) -> object:
    """Return one edit, its key file counted from the folder of the configuration."""
    from waystation.transforms.edit_read import read_edit

    if not isinstance(value, dict):
        raise complaint('expected an edit, like { set = "InstitutionName", to = "St Mary" }')
    said = _placed(value, info)
    try:
        read_edit(said)
    except ValueError as error:
        raise complaint(str(error)) from error
    return said


def _placed(said: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    key = said.get("key")
    if "new_uids" not in said or not isinstance(key, dict) or not isinstance(key.get("file"), str):
        return said
    folder = (info.context or {}).get("folder", Path.cwd())
    place = os.path.normpath(Path(folder) / Path(key["file"]))
    return said | {"key": key | {"file": place}}


def _edit_or_name(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        if not value:
            raise complaint("expected the name of an [edit.NAME], or an edit")
        return value
    return _edit(value, info)


def _missing(value: object) -> object:
    from waystation.transforms.edit_read import read_missing

    try:
        read_missing(value)
    except ValueError as error:
        raise complaint(str(error)) from error
    return value


def _table(value: object) -> object:
    if not isinstance(value, Mapping):
        raise complaint("expected a table")
    return value


Edits = Annotated[
    tuple[Annotated[Any, BeforeValidator(_edit), WithJsonSchema(EDIT_SCHEMA)], ...],
    BeforeValidator(_as_tuple),
]
EditsOrNames = Annotated[
    tuple[
        Annotated[
            Any,
            BeforeValidator(_edit_or_name),
            WithJsonSchema({"anyOf": [{"type": "string"}, EDIT_SCHEMA]}),
        ],
        ...,
    ],
    BeforeValidator(_as_tuple),
]
Missing = Annotated[Any, BeforeValidator(_missing), WithJsonSchema(ACTION_SCHEMA)]
Free = Annotated[Any, WithJsonSchema(ACTION_SCHEMA)]
FreeTable = Annotated[Any, BeforeValidator(_table), WithJsonSchema({"type": "object"})]
Compare = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "string"}}]}),
]


class EditSettings(Table):
    """Edits with a name, for rules that do the same."""

    steps: Annotated[Edits, Field(min_length=1)] = Field(
        description="The edits, carried out in this order; see the page about editing"
    )


class LookupSettings(Table):
    """A table that values are looked up in: a CSV file, UTF-8, with a header row."""

    file: PathText = Field(
        description="The file; it is read again when it changes, and while it is not a whole "
        "table the last good one stays in force"
    )
    key: Name | None = Field(default=None, description="Column of the key; default is the first")
    missing: Missing = Field(
        default="hold",
        description='What becomes of an object without a row: "hold", "keep" (the value it has), '
        '"empty", or { value = "..." }',
    )


class ValidateSettings(Table):
    """A check of each object before anything is changed."""

    source: Literal["pattern", "csv", "earlier", "worklist"] = Field(
        default="pattern",
        description="What it is compared with: nothing but itself (pattern), a list (csv), what "
        "was received before under the same Patient ID and in the same study (earlier), or the "
        "node's own worklist (worklist)",
    )
    required: Names = Field(default=(), description="Elements that must have a value")
    patterns: FreeTable = Field(
        default_factory=dict,
        description="Element and regular expression that each of its values must match as a whole",
    )
    check: FreeTable = Field(
        default_factory=dict,
        description="Element and kind of check digit: luhn, mod11 or nhs",
    )
    table: Name | None = Field(default=None, description="With csv: name of a [lookup.NAME]")
    key: Name | None = Field(
        default=None,
        description="With csv: element or template that finds the row; PatientID. With worklist: "
        "StudyInstanceUID, AccessionNumber or PatientID; without it the first of them that "
        "finds a step",
    )
    compare: Compare = Field(
        default=None,
        description='What is compared: { PatientName = "column" }, or { column, how = "exact" or '
        '"pn", errors = 1 }; with earlier or worklist a list of PatientName, PatientBirthDate, '
        "PatientSex, with worklist also PatientID, AccessionNumber, StudyInstanceUID",
    )
    on_mismatch: Free = Field(
        default="hold",
        description='What to do: "hold", "reject" (C001H before the object is taken), "correct" '
        '(take the values of the source), "pass", or { tag = "PatientComments", text = "..." }',
    )
    on_unknown: Free = Field(default="hold", description="The same where the source has no entry")
    on_source_down: Free = Field(
        default="hold",
        description="The same while the source cannot be asked; what is held for it is tried "
        "again every minute",
    )

    def said(self) -> dict[str, Any]:
        """Return it as `waystation.transforms.validate_read` takes it."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if value not in (None, (), {})}

    @model_validator(mode="after")
    def _usable(self) -> Self:
        from waystation.transforms.validate_read import read_validation

        try:
            read_validation("", self.said())
        except ValueError as error:
            raise complaint(str(error)) from error
        return self
