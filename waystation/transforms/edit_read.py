"""One edit as it stands in a configuration, read into an operation.

Contract: `read_edit` takes one inline table and gives the `Edit`, or raises ValueError with one
sentence that says what to write.  Everything that does not depend on the object is decided here:
paths, patterns, templates, what may not be edited at all, and values that can never fit.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import re2

from waystation.dicom import tags
from waystation.dicom.paths import parse_path
from waystation.dicom.tree import Tree
from waystation.transforms.edit import (
    AeTitles,
    Copy,
    Edit,
    Lookup,
    NewUids,
    Remove,
    Rework,
    SetTo,
)
from waystation.transforms.edit_limits import path_refusal, refusal
from waystation.transforms.edit_paths import is_pattern, pattern
from waystation.transforms.edit_template import Template, read_key, read_template
from waystation.transforms.edit_values import encoded
from waystation.transforms.held import HeldError
from waystation.transforms.lookup import EMPTY, HOLD, KEEP

REGEX_LIMIT_BYTES = 1024
_GROUP = re2.compile(r"\\([0-9]+)")
UTF_8 = "ISO_IR 192"
UTF8 = ("utf-8", "convert")
CHARSETS = ("hold", *UTF8)
# Keys of every edit.
COMMON = ("charset", "reason")
MISSING = 'expected missing = "hold", "keep", "empty" or { value = "..." }'
# Elements that patterns are tried on: what must never go with a group.
_CANARIES = (0x00080016, 0x00080018, 0x0020000D, 0x00200032, 0x00280010, 0x7FE00010, 0x04000561)
_CANARY_NAMES = "SOP class, UIDs, geometry, pixel description or earlier changes"


def read_edit(said: Mapping[str, Any]) -> Edit:
    """Return the operation of one inline table.  Raises ValueError."""
    verbs = [word for word in READERS if word in said]
    if len(verbs) != 1:
        if len(verbs) > 1:
            raise ValueError(f"does two things at once, {' and '.join(verbs)}: make two edits")
        raise ValueError(f"does nothing known: write one of {', '.join(READERS)}")
    reader, keys = READERS[verbs[0]]
    for key in said:
        if key not in (verbs[0], *COMMON, *keys):
            raise ValueError(f'unknown key "{key}"{_near(key, (*keys, *COMMON))}')
    reason = said.get("reason", "coerce")
    if reason not in ("coerce", "correct"):
        raise ValueError('expected reason = "coerce" or "correct"')
    charset = said.get("charset", "hold")
    if charset not in CHARSETS:
        raise ValueError('expected charset = "hold" or "utf-8"')
    return Edit(operation=reader(said), utf8=charset in UTF8, corrects=reason == "correct")


def _near(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, 1, 0.7)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _path(
    said: Mapping[str, Any], key: str, *, removing: bool = False, reading: bool = False
) -> str:
    """Return a path that may be edited."""
    text = said.get(key)
    if not isinstance(text, str) or not text:
        raise ValueError(f"expected {key} to be an element, such as PatientName")
    if not reading and (why := path_refusal(text, removing=removing)):
        raise ValueError(why)
    parse_path(text)
    return text


def _vr(path: str) -> str:
    last = parse_path(path)[-1]
    return tags.vr_of(last.tag, last.creator or None)


def _value_path(path: str) -> str:
    """Return a path whose element takes text."""
    if _vr(path) == "SQ":
        raise ValueError(f"{path} is a sequence: name an element inside, like {path}.CodeValue")
    return path


def _set(said: Mapping[str, Any]) -> SetTo:
    verb = "set" if "set" in said else "default"
    path = _value_path(_path(said, verb))
    if "to" not in said:
        raise ValueError(f'needs the value: {{ {verb} = "{path}", to = "..." }}')
    given = said["to"]
    values = given if isinstance(given, list) else [given]
    if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in values):
        raise ValueError("expected to = text, a number, or a list of them")
    templates = tuple(read_template(one if isinstance(one, str) else str(one)) for one in values)
    _fits(path, templates)
    return SetTo(path=path, to=templates, only_missing=verb == "default")


def _fits(path: str, templates: Sequence[Template]) -> None:
    """Refuse a constant that can never be written."""
    if any(is_name for template in templates for is_name, _ in template.parts):
        return
    last = parse_path(path)[-1]
    vr = _vr(path)
    if last.creator and vr == "UN":
        vr = "LO"
    texts = [template.filled({}, lambda _path: ()) for template in templates]
    try:
        encoded(Tree(0, UTF_8), last.tag, vr, texts)
    except HeldError as error:
        raise ValueError(error.why) from error


def _remove(said: Mapping[str, Any]) -> Remove:
    text = said["remove"]
    if not isinstance(text, str) or not is_pattern(text):
        return Remove(path=_path(said, "remove", removing=True))
    matches = pattern(text)
    nothing = Tree(0)
    for tag in _CANARIES:
        if matches(nothing, tag):
            raise ValueError(f"would remove {_CANARY_NAMES}: {refusal(tag, removing=True)}")
    return Remove(path=text, matches=matches)


def _copy(said: Mapping[str, Any]) -> Copy:
    verb = "copy" if "copy" in said else "move"
    moving = verb == "move"
    path = _value_path(_path(said, verb, removing=True, reading=not moving))
    if "to" not in said:
        raise ValueError(f'needs the other element: {{ {verb} = "{path}", to = "..." }}')
    return Copy(path=path, to=_value_path(_path(said, "to")), moving=moving)


def _replace(said: Mapping[str, Any]) -> Rework:
    path = _value_path(_path(said, "replace"))
    changes: list[Callable[[str], str]] = []
    if said.get("strip"):
        changes.append(str.strip)
    if "pattern" in said or "with" in said:
        changes.append(_substitution(said))
    for flag, change in (("upper", str.upper), ("lower", str.lower)):
        if said.get(flag):
            changes.append(change)
    changes += _ends(said)
    for flag in ("strip", "upper", "lower"):
        if not isinstance(said.get(flag, False), bool):
            raise ValueError(f"expected {flag} = true")
    if not changes:
        raise ValueError(
            "changes nothing: add pattern and with, upper, lower, strip, prefix, suffix or cut"
        )
    return Rework(path=path, changes=tuple(changes))


def _substitution(said: Mapping[str, Any]) -> Callable[[str], str]:
    text, with_ = said.get("pattern"), said.get("with")
    if not isinstance(text, str) or not isinstance(with_, str) or not text:
        raise ValueError('expected pattern = "expression" and with = "replacement"')
    if len(text.encode("utf-8", "replace")) > REGEX_LIMIT_BYTES:
        raise ValueError(f"a regular expression has at most {REGEX_LIMIT_BYTES} bytes")
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(text, options)
        numbers = [int(number) for number in _GROUP.findall(with_)]
    except (re2.error, IndexError, ValueError) as error:
        raise ValueError(f"regular expression: {_words(error)}") from error
    if max(numbers, default=0) > compiled.groups:
        raise ValueError(f"regular expression: with names group {max(numbers)}, there is none")
    return lambda value: str(compiled.sub(with_, value))


def _words(error: Exception) -> str:
    reason = error.args[0] if error.args else "not understood"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _ends(said: Mapping[str, Any]) -> list[Callable[[str], str]]:
    changes: list[Callable[[str], str]] = []
    for key in ("prefix", "suffix"):
        if key in said and not isinstance(said[key], str):
            raise ValueError(f'expected {key} = "text"')
    if prefix := said.get("prefix"):
        changes.append(lambda value: f"{prefix}{value}")
    if suffix := said.get("suffix"):
        changes.append(lambda value: f"{value}{suffix}")
    if "cut" in said:
        cut = said["cut"]
        if isinstance(cut, bool) or not isinstance(cut, int) or cut < 1:
            raise ValueError("expected cut = the number of characters that stay, such as 16")
        changes.append(lambda value: value[:cut])
    return changes


def read_missing(given: object) -> str | tuple[str]:
    """Return what becomes of an object without a row.  Raises ValueError."""
    if isinstance(given, str) and given in (HOLD, KEEP, EMPTY):
        return given
    if isinstance(given, Mapping) and set(given) == {"value"} and isinstance(given["value"], str):
        return (given["value"],)
    raise ValueError(MISSING)


def _lookup(said: Mapping[str, Any]) -> Lookup:
    table, key, to = said["lookup"], said.get("key"), said.get("to")
    if not isinstance(table, str) or not table:
        raise ValueError('expected lookup = "NAME" of a [lookup.NAME]')
    if not isinstance(key, str) or not key:
        raise ValueError('needs the key: key = "PatientID", or a template')
    if not isinstance(to, Mapping) or not to or not all(isinstance(v, str) for v in to.values()):
        raise ValueError('expected to = { Element = "column" }')
    columns = tuple((_value_path(_path({"to": path}, "to")), column) for path, column in to.items())
    missing = read_missing(said["missing"]) if "missing" in said else None
    return Lookup(table=table, key=read_key(key), columns=columns, missing=missing)


def _new_uids(said: Mapping[str, Any]) -> NewUids:
    if said["new_uids"] is not True:
        raise ValueError("expected new_uids = true")
    key = said.get("key")
    if key is None:
        return NewUids()
    if not isinstance(key, Mapping) or len(key) != 1 or set(key) - {"env", "file"}:
        raise ValueError('expected key = { file = "PATH" } or { env = "NAME" }')
    return NewUids(key=key_name(key))


def key_name(source: Mapping[str, Any]) -> str:
    """Return what a key is known by: where it comes from."""
    ((kind, place),) = source.items()
    return f"{kind}:{place}"


def _ae_titles(said: Mapping[str, Any]) -> AeTitles:
    titles = said["ae_titles"]
    if not isinstance(titles, Mapping) or not titles:
        raise ValueError('expected ae_titles = { OLD = "NEW" }')
    for title in (*titles, *titles.values()):
        if not isinstance(title, str) or not 1 <= len(title) <= 16 or not title.isascii():
            raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash")
        if not title.isprintable() or "\\" in title:
            raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash")
    return AeTitles(titles=tuple((str(old), str(new)) for old, new in titles.items()))


Operation = SetTo | Remove | Copy | Rework | Lookup | NewUids | AeTitles
READERS: dict[str, tuple[Callable[[Mapping[str, Any]], Operation], tuple[str, ...]]] = {
    "set": (_set, ("to",)),
    "default": (_set, ("to",)),
    "remove": (_remove, ()),
    "copy": (_copy, ("to",)),
    "move": (_copy, ("to",)),
    "replace": (
        _replace,
        ("pattern", "with", "upper", "lower", "strip", "prefix", "suffix", "cut"),
    ),
    "lookup": (_lookup, ("key", "to", "missing")),
    "new_uids": (_new_uids, ("key",)),
    "ae_titles": (_ae_titles, ()),
}
