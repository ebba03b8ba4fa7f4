"""The page ``docs/reference/configuration.md``, written from the models.

Contract: every key of the file appears with its kind, default and meaning, taken from the same
models that read the file.  ``python -m waystation.app.reference`` prints the page.
"""

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from waystation.app.parts import NAMED_TABLES
from waystation.app.quantities import duration_text, percent_text, size_text
from waystation.app.sentences import table_at
from waystation.app.settings import Settings
from waystation.app.settings_base import SecretSource, Table
from waystation.app.settings_dicom import PeerSettings
from waystation.app.settings_kinds import KINDS
from waystation.app.settings_rule import RuleSettings

HEAD = """# Configuration

<!-- Written from the models by `python -m waystation.app.reference`; do not edit. -->

One TOML file: `--config FILE`, else `./waystation.toml`, else `/etc/waystation/waystation.toml`.
Without any, a node starts on loopback with the defaults below and no rules.

- Unknown keys, wrong types and names that do not resolve are errors. `waystation check` prints all
  of them in one run, as `FILE:LINE table.key: what is wrong`.
- Durations and sizes carry their unit: `"500ms" "90s" "15m" "12h" "7d"`; `"512KiB" "64MiB" "5GB"`.
- Relative paths count from the folder of the file.
- A secret is given as `{ env = "NAME" }` or `{ file = "PATH" }`, never inline.
- Environment variables override the file: `WAYSTATION__DICOM__PORT=11113` sets `port` of `[dicom]`;
  in names of tables and rules `_` stands for `-` and for blanks.
"""
PATTERNS = {r"(ms|s|m|h|d)": "duration", r"GiB": "size", r"%": "share"}
COLUMNS = ("key", "kind", "default", "meaning")


def page() -> str:
    """Return the whole page."""
    lines = [HEAD]
    for field, info in Settings.model_fields.items():
        name = info.alias or field
        if name == "peer":
            lines += _section("[peer.NAME]", PeerSettings)
        elif name == "destination":
            for kind, model in KINDS.items():
                lines += _section(f'[destination.NAME] with kind = "{kind}"', model)
        elif name in NAMED_TABLES:
            lines += _section(f"[{name}.NAME]", NAMED_TABLES[name])
        elif name == "rule":
            lines += _section("[[rule]]", RuleSettings)
        else:
            lines += _section(f"[{name}]", info.annotation)
    return "\n".join(lines) + "\n"


def _words(words: frozenset[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))


def _section(title: str, model: Any) -> list[str]:
    assert issubclass(model, Table)
    summary = (model.__doc__ or "").strip().splitlines()[0]
    lines = [f"## `{title}`", "", summary, "", f"| {' | '.join(COLUMNS)} |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(model)]
    if model.later:
        lines += ["", f"Not available in this version: {_words(model.later)}."]
    return [*lines, ""]


def rows(model: type[Table], before: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, kind, default, meaning) of each key, tables inside it included."""
    properties = model.model_json_schema()["properties"]
    for field, info in model.model_fields.items():
        name = info.alias or field
        inner = table_at(model, (field,))
        meaning = (info.description or "").replace("|", "\\|")
        if inner is not None and issubclass(inner, Table) and _is_table(info):
            yield f"`{before}{name}`", "table", "", meaning
            yield from rows(inner, f"{before}{name}.")
        else:
            kind = _kind(info, properties[name])
            yield f"`{before}{name}`", kind, _default(name, info, properties[name]), meaning


def _is_table(info: FieldInfo) -> bool:
    """A secret is one value for the reader of the page, and ``send`` is a list."""
    plain = info.annotation in (SecretSource | None,)
    return not plain and get_origin(info.annotation) not in (tuple, dict)


def _kind(info: FieldInfo, described: dict[str, Any]) -> str:
    choices = _choices(info.annotation)
    if choices:
        return ", ".join(f'`"{choice}"`' for choice in choices)
    if info.annotation == SecretSource | None:
        return "secret"
    options = [option for option in described.get("anyOf", [described]) if option]
    return " or ".join(_word(option) for option in options if option.get("type") != "null")


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    for argument in get_args(annotation):
        if argument is not type(None) and _choices(argument):
            return _choices(argument)
    return ()


def _word(described: dict[str, Any]) -> str:
    for sign, word in PATTERNS.items():
        if sign in described.get("pattern", ""):
            return word
    if described.get("type") == "array":
        items = described.get("items", {})
        inner = _word(items) if "type" in items else "text"
        return f"list of {inner}{'' if inner == 'text' else 's'}"
    if described.get("type") == "integer":
        low, high = described.get("minimum"), described.get("maximum")
        return f"{low} to {high}" if high is not None else f"{low} or more"
    words = {"string": "text", "boolean": "true or false", "object": "table"}
    return words.get(described.get("type", ""), "table")


def _default(name: str, info: FieldInfo, described: dict[str, Any]) -> str:
    if info.is_required():
        return "required"
    if info.default is None:
        return ""
    return f"`{_written(info.get_default(call_default_factory=True), _word(described))}`"


def _written(value: Any, word: str) -> str:
    texts = {"duration": duration_text, "size": size_text, "share": percent_text}
    if isinstance(value, tuple):
        inner = word.removeprefix("list of ").removesuffix("s")
        return "[" + ", ".join(_written(item, inner) for item in value) + "]"
    if isinstance(value, dict):
        return "{}"
    if word in texts:
        return f'"{texts[word](value)}"'
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'


if __name__ == "__main__":
    sys.stdout.write(page())
