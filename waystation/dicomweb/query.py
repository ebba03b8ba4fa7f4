"""What a search asks for: query parameters → keys, fields, page (PS3.18 section 8.3, W-27 to W-38).

Contract: pure; `read_search` gives a `SearchAsked` or raises `BadParameter`, which names the
parameter and what to write, never a value.  Keys are keywords or eight hexadecimal digits, dots
between the levels of a path, forms mixed freely.  A list of UIDs is separated by commas or
backslashes, or the key is repeated; any other repetition is refused.  What a name means is decided
here; whether a value fits its VR is `matching`'s affair.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from waystation.dicom.tags import format_tag, is_private, keyword_of, tag_for, vr_of
from waystation.model.query import Key, Options

DEEPEST: Final = 8
LARGEST: Final = 2**31 - 1
SPECIFIC_CHARACTER_SET: Final = 0x00080005
TIMEZONE: Final = 0x00080201
# What every answer has from us, and nobody can look for: level, AE title, availability, URL.
OURS: Final = frozenset({0x00080052, 0x00080054, 0x00080056, 0x00081190})
PARAMETERS: Final = (
    *("includefield", "fuzzymatching", "emptyvaluematching", "multiplevaluematching"),
    *("limit", "offset", "charset", "accept"),
)
# One value whatever it holds.
_SINGLE: Final = frozenset({"ST", "LT", "UT", "UR"})
_HEX = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{1,63}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_BETWEEN_UIDS = re.compile(r"[,\\]")
# Private attributes that no dictionary has are compared as text.
_PRIVATE_VR: Final = "LO"

Path = tuple[int, ...]
# What is wanted of a data set: tag → what of its items, None for all of them.
Wanted = dict[int, "Wanted | None"]


class BadParameter(ValueError):
    """A parameter that cannot be understood.  name: as it was given.  unknown: it means nothing."""

    def __init__(self, name: str, problem: str, *, unknown: bool = False) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.unknown = unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAsked:
    """A search, read.

    keys: those of the path included.  zone: text of (0008,0201), "" if it was not given.
    wanted: what is to come back besides the defaults; everything: ``includefield=all``.
    limit: None if none was given.  left_out: names that mean nothing and may.
    """

    keys: tuple[Key, ...]
    options: Options
    wanted: Wanted
    everything: bool = False
    limit: int | None = None
    offset: int = 0
    zone: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class _Node:
    """One attribute of the request: its values, or the attributes of its item."""

    vr: str
    values: list[str] = field(default_factory=list)
    given: bool = False
    below: "dict[int, _Node]" = field(default_factory=dict)

    def key(self, tag: int) -> Key:
        keys = tuple(node.key(inner) for inner, node in sorted(self.below.items()))
        return Key(tag, self.vr, tuple(self.values), keys)


def read_search(
    params: Sequence[tuple[str, str]],
    path: Mapping[int, str],
    *,
    tolerant: bool = False,
    ignored: Sequence[str] = (),
) -> SearchAsked:
    """Return what is asked for; raises `BadParameter`.

    path: UIDs by tag, of the path.  tolerant: names that mean nothing are only noted.
    ignored: names that are never looked at.
    """
    rest = [pair for pair in params if pair[0] not in ignored]
    given = {name: value for name, value in rest if name in PARAMETERS}
    for name in given:
        if name != "includefield" and sum(1 for other, _ in rest if other == name) > 1:
            raise BadParameter(name, "is given twice")
    keys, left_out = _keys([pair for pair in rest if pair[0] not in PARAMETERS], tolerant=tolerant)
    zone = keys.pop(TIMEZONE, None)
    keys.pop(SPECIFIC_CHARACTER_SET, None)
    fields = [value for name, value in rest if name == "includefield"]
    wanted, everything, odd = read_fields(fields)
    for tag, node in keys.items():
        _want(wanted, tag, node)
        if tag in OURS and any(node.values):
            raise BadParameter(_name(tag), "cannot be searched for")
    if zone is not None:
        wanted[TIMEZONE] = None
    _check_charset(given.get("charset"))
    return SearchAsked(
        keys=_with_path(keys, path),
        options=Options(
            relational=True,
            combined=True,
            fuzzy=_flag(given, "fuzzymatching"),
            time_zone=zone is not None and any(zone.values),
            empty_value=_flag(given, "emptyvaluematching"),
            multiple_values=_flag(given, "multiplevaluematching"),
        ),
        wanted=wanted,
        everything=everything,
        limit=_number(given, "limit"),
        offset=_number(given, "offset") or 0,
        zone=next(iter(zone.values), "") if zone else "",
        left_out=(*left_out, *odd),
    )


def _with_path(keys: dict[int, _Node], path: Mapping[int, str]) -> tuple[Key, ...]:
    """Return the keys with the UIDs of the path, which no parameter may widen (W-26)."""
    for tag, uid in path.items():
        node = keys.get(tag)
        if node is not None and any(node.values) and node.values != [uid]:
            raise BadParameter(_name(tag), "stands in the path already")
        keys[tag] = _Node("UI", [uid], True)
    return tuple(node.key(tag) for tag, node in sorted(keys.items()) if tag not in OURS)


def _keys(
    params: Sequence[tuple[str, str]], *, tolerant: bool
) -> tuple[dict[int, _Node], list[str]]:
    found: dict[int, _Node] = {}
    left_out: list[str] = []
    creators = {name: value for name, value in params if _is_creator(name)}
    for name, value in params:
        try:
            path = path_of(name)
        except BadParameter as error:
            if not tolerant or not error.unknown:
                raise
            left_out.append(name)
            continue
        _add(found, name, path, value, creators)
    return found, left_out


def _is_creator(name: str) -> bool:
    if not _HEX.fullmatch(name):
        return False
    tag = int(name, 16)
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def _add(
    found: dict[int, _Node], name: str, path: Path, value: str, creators: Mapping[str, str]
) -> None:
    level = found
    for depth, tag in enumerate(path):
        vr = _vr(name, tag, creators)
        last = depth == len(path) - 1
        if not last and vr != "SQ":
            raise BadParameter(name, f"{_name(tag)} is no sequence")
        node = level.setdefault(tag, _Node(vr))
        if last:
            _fill(node, name, value)
        level = node.below


def _fill(node: _Node, name: str, value: str) -> None:
    if node.vr == "SQ" and value:
        raise BadParameter(name, "is a sequence; name an attribute of its item behind a dot")
    if node.given and node.vr != "UI":
        raise BadParameter(name, "is given twice")
    node.given = True
    if not value:
        return
    if node.vr == "UI":
        node.values += [part for part in _BETWEEN_UIDS.split(value) if part]
    elif node.vr in _SINGLE:
        node.values.append(value)
    else:
        node.values += value.split("\\")


def _vr(name: str, tag: int, creators: Mapping[str, str]) -> str:
    if not is_private(tag) or tag & 0xFFFF <= 0xFF:
        return vr_of(tag)
    block = tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8
    creator = next((text for word, text in creators.items() if int(word, 16) == block), "")
    if not creator:
        raise BadParameter(name, f"a private attribute needs its creator, {block:08X}=NAME, too")
    vr = vr_of(tag, creator)
    return _PRIVATE_VR if vr == "UN" else vr


def path_of(name: str) -> Path:
    """Return the tags of an attribute or of a path; raises `BadParameter`."""
    words = name.split(".")
    if len(words) > DEEPEST:
        raise BadParameter(_shown(name), f"is deeper than {DEEPEST} levels")
    return tuple(_tag(word, name) for word in words)


def _tag(word: str, name: str) -> int:
    if _HEX.fullmatch(word):
        tag = int(word, 16)
        known = is_private(tag) or vr_of(tag) != "UN" or keyword_of(tag)
        if not known or not tag & 0xFFFF or tag >> 16 in (0, 2, 0xFFFE):
            raise BadParameter(_shown(name), "no attribute has this tag", unknown=True)
        return tag
    if not _WORD.fullmatch(word):
        raise BadParameter(_shown(name), "is neither a keyword nor a tag", unknown=True)
    try:
        return tag_for(word)
    except ValueError as error:
        near = re.search(r"\(did you mean [A-Za-z0-9]+\?\)", str(error))
        hint = f" {near[0]}" if near else ""
        raise BadParameter(
            _shown(name), f"no attribute or parameter is called so{hint}", unknown=True
        ) from None


def _shown(name: str) -> str:
    """Return a name of the caller so that it can stand in a message."""
    return "".join(one if " " < one <= "~" else "?" for one in name)[:64]


def _name(tag: int) -> str:
    return keyword_of(tag) or format_tag(tag)


def read_fields(texts: Sequence[str]) -> tuple[Wanted, bool, list[str]]:
    """Return the fields that are to come back; whether that is all; what means nothing."""
    wanted: Wanted = {}
    everything, odd = False, list[str]()
    for name in (part.strip() for text in texts for part in text.split(",")):
        if name == "all":
            everything = True
        elif name:
            try:
                _want_path(wanted, path_of(name))
            except BadParameter:
                odd.append(_shown(name))
    return wanted, everything, odd


def _want_path(wanted: Wanted, path: Path) -> None:
    tag, rest = path[0], path[1:]
    if not rest:
        wanted[tag] = None
        return
    below = wanted.setdefault(tag, {})
    if below is not None:
        _want_path(below, rest)


def _want(wanted: Wanted, tag: int, node: _Node) -> None:
    if not node.below:
        wanted[tag] = None
        return
    below = wanted.setdefault(tag, {})
    if below is not None:
        for inner, one in node.below.items():
            _want(below, inner, one)


def merged(first: Wanted, second: Wanted) -> Wanted:
    """Return what either wants."""
    found = dict(first)
    for tag, below in second.items():
        mine = found.get(tag, below)
        found[tag] = None if mine is None or below is None else merged(mine, below)
    return found


def _flag(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise BadParameter(name, "write true or false")
    return text == "true"


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > LARGEST:
        raise BadParameter(name, "write a whole number, 0 or more")
    return int(text)


def _check_charset(text: str | None) -> None:
    if text is not None and text.lower() not in ("utf-8", "utf8", "iso_ir 192", "*"):
        raise BadParameter("charset", "answers are UTF-8 and nothing else")


def wanted_keys(wanted: Wanted) -> Iterator[Key]:
    """Yield a universal key for each attribute that is wanted."""
    for tag, below in wanted.items():
        keys = tuple(wanted_keys(below)) if below else ()
        yield Key(tag, vr_of(tag), (), keys)
