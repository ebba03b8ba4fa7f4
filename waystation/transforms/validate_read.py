"""One ``[validate.NAME]`` as it stands in a configuration, compiled.

Contract: ValueError with one sentence that says what to write instead.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import re2

from waystation.dicom.paths import parse_path
from waystation.transforms.edit_limits import path_refusal
from waystation.transforms.edit_read import REGEX_LIMIT_BYTES
from waystation.transforms.edit_template import read_key
from waystation.transforms.validate import (
    ACTIONS,
    BY,
    CORRECT,
    CSV,
    EARLIER,
    OF_ENTRY,
    PASS,
    PATTERN,
    PERSON,
    REJECT,
    SOURCES,
    TAG,
    WORKLIST,
    Action,
    Compared,
    Validation,
)
from waystation.transforms.validate_names import (
    EXACT,
    MOST_ERRORS,
    PN,
    Same,
    nearly_same,
    same_exactly,
    same_name,
)
from waystation.transforms.validate_numbers import CHECKS

KINDS = {"on_mismatch": "mismatch", "on_unknown": "unknown", "on_source_down": "source-down"}


def read_validation(name: str, said: Mapping[str, Any]) -> Validation:
    """Return the validation.  Raises ValueError."""
    source = said.get("source", PATTERN)
    if source not in SOURCES:
        raise ValueError(f"expected source = one of {', '.join(SOURCES)}")
    made = Validation(
        name=name,
        source=source,
        patterns=tuple(_pattern(path, text) for path, text in said.get("patterns", {}).items()),
        checks=tuple(_check(path, word) for path, word in said.get("check", {}).items()),
        required=tuple(_element(path) for path in said.get("required", ())),
        table=said.get("table", ""),
        key=read_key(said.get("key", "PatientID")) if source == CSV else None,
        by=_by(said.get("key")) if source == WORKLIST else (),
        compare=_compare(source, said.get("compare")),
        actions={
            kind: _action(said[key], key, source) for key, kind in KINDS.items() if key in said
        },
        digest=_digest(said),
    )
    if source == CSV and not made.table:
        raise ValueError('needs the table: table = "NAME" of a [lookup.NAME]')
    if source != CSV and made.table:
        raise ValueError('table is only for source = "csv"')
    if source == PATTERN and not (made.patterns or made.checks or made.required):
        raise ValueError("checks nothing: add patterns, check or required")
    return made


def _digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _element(path: object) -> str:
    if not isinstance(path, str):
        raise ValueError(f"expected the name of an element, got {path!r}")
    parse_path(path)
    return path


def _pattern(path: str, text: object) -> tuple[str, Callable[[str], object]]:
    if not isinstance(text, str) or not text:
        raise ValueError(f"{_element(path)}: expected a regular expression as text")
    if len(text.encode("utf-8", "replace")) > REGEX_LIMIT_BYTES:
        raise ValueError(f"{path}: a regular expression has at most {REGEX_LIMIT_BYTES} bytes")
    options = re2.Options()
    options.log_errors = False
    try:
        return _element(path), re2.compile(text, options).fullmatch
    except re2.error as error:
        raise ValueError(f"{path}: this is no regular expression") from error


def _check(path: str, word: object) -> tuple[str, str, Callable[[str], bool]]:
    if not isinstance(word, str) or word not in CHECKS:
        raise ValueError(f"{path}: expected one of {', '.join(CHECKS)}")
    return _element(path), word, CHECKS[word]


def _by(said: object) -> tuple[str, ...]:
    if said is None:
        return BY
    if said not in BY:
        raise ValueError(f"expected key = one of {', '.join(BY)}")
    return (str(said),)


def _compare(source: str, said: object) -> tuple[Compared, ...]:
    if source == PATTERN:
        if said:
            raise ValueError('compare needs a source: "csv", "earlier" or "worklist"')
        return ()
    if source in (EARLIER, WORKLIST):
        known = PERSON if source == EARLIER else OF_ENTRY
        usual = PERSON if source == EARLIER else ("PatientID", *PERSON)
        wanted = usual if said is None else said
        entries = dict.fromkeys(wanted) if isinstance(wanted, Sequence) else wanted
        if not isinstance(entries, Mapping) or set(entries) - set(known):
            raise ValueError(f"expected compare to name some of {', '.join(known)}")
        return tuple(_compared(path, entry or {}, csv=False) for path, entry in entries.items())
    if said is None:
        return ()
    if not isinstance(said, Mapping):
        raise ValueError('expected compare = { PatientName = "column" }')
    return tuple(_compared(path, entry, csv=True) for path, entry in said.items())


def _compared(path: str, entry: object, *, csv: bool) -> Compared:
    table = {"column": entry} if isinstance(entry, str) and csv else entry
    known = {"how", "errors"} | ({"column"} if csv else set())
    if not isinstance(table, Mapping) or set(table) - known:
        raise ValueError(f"{path}: expected {{ {', '.join(sorted(known))} }}")
    column = table.get("column", "")
    if csv and (not isinstance(column, str) or not column):
        raise ValueError(f"{path}: needs the column that it is compared with")
    how = table.get("how", PN if path == "PatientName" else EXACT)
    return Compared(
        path=_element(path), same=_same(path, how, table.get("errors", 0)), column=column
    )


def _same(path: str, how: object, most: object) -> Same:
    if how not in (EXACT, PN):
        raise ValueError(f'{path}: expected how = "exact" or "pn"')
    if isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= MOST_ERRORS:
        raise ValueError(f"{path}: expected errors = 0 to {MOST_ERRORS} typing errors")
    if most:
        if how == EXACT:
            raise ValueError(f'{path}: typing errors are for how = "pn"')
        return nearly_same(most)
    return same_name if how == PN else same_exactly


def _action(said: object, key: str, source: str) -> Action:
    if isinstance(said, Mapping):
        tag, text = said.get("tag"), said.get("text")
        if set(said) != {"tag", "text"} or not isinstance(tag, str) or not isinstance(text, str):
            raise ValueError(f'{key}: expected {{ tag = "PatientComments", text = "..." }}')
        if why := path_refusal(tag):
            raise ValueError(f"{key}: {why}")
        return Action(do=TAG, tag=tag, text=text)
    words = [word for word in ACTIONS if word != TAG]
    if said not in words:
        raise ValueError(f"{key}: expected one of {', '.join(words)}, or {{ tag, text }}")
    if said == CORRECT and (source == PATTERN or key != "on_mismatch"):
        raise ValueError(f"{key}: nothing to correct it from; expected hold, reject or {PASS}")
    if said == REJECT and key == "on_source_down":
        raise ValueError(f"{key}: a source that is down says nothing about the object; write hold")
    return Action(do=str(said))
