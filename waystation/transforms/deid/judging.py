"""Whether something found in the bytes of an output means that identity got out (D-42).

Contract: `Judge` knows the output only: where its values lie and what they are.  A needle counts
where it stands as a word in a text, as the whole of a number, or in other bytes if it is long
enough not to be there by chance.  Words of the allow-list, and of institutions and streets in
general, count only in free text that the table names; what the engine itself writes never does.
"""

from bisect import bisect_right
from collections.abc import Collection
from typing import Final

from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid.choice import FREE, TEXTUAL
from waystation.transforms.deid.marks import CODE, MEANING, METHOD, METHOD_CODES
from waystation.transforms.deid.needles import Needle, counts
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.pseudonyms import Pseudonym, is_ours
from waystation.transforms.deid.traces import DAY, NAME, PLACE, leaves
from waystation.transforms.deid.uids import is_standard
from waystation.transforms.deid_actions import OPTIONS, PROFILE
from waystation.transforms.deid_table import row_of

LONG_TEXTS: Final = frozenset({"LT", "ST", "UC", "UT"})
NUMBERS: Final = frozenset({"DS", "IS"})
MOMENTS: Final = frozenset({"AS", "DA", "DT", "TM"})
SHORTEST_NUMBER: Final = 6  # where numbers are no names of anything
UIDS: Final = "UI"
OURS: Final = b"2.25."
PRINTABLE: Final = bytes(range(32, 127)) + b"\t\r\n\f\0\x1b"
_COMMON = """
abteilung and avenue bed box building campus center centre chirurgie city clinic clinica clinical
clinique college community county dental department dept der des diagnostic diagnostics die
district dos east fax floor for foundation general group health healthcare hopital hospital house
imaging institut institute klinik klinikum lane laboratory limited ltd med medica medical medicine
memorial national north office park patient phone post praxis private professor public radiologie
radiology rd regional research road room saint san sante scan scanner school science sciences
service services sir south spital st state station str strasse street suite system systems tel
telephone test the trust und unit universitaet university von ward west
"""
COMMON: Final = frozenset(_COMMON.split())


class Judge:
    """Of one output.  makers: words of the manufacturer, as others may be called too."""

    def __init__(
        self, tree: Tree, profile: Profile, who: Pseudonym | None, makers: Collection[str]
    ) -> None:
        self._profile = profile
        self._makers = makers
        self._who = (who.patient_id, who.name) if who is not None else ()
        self._leaves: list[tuple[int, Elem, tuple[int, ...]]] = sorted(
            ((elem.end - elem.length, elem, path) for elem, _, path in leaves(tree)),
            key=lambda leaf: leaf[0],
        )
        self._starts = [start for start, _, _ in self._leaves]
        self._ours = {
            *(f"profile {profile.name} {profile.digest[:16]}",),
            *(meaning for _, meaning in (PROFILE, *OPTIONS.values())),
        }

    def place(self, at: int, needle: Needle) -> int | None:
        """Return the tag of the element in which a needle at ``at`` counts, None if it does not."""
        number = bisect_right(self._starts, at) - 1
        if number < 0:
            return None
        start, elem, path = self._leaves[number]
        value = elem.value or b""
        begin, end = at - start, at - start + len(needle.raw)
        if end > len(value):
            return None
        if needle.bounded and not is_bounded(value, begin, end, needle):
            return None
        return elem.tag if self._counts(elem, path, (value, begin, end), needle) else None

    def _counts(
        self, elem: Elem, path: tuple[int, ...], span: tuple[bytes, int, int], needle: Needle
    ) -> bool:
        vr, (value, begin, end) = elem.vr, span
        if vr == UIDS:
            return self._counts_in_uid(_part(value, begin, end), needle)
        if vr in MOMENTS:
            return needle.kind == DAY
        if vr in NUMBERS:
            part = _part(value, begin, end)
            return len(needle.word) >= SHORTEST_NUMBER and part.strip() == needle.raw
        if vr not in TEXTUAL and value.translate(None, PRINTABLE):
            return counts(needle, "smooth")
        if self._is_said_by_us(elem, path, _part(value, begin, end)):
            return False
        word = needle.word
        listed = word in COMMON or self._profile.text.knows(word)
        listed |= needle.kind in (NAME, PLACE) and word in self._makers
        return not listed or is_free(elem.tag, vr)

    def _counts_in_uid(self, uid: bytes, needle: Needle) -> bool:
        plain = uid.strip(b"\0 ")
        if self._profile.has("retain_uids") or is_standard(plain) or plain.startswith(OURS):
            return False
        return len(needle.word) >= SHORTEST_NUMBER

    def _is_said_by_us(self, elem: Elem, path: tuple[int, ...], part: bytes) -> bool:
        text = part.decode("latin-1").strip("\0 ")
        if text in self._who or is_ours(text, self._profile.prefix):
            return True
        if elem.tag == METHOD and not path:
            return text in self._ours or text.startswith("Waystation ")
        inside = path == (METHOD_CODES,) and elem.tag in (CODE, MEANING)
        return inside and text in self._ours


def _part(value: bytes, begin: int, end: int) -> bytes:
    """Return the one value of several in which something stands."""
    start = value.rfind(b"\\", 0, begin) + 1
    stop = value.find(b"\\", end)
    return value[start : len(value) if stop < 0 else stop]


def is_free(tag: int, vr: str) -> bool:
    """Tell whether it is text that people write, and not a term of a list."""
    return vr in LONG_TEXTS or (vr in FREE and row_of(tag) is not None)


def is_bounded(value: bytes, begin: int, end: int, needle: Needle) -> bool:
    """Tell whether the needle is not a part of a longer word or number."""
    before = value[begin - 1 : begin] if begin else b""
    after = value[end : end + 1]
    if needle.kind == DAY:
        # A date may be followed by a time.
        goes_on = needle.word.isdigit() or not after.isdigit()
        return not before.isdigit() and goes_on
    return not (_joins(before, value[begin : begin + 1]) or _joins(value[end - 1 : end], after))


def _joins(left: bytes, right: bytes) -> bool:
    """Tell whether two characters belong to the same word or the same number."""
    return (left.isdigit() and right.isdigit()) or (_is_letter(left) and _is_letter(right))


def _is_letter(byte: bytes) -> bool:
    return byte.isalpha() or byte >= b"\x80"
