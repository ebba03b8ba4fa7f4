"""What goes where: ``[[rule]]`` and ``[routing]``.

``when`` stays plain data here; the rules package compiles it and says what is wrong with it.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from waystation.app.settings_base import Flag, Name, Table, _as_tuple, complaint

WHEN_SCHEMA = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}


class SendTo(Table):
    """One way out of a rule."""

    to: Name = Field(description="Name of a destination")
    required: Flag = Field(default=True, description="False: an optional second target")


def _send_to(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


def _tables(value: object) -> object:
    tables = value if isinstance(value, list) else [value]
    if not all(isinstance(table, dict) for table in tables):
        raise complaint("expected a table, or a list of tables of which one must hold")
    return value


def _instance_only(value: object) -> object:
    if value != "instance":
        raise complaint('only "instance" is available in this version')
    return value


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


class RuleSettings(Table):
    """One rule; rules are tried in the order of the file and every match counts."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "if",
            "edit",
            "validate",
            "deidentify",
            "take",
            "if_complete",
            "late",
            "late_whole_within",
            "force_after",
            "on_force",
        }
    )

    name: Name = Field(description="Shown in plans, logs and the console; unique")
    enabled: Flag = Field(default=True, description="False skips the rule")
    when: Annotated[Any, BeforeValidator(_tables), WithJsonSchema(WHEN_SCHEMA)] = Field(
        default=None,
        description="Conditions that must all hold, or a list of such tables; absent means always",
    )
    send: Sends = Field(default=(), description="Names of destinations")
    stop: Flag = Field(default=False, description="After a match, later rules are not tried")
    then: Literal["hold", "discard", "archive"] | None = Field(
        default=None, description="Fate of what matches a rule without send"
    )
    priority: Literal["stat", "normal", "low"] = Field(
        default="normal", description="Place in the queue"
    )
    trigger: Annotated[Literal["instance"], BeforeValidator(_instance_only)] = Field(
        default="instance", description="What is planned as one: each instance by itself"
    )

    def table(self) -> dict[str, Any]:
        """Return the rule as `waystation.rules.read` takes it."""
        said: dict[str, Any] = {
            "name": self.name,
            "enabled": self.enabled,
            "stop": self.stop,
            "priority": self.priority,
        }
        if self.when:
            said["when"] = self.when
        if self.send:
            said["send"] = [way.to for way in self.send]
        if self.then:
            said["then"] = self.then
        return said


class RoutingSettings(Table):
    """What happens to objects that no rule takes."""

    otherwise: Literal["hold", "refuse", "discard", "archive"] = Field(
        default="hold", description="No rule matched: hold, refuse (0124H), discard, or archive"
    )
