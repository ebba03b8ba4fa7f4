"""Destinations of which one is enough: ``[group.NAME]`` (R-42 to R-46)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from waystation.app.quantities import Duration
from waystation.app.settings_base import Flag, Name, Table, _as_tuple, complaint
from waystation.app.settings_dicom import Wait
from waystation.app.settings_schedule import WindowText


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise complaint("expected a number")
    return float(value)


def _not_negative(value: float) -> float:
    if not 0.0 <= value < float("inf"):
        raise complaint("expected a number of zero or more")
    return value


def _positive(value: float) -> float:
    if not 0.0 < value < float("inf"):
        raise complaint("expected a number above zero")
    return value


Cost = Annotated[float, AfterValidator(_not_negative), BeforeValidator(_number)]
Weight = Annotated[float, AfterValidator(_positive), BeforeValidator(_number)]


class MemberTable(Table):
    """One member of a group."""

    to: Name = Field(description="Name of a destination")
    window: WindowText = Field(
        default="always", description="by-time: when its turn is; hours, or the name of a schedule"
    )
    cost: Cost = Field(default=0.0, description="by-time: the lowest wins; ties go by order")
    weight: Weight = Field(default=1.0, description="balance: its share of the studies")


def _member(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


Members = Annotated[
    tuple[Annotated[MemberTable, BeforeValidator(_member)], ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"type": "string"}, MemberTable.model_json_schema()]},
        }
    ),
]


class GroupSettings(Table):
    """Several destinations, one of which takes each study."""

    strategy: Literal["failover", "by-time", "balance"] = Field(
        default="failover",
        description="failover: the first that is well; by-time: the cheapest whose turn it is; "
        "balance: spread by study",
    )
    members: Members = Field(
        description="Destinations in order of preference, by name or as "
        '{ to = "name", window = "Mon-Fri 08:00-19:59", cost = 4, weight = 1 }'
    )
    backup: Flag = Field(
        default=False,
        description="by-time: whether others step in while those whose turn it is are ill",
    )
    switch_after: Wait = Field(
        default=120.0, description="A member is ill once it has been away for so long"
    )
    return_after: Duration = Field(
        default=600.0, description="New studies come back after so long of unbroken health"
    )
    sticky_for: Duration = Field(
        default=86_400.0, description="A study stays with its member so long after its last object"
    )
    on_switch: Literal["whole-study", "remainder"] = Field(
        default="whole-study",
        description="whole-study: the next member also gets what the first one took; "
        "remainder: only the rest (two doors of one archive)",
    )
    sticky: Literal["study", "patient"] = Field(
        default="study",
        description="balance: what stays together; a patient goes by Patient ID alone",
    )
    send_anyway_after: Wait | None = Field(
        default=None, description="Whatever the turns, one is taken after so long; absent: never"
    )


def member_tables(raw: Any) -> list[tuple[int, str]]:
    """Return (position, name) of each member as written, as far as it can be read."""
    members = raw.get("members") if isinstance(raw, dict) else None
    found = []
    for position, entry in enumerate(members if isinstance(members, list) else []):
        name = entry.get("to") if isinstance(entry, dict) else entry
        if isinstance(name, str):
            found.append((position, name))
    return found
