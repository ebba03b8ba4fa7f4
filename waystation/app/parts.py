"""The tables of the document, each validated by itself, so that one fault hides no other.

Contract: `validate` returns what could be read and every problem of what could not.  A table
that is wrong is None; its name still counts when other tables refer to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.sentences import problems_of, type_word
from waystation.app.settings import Settings
from waystation.app.settings_archive import ArchiveDestination, ArchiveSettings
from waystation.app.settings_base import Table
from waystation.app.settings_deidentify import DeidentifySettings
from waystation.app.settings_destination import DestinationSettings
from waystation.app.settings_dicom import PeerSettings
from waystation.app.settings_group import GroupSettings
from waystation.app.settings_inbox import InboxSettings
from waystation.app.settings_kinds import KINDS
from waystation.app.settings_pacs import PacsSettings
from waystation.app.settings_rule import RuleSettings
from waystation.app.settings_schedule import ScheduleSettings
from waystation.app.settings_steps import EditSettings, LookupSettings, ValidateSettings
from waystation.app.settings_watch import ReportTable

Model = TypeVar("Model", bound=Table)
# Tables with names of their own, like [schedule.night], that have one model each.
NAMED_TABLES: dict[str, type[Table]] = {
    "schedule": ScheduleSettings,
    "inbox": InboxSettings,
    "group": GroupSettings,
    "report": ReportTable,
    "validate": ValidateSettings,
    "edit": EditSettings,
    "lookup": LookupSettings,
    "deidentify": DeidentifySettings,
    "pacs": PacsSettings,
}
NAMED = {"peer", "destination", *NAMED_TABLES}


@dataclass(slots=True)
class Parts:
    """What was read so far.  named: table → name → what was read of `NAMED_TABLES`."""

    document: Mapping[str, Any]
    single: dict[str, Table] = field(default_factory=dict)
    peers: dict[str, PeerSettings | None] = field(default_factory=dict)
    destinations: dict[str, DestinationSettings | None] = field(default_factory=dict)
    named: dict[str, dict[str, Table | None]] = field(default_factory=dict)
    rules: list[RuleSettings | None] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def raw_rules(self) -> list[Mapping[str, Any]]:
        """Return the rules as they are written; what is no table counts as an empty one."""
        rules = self.document.get("rule")
        entries = rules if isinstance(rules, list) else []
        return [entry if isinstance(entry, dict) else {} for entry in entries]

    def _ways_out(self) -> Mapping[str, DestinationSettings | None]:
        """Return the destinations; the archive needs no table."""
        table = self.single.get("archive")
        taken = {*self.destinations, *self.named.get("group", {})}
        if not isinstance(table, ArchiveSettings) or not table.enabled or "archive" in taken:
            return self.destinations
        return {**self.destinations, "archive": ArchiveDestination(kind="archive")}

    def settings(self) -> Settings:
        """Return the whole.  Only when nothing was wrong."""
        return Settings.model_validate(
            {
                **self.single,
                "peer": self.peers,
                "destination": self._ways_out(),
                **self.named,
                "rule": tuple(self.rules),
            }
        )


def validate(document: Mapping[str, Any], context: Mapping[str, Any]) -> Parts:
    """Return every table of ``document`` as its model, and all problems.

    context: ``folder``, which relative paths count from.
    """
    parts = Parts(document)
    parts.problems += _unknown_tables(document)
    for name, info in Settings.model_fields.items():
        if (info.alias or name) in NAMED or name == "rule":
            continue
        model = info.annotation
        assert isinstance(model, type)
        assert issubclass(model, Table)
        read = _read(model, document.get(name, {}), (name,), context, parts.problems)
        if read is not None:
            parts.single[name] = read
    for name, raw in _entries(document, "peer", parts.problems):
        parts.peers[name] = _read(PeerSettings, raw, ("peer", name), context, parts.problems)
    for name, raw in _entries(document, "destination", parts.problems):
        parts.destinations[name] = _destination(name, raw, context, parts.problems)
    for table, model in NAMED_TABLES.items():
        parts.named[table] = {
            name: _read(model, raw, (table, name), context, parts.problems)
            for name, raw in _entries(document, table, parts.problems)
        }
    _rules(document, context, parts)
    return parts


def _unknown_tables(document: Mapping[str, Any]) -> list[Problem]:
    known = [info.alias or name for name, info in Settings.model_fields.items()]
    found = []
    for key in document:
        if key not in known:
            found.append(Problem(path=(key,), text=f'unknown table "{key}"{closest(key, known)}'))
    return found


def _read(
    model: type[Model], raw: Any, at: Path, context: Mapping[str, Any], problems: list[Problem]
) -> Model | None:
    if not isinstance(raw, dict):
        problems.append(Problem(path=at, text=f"expected a table, got {type_word(raw)}"))
        return None
    try:
        return model.model_validate(raw, context=dict(context))
    except ValidationError as error:
        problems += problems_of(error, model, at)
        return None


def _entries(
    document: Mapping[str, Any], table: str, problems: list[Problem]
) -> list[tuple[str, Any]]:
    raw = document.get(table, {})
    if isinstance(raw, dict):
        return list(raw.items())
    problems.append(
        Problem(path=(table,), text=f"expected tables like [{table}.NAME], got {type_word(raw)}")
    )
    return []


def _destination(
    name: str, raw: Any, context: Mapping[str, Any], problems: list[Problem]
) -> DestinationSettings | None:
    at: Path = ("destination", name)
    kind = raw.get("kind") if isinstance(raw, dict) else "dicom"
    if isinstance(kind, str) and kind in KINDS:
        return _read(KINDS[kind], raw, at, context, problems)
    choices = " or ".join(f'"{known}"' for known in KINDS)
    if "kind" not in raw:
        problems.append(Problem(path=(*at, "kind"), text=f"is missing; expected {choices}"))
    elif not isinstance(kind, str):
        text = f"expected {choices}, got {type_word(kind)}"
        problems.append(Problem(path=(*at, "kind"), text=text))
    else:
        text = f"expected {choices}{closest(kind, KINDS)}"
        problems.append(Problem(path=(*at, "kind"), text=text))
    return None


def _rules(document: Mapping[str, Any], context: Mapping[str, Any], parts: Parts) -> None:
    raw = document.get("rule", [])
    if not isinstance(raw, list):
        text = f"expected rules, each under [[rule]], got {type_word(raw)}"
        parts.problems.append(Problem(path=("rule",), text=text))
        return
    for position, entry in enumerate(raw):
        at: Path = ("rule", position)
        parts.rules.append(_read(RuleSettings, entry, at, context, parts.problems))
