"""What in an object tells who its patient is, and must not be found in what leaves (D-42).

Contract: `Reader.traces` reads the object as it came, by itself: it knows the table and the
profile, and nothing of the walk that de-identifies.  What the profile keeps on purpose is no
trace.  Words of two letters are none either, ideographs apart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from waystation.dicom.charsets import decode
from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid.choice import CONTENT_TREES, KINDS, MARKS, TEXT_VALUE, meaning_of
from waystation.transforms.deid.dates import move_date
from waystation.transforms.deid.effects import CODE_STRINGS, DUMMIES
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.pseudonyms import is_ours
from waystation.transforms.deid.text import OURS
from waystation.transforms.deid.uids import is_standard
from waystation.transforms.deid_actions import code_of
from waystation.transforms.deid_table import row_of

NAME, ID, PLACE, PHONE = "a person's name", "an ID", "an address or institution", "a phone number"
DAY, UID = "a date", "a UID"
# IDs of patient, visit, order and study, and who gave them; addresses and institutions; phones.
_KINDS: Final = {
    ID: """00100020 00101000 00080050 00380010 00400253 00401001 00400009 00402016 00402017
        00200010 00120040 00101090 00321001 00102180""",
    PLACE: """00101040 00080080 00080081 00080092 00081040 00081010 00100021""",
    PHONE: """00102154 00080094""",
}
KIND_OF: Final = {int(tag, 16): kind for kind, row in _KINDS.items() for tag in row.split()}
# A code that leaves something of the value on purpose.
LEAVES: Final = frozenset("KCU")
WORD: Final = re.compile(r"[^\W_]+")
_DAY: Final = re.compile(r"(\d{4})[./-]?(\d\d)[./-]?(\d\d)")
_GROUPS: Final = re.compile("[=\\\\]")
SHORTEST, SHORTEST_IDEOGRAPHS, SHORTEST_VALUE = 3, 2, 5
IDEOGRAPHS: Final = "\u2e80"  # from here on, as good as all characters are syllables or words
MANUFACTURER: Final = 0x00080070
NO_DAY: Final = "19000101"
NOBODY: Final = OURS | {"anonymous", "anonymized", "anonymised", "unknown", "none", "null"}


@dataclass(slots=True, repr=False)
class Traces:
    """What must not be found.  words: lower case word or value → its kind.  days: YYYYMMDD.

    values: by tag, the values that a removing action was to take away.  days_kept: days that
    stand in the output by right.  makers: words of the manufacturer, which stays; an institution
    may be called like one, and a family, but not by two words.
    """

    words: dict[str, str] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    uids: set[bytes] = field(default_factory=set)
    values: dict[int, set[bytes]] = field(default_factory=dict)
    days_kept: set[str] = field(default_factory=set)
    makers: set[str] = field(default_factory=set)


def leaves(tree: Tree, path: tuple[int, ...] = ()) -> Iterator[tuple[Elem, Tree, tuple[int, ...]]]:
    """Yield every element that has a value, its data set or item, and the sequences around it."""
    for elem in tree.elements:
        items = elem.items
        if items is None:
            yield elem, tree, path
        else:
            below = (*path, elem.tag)
            for item in items:
                yield from leaves(item, below)


class Reader:
    """Reads traces for one profile, and remembers what it says of each tag."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rules = dict(profile.rules)
        self._leaves: dict[int, str] = {}
        self._full = profile.has("retain_full_dates")
        self._content = profile.has("clean_structured_content")

    def code(self, tag: int) -> str:
        """Return the code that counts for a tag: of the profile's rule, else of the table."""
        found = self._leaves.get(tag)
        if found is None:
            rule, row = self._rules.get(tag), row_of(tag)
            if rule is not None:
                found = {"keep": "K", "clean": "C", "uid": "U"}.get(rule.do, "X")
            else:
                found = "" if row is None else code_of(row, self._profile.options)[0]
            self._leaves[tag] = found
        return found

    def traces(self, tree: Tree, days: int) -> Traces:
        """Return the traces of an object as it came; days: by how many its dates move."""
        traces = Traces()
        for elem, inside, path in leaves(tree):
            value = elem.value
            if value:
                self._read(traces, elem, inside, path, value)
        if sum(traces.words.get(word) == NAME for word in traces.makers) > 1:
            traces.makers.clear()
        if self._profile.has("retain_modified_dates"):
            traces.days_kept |= {move_date(day, days) or day for day in traces.days}
        traces.days -= traces.days_kept
        traces.days.discard(NO_DAY)
        return traces

    def _read(
        self, traces: Traces, elem: Elem, inside: Tree, path: tuple[int, ...], value: bytes
    ) -> None:
        tag, code = elem.tag, self.code(elem.tag)
        if tag == MANUFACTURER:
            traces.makers |= set(WORD.findall(decode(value, inside.charset, "LO").casefold()))
        vr = meaning_of(tag) or elem.vr
        if vr == "UN":
            vr = elem.vr
        if vr == "UI":
            self._read_uids(traces, tag, code, value)
        elif vr in ("DA", "DT"):
            self._read_days(traces, code, value)
        elif code != "K" and (vr == "PN" or tag in KIND_OF):
            text = decode(value, inside.charset, "PN" if vr == "PN" else "LO")
            self._read_text(traces, NAME if vr == "PN" else KIND_OF[tag], text)
        if code and code not in LEAVES and not self._is_elsewhere(tag, path):
            plain = value.rstrip(b"\0 ")
            if plain and plain not in dummies_of(tag, elem.vr):
                rule = self._rules.get(tag)
                if rule is None or (rule.value or "").encode("ascii") != plain:
                    traces.values.setdefault(tag, set()).add(plain)

    def _is_elsewhere(self, tag: int, path: tuple[int, ...]) -> bool:
        """Tell whether something else than the table decides about it."""
        if not path and tag in MARKS:
            return True
        if tag == TEXT_VALUE:
            return self._content and bool(CONTENT_TREES & set(path))
        return tag >> 24 in (0x50, 0x60) and self._profile.has("clean_graphics")

    def _read_uids(self, traces: Traces, tag: int, code: str, value: bytes) -> None:
        if code == "K" or tag in KINDS or self._profile.has("retain_uids"):
            return
        for one in value.split(b"\\"):
            uid = one.strip(b"\0 ")
            if uid.count(b".") >= 2 and not is_standard(uid):
                traces.uids.add(uid)

    def _read_days(self, traces: Traces, code: str, value: bytes) -> None:
        stays = code == "K" or (not code and self._full)
        for one in value.decode("latin-1").split("\\"):
            found = _DAY.match(one.strip("\0 "))
            if found:
                (traces.days_kept if stays else traces.days).add("".join(found.groups()))

    def _read_text(self, traces: Traces, kind: str, text: str) -> None:
        prefix = self._profile.prefix
        for part in _GROUPS.split(text):
            one = part.strip("\0 ")
            if not one or is_ours(one, prefix):
                continue
            said = "^".join(one.split("^")[:3]) if kind == NAME else one
            found = [] if kind == PHONE else [word.casefold() for word in WORD.findall(said)]
            found = [word for word in found if is_telling(word)]
            if kind == PHONE:
                found = ["".join(letter for letter in one if letter.isdigit())]
            if kind == PHONE or not found:
                found.append(one.casefold())
            for word in found:
                if len(word) >= SHORTEST_VALUE or is_telling(word):
                    traces.words.setdefault(word, kind)


def is_telling(word: str) -> bool:
    """Tell whether a word is long enough to tell something, and not one of nobody."""
    shortest = SHORTEST_IDEOGRAPHS if max(word, default="") >= IDEOGRAPHS else SHORTEST
    return len(word) >= shortest and word not in NOBODY


def dummies_of(tag: int, vr: str) -> tuple[bytes, ...]:
    """Return what stands for a removed value; an original that says the same is no trace."""
    if vr == "CS":
        return (CODE_STRINGS.get(tag, b"UNKNOWN"), b"UNKNOWN")
    dummy = DUMMIES.get(vr, b"\0\0")
    return (dummy, dummy.rstrip(b"\0 "))
