"""What each action does to one value (D-8, D-13, D-26 to D-29).

Contract: an effect changes the element and returns True, or returns False: it is to be removed.
Nothing is written but what was calculated from keys and profile, words of the allow-list, and
dummies; what cannot be read goes.
"""

import re
from collections.abc import Callable
from typing import Final

from waystation.dicom.charsets import IN_CHARSET, CharsetError, decode
from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid import choice as choices
from waystation.transforms.deid import dates, uids
from waystation.transforms.deid.choice import DUMMY, EMPTY, FREE, REMOVE, Choice, meaning_of
from waystation.transforms.deid.pseudonyms import short_code
from waystation.transforms.deid.text import clean
from waystation.transforms.deid.work import Work

Effect = Callable[[Work, Tree, Elem, Choice], bool]
WORD: Final = b"REMOVED"
# One value of each VR that tells nothing (D-8).
DUMMIES: Final = {
    "DA": b"19000101",
    "TM": b"000000",
    "DT": b"19000101000000",
    "AS": b"000Y",
    "IS": b"0",
    "DS": b"0",
    **dict.fromkeys(("PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE"), WORD),
    **dict.fromkeys(("OB", "OW", "UN", "US", "SS"), b"\0\0"),
    **dict.fromkeys(("UL", "SL", "FL", "AT", "OL", "OF"), b"\0\0\0\0"),
    **dict.fromkeys(("UV", "SV", "FD", "OD", "OV"), b"\0\0\0\0\0\0\0\0"),
}
# Defined terms of the attributes that a table or rule may want a dummy for.
CODE_STRINGS: Final = {
    0x00100040: b"O",
    0x00102203: b"UNALTERED",
    0x00200060: b"U",
    0x00200062: b"U",
    0x00185100: b"HFS",
    0x04000565: b"COERCE",
    0x00080008: b"DERIVED\\SECONDARY",
    0x00080060: b"OT",
    0x0040A493: b"UNVERIFIED",
}
ESCAPE: Final = 0x1B
NUMERIC: Final = b"0123456789+-.,eE \\\0"  # all that a number string is made of
UID_BYTES: Final = b"0123456789.\\ \0"
MULTIPLE: Final = frozenset({"LO", "SH", "UC"})
_AGE = re.compile(r"(\d{3})([DWMY])")
_ZONE = re.compile(r"[+-]\d{4}")
OLDEST: Final = 89
TIMEZONE: Final = 0x00080201


def dummy_of(tag: int, vr: str, value: bytes, work: Work) -> bytes:
    """Return a dummy in place of ``value``."""
    if vr == "CS":
        return CODE_STRINGS.get(tag, b"UNKNOWN")
    return work.uid(value) if vr == "UI" else DUMMIES.get(vr, b"\0\0")


def remove(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """X."""
    work.count(choice, elem.tag, REMOVE)
    return False


def drop(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Leave out what is no attribute of the object."""
    return False


def empty(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Z; with a value from the profile, that."""
    if choice.value is not None:
        return _from_profile(work, elem, choice)
    if elem.vr == "SQ":
        if elem.items:
            elem.items.clear()
            work.count(choice, elem.tag, EMPTY)
    elif elem.value:
        elem.replace(b"")
        work.count(choice, elem.tag, EMPTY)
    return True


def dummy(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """D, for anything but a sequence: an empty element stays so unless it needs a value (D-10)."""
    if choice.value is not None:
        return _from_profile(work, elem, choice)
    value = elem.value or b""
    if (not value and not choice.needed) or elem.vr == "SQ":
        return True
    elem.replace(dummy_of(elem.tag, elem.vr, value, work))
    work.count(choice, elem.tag, DUMMY)
    return True


def _from_profile(work: Work, elem: Elem, choice: Choice) -> bool:
    elem.replace((choice.value or "").encode("ascii"))
    work.count(choice, elem.tag, DUMMY)
    return True


def fall_back(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Take the value away as the IOD allows it, since it cannot be treated."""
    made = {REMOVE: remove, EMPTY: empty, DUMMY: dummy}[choice.fallback]
    return made(work, tree, elem, Choice(choice.fallback, choice.by, REMOVE, choice.needed))


def unreadable(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Take away what could not be read."""
    work.unreadable += 1
    return fall_back(work, tree, elem, choice)


def uid(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """U."""
    value = elem.value
    if value is None:
        return remove(work, tree, elem, choice)
    made = work.uid(value)
    if made != value.rstrip(b"\0 "):
        elem.replace(made, "UI")
        work.count(choice, elem.tag)
    return True


def keep_text(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """K, for text: what no character set gives goes, UIDs in it are mapped (D-22, D-23)."""
    value = elem.value or b""
    if is_disguised(value, elem):
        return unreadable(work, tree, elem, choice)
    if value.isascii() and ESCAPE not in value:
        if value.count(b".") >= 4 and not work.retains_uids:
            return _map_inside(work, elem, choice, value)
        return True
    if elem.vr not in IN_CHARSET:
        return unreadable(work, tree, elem, choice)
    try:
        text = decode(value, tree.charset, elem.vr, strict=True)
    except CharsetError:
        return unreadable(work, tree, elem, choice)
    if not work.retains_uids:
        text = uids.map_in_text(work.keys.uid, text.encode()).decode()
    put_text(work, elem, text)
    return True


def is_disguised(value: bytes, elem: Elem) -> bool:
    """Tell whether it is text where only numbers or UIDs belong, or prose in place of a code."""
    meaning = meaning_of(elem.tag)
    if meaning in ("DS", "IS") or elem.vr in ("DS", "IS"):
        return bool(value.strip(NUMERIC))
    if meaning == "UI":
        return bool(value.translate(None, UID_BYTES))
    return meaning == "CS" != elem.vr and any(len(one) > 16 for one in value.split(b"\\"))


def _map_inside(work: Work, elem: Elem, choice: Choice, value: bytes) -> bool:
    if elem.vr in FREE or elem.vr == "UR":
        made = uids.map_in_text(work.keys.uid, value)
        if made != value:
            elem.replace(made)
            work.count(choice, elem.tag, choices.UID)
    return True


def put_text(work: Work, elem: Elem, text: str) -> None:
    """Write a text now if it is ASCII, else when the character set of the output is known."""
    if text.isascii():
        elem.replace(text.encode("ascii"))
    else:
        work.texts.append((elem, text))


def text(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """C of free text: the words of the allow-list stay."""
    value = elem.value
    if not value:
        return True
    rules = work.profile.text
    if rules.mode == "remove" or elem.vr not in FREE:
        return fall_back(work, tree, elem, choice)
    whole = decode(value, tree.charset, elem.vr)
    parts = whole.split("\\") if elem.vr in MULTIPLE else [whole]
    cleaned = [clean(part.strip("\0 "), rules, work.forbidden) for part in parts]
    gone = sum(number for _, number in cleaned)
    work.tokens_removed += gone
    made = "\\".join(part for part, _ in cleaned)
    if not made.strip("\\ "):
        return fall_back(work, tree, elem, choice)
    if made != whole.rstrip("\0 "):
        work.count(choice, elem.tag)
    put_text(work, elem, made)
    return True


def shift(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """C of dates: moved (D-28)."""
    meaning = meaning_of(elem.tag)
    vr = meaning if meaning in choices.TEMPORAL else elem.vr
    value = elem.value
    if not value:
        return True
    if elem.tag == TIMEZONE:
        stays = work.profile.keep_timezone and _ZONE.fullmatch(value.decode("latin-1").strip())
        return True if stays else fall_back(work, tree, elem, choice)
    if vr not in choices.TEMPORAL:
        return fall_back(work, tree, elem, choice)
    parts = [part.strip("\0 ") for part in value.decode("latin-1").split("\\")]
    made = [_moved(part, vr, work) if part else "" for part in parts]
    if None in made:
        return unreadable(work, tree, elem, choice)
    new = "\\".join(part or "" for part in made).encode("ascii")
    if new != value.rstrip(b"\0 "):
        elem.replace(new, vr)
        work.count(choice, elem.tag)
    return True


def _moved(part: str, vr: str, work: Work) -> str | None:
    if vr == "DA":
        return dates.move_date(part, work.days)
    if vr == "DT":
        return dates.move_datetime(part, work.days, keep_zone=work.profile.keep_timezone)
    return part if dates.is_time(part) else None


def ae_title(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """C of AE titles: an alias of at most 16 characters that the key gives."""
    value = elem.value
    if not value or not value.strip(b"\0 \\"):
        return True
    parts = [part.strip(b"\0 ") for part in value.split(b"\\")]
    made = [b"AE" + short_code(work.keys.text, b"ae", p).encode() if p else b"" for p in parts]
    elem.replace(b"\\".join(made), "AE")
    work.count(choice, elem.tag)
    return True


def age(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """K of ages: nobody is older than 89 and more (``090Y``)."""
    value = elem.value
    if not value or not value.strip(b"\0 "):
        return True
    found = _AGE.fullmatch(value.decode("latin-1").strip("\0 "))
    if found is None:
        return unreadable(work, tree, elem, choice)
    if found[2] == "Y" and int(found[1]) > OLDEST + 1:
        elem.replace(b"090Y", "AS")
        work.count(choice, elem.tag, choices.AGE)
    return True


def name(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Patient's Name: the pseudonym, or nothing where nobody knows whose name it is."""
    who = work.pseudonym_in(tree)
    return _put(work, elem, choice, who.name if who else "")


def patient_id(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Patient ID: the pseudonym."""
    who = work.pseudonym_in(tree)
    return _put(work, elem, choice, who.patient_id if who else "")


def subject(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Clinical Trial Subject ID: the pseudonym of the object's patient."""
    return _put(work, elem, choice, work.pseudonym.patient_id if work.pseudonym else "")


def accession(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Accession Number: a code that the key gives."""
    value = (elem.value or b"").strip(b"\0 ")
    made = short_code(work.keys.accession, b"accession", value) if value else ""
    return _put(work, elem, choice, made)


def study_id(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Study ID: a code that the key gives, of this patient only."""
    value = (elem.value or b"").strip(b"\0 ")
    who = work.patient.key() if work.patient else b""
    made = short_code(work.keys.accession, b"study", who, value) if value else ""
    return _put(work, elem, choice, made)


def _put(work: Work, elem: Elem, choice: Choice, made: str) -> bool:
    if elem.value is None:
        return False
    if made.encode("ascii") != elem.value.rstrip(b"\0 "):
        elem.replace(made.encode("ascii"))
        work.count(choice, elem.tag)
    return True


EFFECTS: Final[dict[int, Effect]] = {
    choices.KEEP_TEXT: keep_text,
    choices.REMOVE: remove,
    choices.EMPTY: empty,
    choices.UID: uid,
    choices.TEXT: text,
    choices.SHIFT: shift,
    choices.AE: ae_title,
    choices.AGE: age,
    choices.NAME: name,
    choices.PATIENT_ID: patient_id,
    choices.SUBJECT: subject,
    choices.ACCESSION: accession,
    choices.STUDY_ID: study_id,
    choices.DROP: drop,
}
