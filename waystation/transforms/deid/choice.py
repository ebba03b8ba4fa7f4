"""What is to be done with an element: table, options, types and the profile's own rules (D-8 to
D-17), decided once for each place in each kind of object.

Contract: `Choices.root` gives the plan of a SOP class; a `Place` in it answers for tag and VR, and
for the sequences below.  Answers depend on the profile alone, so that remembering them changes
nothing; what is remembered is bounded.
"""

from dataclasses import dataclass
from functools import lru_cache

from waystation.dicom import tags
from waystation.dicom.nested import is_pixel
from waystation.transforms import deid_table
from waystation.transforms.deid.private import CHARACTERISTICS
from waystation.transforms.deid.profile import ElementRule, Profile
from waystation.transforms.deid_actions import code_of, resolve
from waystation.transforms.iod_types import known, type_of

MOST_PLACES = 50_000
MOST_TAGS = 20_000  # in one place
KEEP, KEEP_TEXT, ITEMS, REMOVE, EMPTY, DUMMY, UID = range(7)
TEXT, SHIFT, AE, AGE, CODES, GRAPHICS, CONTENT = range(7, 14)
OVERLAY, NAME, PATIENT_ID, SUBJECT, ACCESSION, STUDY_ID, DROP = range(14, 21)
# As reports name them.
LETTERS = {
    **dict.fromkeys((KEEP, KEEP_TEXT, ITEMS), "K"),
    **dict(zip((REMOVE, EMPTY, DUMMY, UID), "XZDU", strict=True)),
    **dict.fromkeys((TEXT, SHIFT, AE, AGE, CODES, GRAPHICS, CONTENT, OVERLAY), "C"),
    **dict.fromkeys((NAME, PATIENT_ID, SUBJECT, ACCESSION, STUDY_ID), "D"),
}
TEMPORAL = frozenset({"DA", "DT", "TM"})
# Texts that people write, and the coded and structured ones beside them.
FREE = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
TEXTUAL = FREE | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "PN", "TM", "UI", "UR"}
KNOWN_VRS = (
    TEXTUAL
    | {"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "SQ"}
    | {*("OB", "OD", "OF", "OL", "OV", "OW", "UN")}
)
NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "US or SS", "UV"})
BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
CHARSET = 0x00080005
# Written by the engine at the end, from what was really done.
MARKS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303, 0x00280301, 0x00280302})
# UIDs that name a kind of thing, not a thing: coding schemes and context groups, SOP classes,
# transfer syntaxes, versions.
_KINDS = """
00041510 00041512 0004151A 00080016 0008001A 0008001B 00080062 0008010C 0008010D 00080117 00080118
0008040E 00081150 0008115A 00083002 00089123 00340003 04000010 04000510 30100052 30100053
"""
KINDS = frozenset(int(tag, 16) for tag in _KINDS.split())
# What never leaves, whatever a profile says: signatures, MACs, encrypted and earlier values,
# icons, trailing padding.
_NEVER = """
00880200 04000402 04000403 04000404 04000500 04000550 04000561 4FFE0001 FFFAFFFA FFFCFFFC
"""
NEVER = frozenset(int(tag, 16) for tag in _NEVER.split())
TEXT_VALUE = 0x0040A160
CONTENT_TREES = frozenset({0x0040A730, 0x00400555, 0x00400610})
ALSO = {
    0x00120040: ("subject", SUBJECT),
    0x00080050: ("accession", ACCESSION),
    0x00200010: ("study", STUDY_ID),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is done.  by: the option or "rule", "" for the basic profile.

    fallback: what is done where it cannot be (REMOVE, EMPTY or DUMMY).  needed: the IOD wants a
    value here.  value: of a dummy, from the profile.
    """

    kind: int
    by: str = ""
    fallback: int = REMOVE
    needed: bool = False
    value: str | None = None


PLAIN_DROP = Choice(DROP)


class Place:
    """The data set, or the items of one sequence in it."""

    __slots__ = ("_choices", "below", "found", "path", "sop_class")

    def __init__(self, choices: "Choices", sop_class: str, path: tuple[int, ...]) -> None:
        self._choices = choices
        self.sop_class = sop_class
        self.path = path
        self.found: dict[tuple[int, str], Choice] = {}
        self.below: dict[int, Place] = {}

    def choice(self, tag: int, vr: str) -> Choice:
        """Return what is done with an element here."""
        made = self._choices.choose(self.sop_class, (*self.path, tag), vr)
        if len(self.found) < MOST_TAGS:
            self.found[tag, vr] = made
        return made

    def inside(self, tag: int) -> "Place":
        """Return the items of the sequence ``tag``."""
        found = self.below.get(tag)
        if found is None:
            found = Place(self._choices, self.sop_class, (*self.path, tag))
            if self._choices.remembers():
                self.below[tag] = found
        return found


class Choices:
    """All choices of one profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rules: dict[int, ElementRule] = dict(profile.rules)
        self._roots: dict[str, Place] = {}
        self._places = 0
        self._dates = profile.has("retain_full_dates"), profile.has("retain_modified_dates")

    def root(self, sop_class: str) -> Place:
        """Return the plan of a SOP class; all that the tables do not know share one."""
        name = sop_class if known(sop_class) else ""
        found = self._roots.get(name)
        if found is None or self._places > MOST_PLACES:
            if found is not None:
                self._roots.clear()
                self._places = 0
            found = self._roots[name] = Place(self, name, ())
        return found

    def remembers(self) -> bool:
        """Count a place; tell whether there is room for it."""
        self._places += 1
        return self._places <= 2 * MOST_PLACES

    def choose(self, sop_class: str, path: tuple[int, ...], vr: str) -> Choice:
        """Return what is done with the element at ``path`` that has ``vr``."""
        tag = path[-1]
        if not tag & 0xFFFF or tag >> 16 == 0xFFFE or tag in (0x00080001, CHARSET):
            # Lengths, stray delimiters; the character set is written at the end.
            return PLAIN_DROP
        fallback = FALLBACKS[resolve("X/Z/D", sop_class, path)]
        needed = type_of(sop_class, path) == "1"
        if tag in NEVER:
            return Choice(REMOVE)
        meaning = meaning_of(tag)
        if misplaced(meaning, vr) or is_stray_image(path):
            return Choice(REMOVE)
        if len(path) == 1 and tag in MARKS:
            return Choice(keep_kind(vr))
        rule = self._rules.get(tag)
        if rule is not None:
            return self._by_rule(rule, vr, fallback, needed)
        special = self._special(path, vr, fallback)
        if special is not None:
            return special
        row = deid_table.row_of(tag)
        if row is None:
            return self._unlisted(sop_class, path, vr, fallback)
        code, option = code_of(row, self._profile.options)
        action = resolve(code, sop_class, path)
        basic = resolve(deid_table.ACTIONS[row], sop_class, path)
        fallback = FALLBACKS.get(basic, fallback)
        return self._of_action(action, option, (tag, vr), (fallback, needed))

    def _by_rule(self, rule: ElementRule, vr: str, fallback: int, needed: bool) -> Choice:
        if rule.do == "keep":
            return Choice(keep_kind(vr), "rule", fallback)
        if rule.do == "clean":
            return Choice(
                TEXT if vr in FREE else CODES if vr == "SQ" else fallback, "rule", fallback
            )
        kind = {"uid": UID, "dummy": DUMMY, "empty": EMPTY, "remove": REMOVE}[rule.do]
        return Choice(kind, "rule", fallback, needed, rule.value)

    def _special(self, path: tuple[int, ...], vr: str, fallback: int) -> Choice | None:
        """Return what the profile does with pseudonyms, overlays and texts of content items."""
        tag, profile = path[-1], self._profile
        if profile.source != "empty":
            if tag == tags.PATIENT_NAME:
                return Choice(NAME, "", fallback)
            if tag == tags.PATIENT_ID:
                return Choice(PATIENT_ID, "", fallback)
        if tag in ALSO and ALSO[tag][0] in profile.also:
            return Choice(ALSO[tag][1], "", fallback)
        if tag >> 24 in (0x50, 0x60) and not tag >> 16 & 1:
            if not profile.has("clean_graphics"):
                return Choice(REMOVE)
            return Choice(OVERLAY, "clean_graphics", TEXT if vr in FREE else KEEP)
        inside = CONTENT_TREES & set(path[:-1]) and profile.has("clean_structured_content")
        if inside and vr == "SQ" and deid_table.row_of(tag) is None:
            return Choice(CONTENT, "clean_structured_content", fallback)
        if tag == TEXT_VALUE:
            cleans = bool(inside)
            return Choice(
                TEXT if cleans else DUMMY, "clean_structured_content" if cleans else "", DUMMY
            )
        return None

    def _of_action(
        self, action: str, option: str, what: tuple[int, str], ends: tuple[int, bool]
    ) -> Choice:
        tag, vr = what
        fallback, needed = ends
        if action == "K":
            return Choice(keep_kind(vr), option, fallback)
        if action == "C":
            return Choice(self._cleaning(option, tag, vr, fallback), option, fallback, needed)
        if action == "UITEMS":
            return Choice(ITEMS, option, fallback)
        if action == "U" and vr not in ("UI", "UN"):
            return Choice(fallback, option, fallback, needed)
        kind = {"X": REMOVE, "Z": EMPTY, "D": DUMMY, "U": UID}[action]
        return Choice(kind, option, fallback, needed)

    def _cleaning(self, option: str, tag: int, vr: str, fallback: int) -> int:
        """Return what "cleaned" means in the column of an option (D-12)."""
        if option == "retain_modified_dates":
            return SHIFT
        if option == "retain_device_identity":
            return AE
        if option == "clean_graphics":
            return GRAPHICS
        if option == "clean_structured_content":
            return CONTENT
        if option == "retain_safe_private":
            return self._temporal(vr) if vr in TEMPORAL else keep_kind(vr, private=True)
        if vr == "SQ":
            return CODES
        return TEXT if vr in FREE else fallback

    def _temporal(self, vr: str) -> int:
        full, modified = self._dates
        return KEEP_TEXT if full else SHIFT if modified else REMOVE

    def _unlisted(self, sop_class: str, path: tuple[int, ...], vr: str, fallback: int) -> Choice:
        """Return what is done with an element that is not in the table (D-15, D-16)."""
        tag, profile = path[-1], self._profile
        meaning = meaning_of(tag)
        if not meaning or vr not in KNOWN_VRS or tag >> 16 < 8 or self._is_private_note(tag):
            return Choice(REMOVE)
        kind = meaning if meaning in TEMPORAL or meaning in ("PN", "UI") else vr
        if kind in TEMPORAL:
            full, modified = self._dates
            option = "retain_full_dates" if full else "retain_modified_dates" if modified else ""
            return Choice(KEEP_TEXT if full else SHIFT if modified else fallback, option, fallback)
        if kind == "PN":
            return Choice(fallback)
        if kind == "UI":
            stays = tag in KINDS or profile.has("retain_uids")
            return Choice(KEEP_TEXT if stays else UID, "", fallback)
        if profile.unlisted == "clean" and vr in FREE:
            return Choice(TEXT, "unlisted", fallback)
        if profile.unlisted == "remove" and self._is_extra(sop_class, path, vr):
            return Choice(REMOVE, "unlisted")
        if vr == "SQ" and profile.has("clean_descriptors"):
            # Coded entries of one place are descriptions wherever they stand.
            return Choice(CODES, "clean_descriptors", fallback)
        return Choice(keep_kind(vr), "", fallback)

    def _is_private_note(self, tag: int) -> bool:
        """Tell whether it only speaks of private elements, and those go."""
        return tag == CHARACTERISTICS and not self._profile.has("retain_safe_private")

    def _is_extra(self, sop_class: str, path: tuple[int, ...], vr: str) -> bool:
        kind = type_of(sop_class, path)
        return vr in FREE if kind is None else kind == "3"


FALLBACKS = {"X": REMOVE, "Z": EMPTY, "D": DUMMY}


def keep_kind(vr: str, *, private: bool = False) -> int:
    """Return how an element that is kept is looked at all the same."""
    if private and vr in ("PN", "UI"):
        return REMOVE if vr == "PN" else UID
    if vr == "SQ":
        return ITEMS
    if vr == "AS":
        return AGE
    return KEEP_TEXT if vr in TEXTUAL else KEEP


@lru_cache(maxsize=16384)
def meaning_of(tag: int) -> str:
    """Return the VR of the dictionary, "" for a tag that no dictionary of the Standard has."""
    vr = "UN" if tag >> 16 & 1 else tags.vr_of(tag)
    if vr != "UN":
        return vr
    return "UN" if not tag >> 16 & 1 and tags.keyword_of(tag) else ""


def misplaced(meaning: str, vr: str) -> bool:
    """Tell whether there are items where a value belongs, the other way round, text where there
    should be numbers, or any bytes where there should be text or numbers.
    """
    if meaning in ("", "UN"):
        return False
    if (meaning == "SQ") is not (vr == "SQ"):
        return True
    if vr in TEXTUAL:
        return meaning not in TEXTUAL and vr not in ("DS", "IS")
    return meaning in TEXTUAL or (meaning in NUMBERS and vr in BYTES)


def is_stray_image(path: tuple[int, ...]) -> bool:
    """Tell whether it is pixels where none belong: inside a sequence, or of a retired group."""
    tag = path[-1]
    return tag >> 24 == 0x7F and (tag >> 16 != 0x7FE0 or (len(path) > 1 and is_pixel(tag)))
