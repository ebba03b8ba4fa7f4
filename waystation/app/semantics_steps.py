"""Steps whose names do not resolve, tables that cannot be read, locks that let nothing through.

Contract: a name that is nowhere is a problem; a file that is missing or broken is a warning, as
it may come while the node runs: what needs it is held until then (R-67).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.places import secret_problems
from waystation.app.settings_archive import ArchiveDestination
from waystation.app.settings_base import Secret
from waystation.app.settings_rule import RuleSettings, sends_of
from waystation.app.settings_steps import EditSettings, LookupSettings, ValidateSettings

ARCHIVE = "archive"
STEPS = ("validate", "edit", "deidentify")


def steps(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with the steps of rules."""
    for position, raw in enumerate(parts.raw_rules()):
        yield from _names(parts, raw, ("rule", position))
        yield from _archived(parts, raw, ("rule", position))
    for position, rule in enumerate(parts.rules):
        if rule is not None:
            yield from _edits(parts, rule.edit, ("rule", position, "edit"), environ)
    for name, table in parts.named.get("edit", {}).items():
        if isinstance(table, EditSettings):
            yield from _edits(parts, table.steps, ("edit", name, "steps"), environ)
    yield from _validations(parts)
    yield from _tables(parts)
    yield from _unused(parts)
    yield from _locked(parts)


def _table_names(parts: Parts, table: str) -> list[str]:
    raw = parts.document.get(table)
    return list(raw) if isinstance(raw, Mapping) else []


def _texts(value: object) -> list[tuple[int, str]]:
    entries = value if isinstance(value, list) else []
    return [(place, entry) for place, entry in enumerate(entries) if isinstance(entry, str)]


def _names(parts: Parts, raw: Mapping[str, Any], at: Path) -> Iterator[Problem]:
    for key in ("validate", "edit"):
        known = _table_names(parts, key)
        for place, name in _texts(raw.get(key)):
            if name not in known:
                text = f"no [{key}.{name}]{closest(name, known)}"
                yield Problem(path=(*at, key, place), text=text)
    profile = raw.get("deidentify")
    known = _table_names(parts, "deidentify")
    if isinstance(profile, str) and profile not in known:
        text = f"no [deidentify.{profile}]{closest(profile, known)}"
        yield Problem(path=(*at, "deidentify"), text=text)


def _archived(parts: Parts, raw: Mapping[str, Any], at: Path) -> Iterator[Problem]:
    """The archive keeps the very bytes that came."""
    archives = {ARCHIVE} | {
        name for name, table in parts.destinations.items() if isinstance(table, ArchiveDestination)
    }
    for inside, name in sends_of(raw) if raw.get("edit") or raw.get("deidentify") else ():
        if name in archives:
            text = "the archive keeps objects as they came: send to it by a rule that edits nothing"
            yield Problem(path=(*at, *inside), text=text)
    if any(raw.get(key) for key in STEPS) and "then" in raw and "send" not in raw:
        yield Problem(
            path=(*at, "then"),
            text="nothing is sent: validate, edit and deidentify do nothing here",
        )


def _edits(
    parts: Parts, edits: tuple[Any, ...], at: Path, environ: Mapping[str, str]
) -> Iterator[Problem]:
    known = _table_names(parts, "lookup")
    for place, edit in enumerate(edits):
        if not isinstance(edit, Mapping):
            continue
        here: Path = (*at, place)
        name = edit.get("lookup")
        if isinstance(name, str):
            if name not in known:
                text = f"no [lookup.{name}]{closest(name, known)}"
                yield Problem(path=(*here, "lookup"), text=text)
            else:
                yield from _columns(parts, name, edit.get("to", {}), (*here, "to"))
        if "new_uids" in edit and isinstance(edit.get("key"), Mapping):
            secret = Secret.model_validate(dict(edit["key"]))
            yield from secret_problems(secret, (*here, "key"), environ)


def _columns(parts: Parts, name: str, wanted: Mapping[str, Any], at: Path) -> Iterator[Problem]:
    """Columns that the table does not have, as far as it can be read now."""
    from waystation.transforms.lookup import LookupTable

    table = _read(parts, name)
    if isinstance(table, LookupTable):
        for path, column in wanted.items():
            if column not in table.columns:
                text = f'[lookup.{name}] has no column "{column}"{closest(column, table.columns)}'
                yield Problem(path=(*at, path), text=text)


def _validations(parts: Parts) -> Iterator[Problem]:
    known = _table_names(parts, "lookup")
    for name, table in parts.named.get("validate", {}).items():
        if not isinstance(table, ValidateSettings) or table.table is None:
            continue
        at: Path = ("validate", name)
        if table.table not in known:
            text = f"no [lookup.{table.table}]{closest(table.table, known)}"
            yield Problem(path=(*at, "table"), text=text)
            continue
        compared = table.compare if isinstance(table.compare, Mapping) else {}
        wanted = {
            path: entry if isinstance(entry, str) else entry.get("column", "")
            for path, entry in compared.items()
        }
        yield from _columns(parts, table.table, wanted, (*at, "compare"))


def _read(parts: Parts, name: str) -> object:
    """Return the table, what is wrong with its file, or None if its settings are wrong."""
    from waystation.app.wiring_steps import table_files
    from waystation.flows.tables import read_file
    from waystation.transforms.lookup import TableError

    settings = parts.named.get("lookup", {}).get(name)
    if not isinstance(settings, LookupSettings):
        return None
    file = table_files({name: settings})[name]
    try:
        return read_file(file)
    except TableError as error:
        return f"{file.path}:{error.line} {error.problem}"
    except OSError as error:
        return f"{file.path}: {error.strerror}"


def _tables(parts: Parts) -> Iterator[Problem]:
    for name in parts.named.get("lookup", {}):
        found = _read(parts, name)
        if isinstance(found, str):
            text = f"{found}: what needs this table is held until it can be read"
            yield Problem(path=("lookup", name, "file"), text=text, warning=True)


def _unused(parts: Parts) -> Iterator[Problem]:
    rules = [rule for rule in parts.rules if isinstance(rule, RuleSettings)]
    used = {
        "validate": {name for rule in rules for name in rule.validate_},
        "edit": {entry for rule in rules for entry in rule.edit if isinstance(entry, str)},
    }
    for key, names in used.items():
        for name in parts.named.get(key, {}):
            if name not in names:
                yield Problem(path=(key, name), text="no rule uses it", warning=True)


def _locked(parts: Parts) -> Iterator[Problem]:
    """Rules without de-identification to destinations that take nothing else (R-69)."""
    locked = {
        name for name, table in parts.destinations.items() if table and table.only_deidentified
    }
    for position, raw in enumerate(parts.raw_rules()):
        if raw.get("deidentify"):
            continue
        for inside, name in sends_of(raw):
            if name in locked:
                text = f"{name} takes only what is de-identified: all of this is held there"
                yield Problem(path=("rule", position, *inside), text=text, warning=True)
