"""What goes where: ``[[rule]]`` and ``[routing]``.

Conditions and expressions stay plain data here; the rules package compiles them and says what is
wrong with them.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from waystation.app.lines import Path
from waystation.app.settings_base import Flag, Name, Names, Table, _as_tuple, complaint
from waystation.app.settings_dicom import Wait
from waystation.app.settings_steps import EditsOrNames
from waystation.app.settings_when import When

PRIORITIES = ("stat", "normal", "low")
# Keys that say how a rule gathers; all but these are for every rule.
GATHERING = ("take", "if_complete", "late", "late_whole_within", "force_after", "on_force")


class SendTo(Table):
    """One way out of a rule."""

    to: Name = Field(description="Name of a destination or group")
    required: Flag = Field(default=True, description="False: an optional second target")


def _send_to(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


def _priority(value: object) -> object:
    if isinstance(value, str) and value in PRIORITIES:
        return value
    table = value if isinstance(value, dict) else {}
    if table and set(table) <= {"stat", "low"} and all(isinstance(x, str) for x in table.values()):
        return value
    raise complaint(
        'expected "stat", "normal" or "low", or { stat = "EXPRESSION", low = "EXPRESSION" }'
    )


Sends = Annotated[
    tuple[Annotated[SendTo, BeforeValidator(_send_to)], ...],
    BeforeValidator(_as_tuple),
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {
                            "to": {"type": "string"},
                            "required": {"type": "boolean"},
                        },
                        "required": ["to"],
                        "additionalProperties": False,
                    },
                ]
            },
        }
    ),
]
Priority = Annotated[
    Any,
    BeforeValidator(_priority),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": list(PRIORITIES)},
                {
                    "type": "object",
                    "properties": {"stat": {"type": "string"}, "low": {"type": "string"}},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class RuleSettings(Table):
    """One rule; rules are tried in the order of the file and every match counts."""

    name: Name = Field(description="Shown in plans, logs and the console; unique")
    enabled: Flag = Field(default=True, description="False skips the rule")
    when: When = Field(
        default=None,
        description="Conditions that must all hold, or a list of such tables; absent means always",
    )
    if_: Name | None = Field(
        default=None, alias="if", description="An expression that must hold as well as when"
    )
    send: Sends = Field(default=(), description="Names of destinations and groups")
    validate_: Names = Field(
        default=(),
        alias="validate",
        description="Names of [validate.NAME]: checks, made first of all",
    )
    edit: EditsOrNames = Field(
        default=(),
        description='What is changed then: edits like { set = "InstitutionName", to = "St Mary" } '
        "and names of [edit.NAME]",
    )
    deidentify: Name | None = Field(
        default=None, description="Name of the [deidentify.NAME] that is always last"
    )
    stop: Flag = Field(default=False, description="After a match, later rules are not tried")
    then: Literal["hold", "discard", "archive"] | None = Field(
        default=None, description="Fate of what matches a rule without send"
    )
    priority: Priority = Field(
        default="normal",
        description='Place in the queue: "stat", "normal" or "low", or by expression: '
        '{ stat = "...", low = "..." }',
    )
    trigger: Literal["instance", "series", "study"] = Field(
        default="instance",
        description="What is sent as one: each instance by itself, or what a series or study "
        "has gathered once it is complete",
    )
    take: Literal["matching", "whole"] | None = Field(
        default=None,
        description='With a trigger: what matched ("matching", the default), or all of the '
        'series or study once one object matched ("whole")',
    )
    if_complete: Name | None = Field(
        default=None,
        description="With a trigger: an expression over study.instances and its like, asked once "
        "at completion; what it refuses is not sent",
    )
    late: Literal["delta", "whole", "hold"] | None = Field(
        default=None,
        description='With a trigger: what came after completion: only that ("delta", the default), '
        "all again, or hold it",
    )
    late_whole_within: Wait | None = Field(
        default=None, description="With a trigger: how long late = whole applies; default is 24h"
    )
    force_after: Wait | None = Field(
        default=None, description="With a trigger: instead of completeness.force_after"
    )
    on_force: Literal["send", "hold"] | None = Field(
        default=None, description="With a trigger: instead of completeness.on_force"
    )

    def table(self) -> dict[str, Any]:
        """Return the rule as `waystation.rules.read` takes it; durations in seconds."""
        said: dict[str, Any] = {
            "name": self.name,
            "enabled": self.enabled,
            "stop": self.stop,
            "priority": self.priority,
            "trigger": self.trigger,
        }
        if self.when:
            said["when"] = self.when
        if self.if_:
            said["if"] = self.if_
        if self.send:
            said["send"] = [{"to": way.to, "required": way.required} for way in self.send]
        if self.then:
            said["then"] = self.then
        said.update((key, getattr(self, key)) for key in self.gathering_keys())
        return said

    def gathering_keys(self) -> list[str]:
        """Return the keys of `GATHERING` that the rule states."""
        return [key for key in GATHERING if getattr(self, key) is not None]


class RoutingSettings(Table):
    """What happens to objects that no rule takes."""

    otherwise: Literal["hold", "refuse", "discard", "archive"] = Field(
        default="hold", description="No rule matched: hold, refuse (0124H), discard, or archive"
    )


def sends_of(rule: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    """Yield each destination name in ``send`` as written, with its path inside the rule."""
    send = rule.get("send")
    for position, entry in enumerate(send if isinstance(send, list) else []):
        inside: Path = ("send", position)
        if isinstance(entry, dict):
            entry, inside = entry.get("to"), (*inside, "to")
        if isinstance(entry, str):
            yield inside, entry
