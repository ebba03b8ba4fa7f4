"""UIDs: the registered ones by name, and the grammar of all.

Contract: transfer syntaxes and SOP classes come from a small generated table (PS3.6 table A-1),
so that importing this module costs nothing; other registered UIDs are looked up when
somebody wants them.  Nothing here refuses an unknown UID: private and future ones are legal.
"""

import re
from functools import cache
from typing import Final

from waystation.dicom import dictionary, uid_table

ROOT: Final = "1.2.840.10008."

IMPLICIT_VR_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LE: Final = "1.2.840.10008.1.2.1"
ENCAPSULATED_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BE: Final = "1.2.840.10008.1.2.2"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1: Final = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS: Final = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR: Final = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS: Final = "1.2.840.10008.1.2.4.90"
JPEG_2000: Final = "1.2.840.10008.1.2.4.91"
RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
HTJ2K_LOSSLESS: Final = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL: Final = "1.2.840.10008.1.2.4.202"
HTJ2K: Final = "1.2.840.10008.1.2.4.203"
# Implicit little endian with big-endian pixels, written by old GE scanners.
GE_PRIVATE_IMPLICIT: Final = "1.2.840.113619.5.2"

UNCOMPRESSED: Final = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE})
IMPLICIT_SYNTAXES: Final = frozenset({IMPLICIT_VR_LE, GE_PRIVATE_IMPLICIT})
# The whole data set is deflated (PS3.5 A.5), for the two JPIP ones too.
DEFLATED_SYNTAXES: Final = frozenset(
    {DEFLATED, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
)

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
VERIFICATION: Final = "1.2.840.10008.1.1"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
MODALITY_WORKLIST_FIND: Final = "1.2.840.10008.5.1.4.31"
MPPS: Final = "1.2.840.10008.3.1.2.3.3"
MPPS_RETRIEVE: Final = "1.2.840.10008.3.1.2.3.4"
MPPS_NOTIFICATION: Final = "1.2.840.10008.3.1.2.3.5"

CT_IMAGE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.7"

# A UUID made once for this program (PS3.5 B.2).
IMPLEMENTATION_CLASS_UID: Final = "2.25.240474067588239678396832101291093036161"
IMPLEMENTATION_VERSION_NAME: Final = "WAYSTATION_1"

# Instances that belong to no patient, hence to no study and series (PS3.4 GG.3).
NON_PATIENT_CLASSES: Final = frozenset(
    ROOT + "5.1.4." + suffix
    for suffix in (
        *("1.1.200.1", "1.1.200.3", "1.1.200.7", "1.1.201.1"),
        *("38.1", "39.1", "43.1", "44.1", "45.1"),
    )
)

_GRAMMAR = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_STRICT = re.compile(r"(?:[01]\.(?:[0-9]|[123][0-9])|2\.(?:0|[1-9][0-9]*))(?:\.(?:0|[1-9][0-9]*))*")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

Entry = tuple[str, str, bool]  # keyword, name, storage class


def _read(text: str) -> dict[str, Entry]:
    table: dict[str, Entry] = {}
    for entry in " ".join(text.split()).split(" | "):
        suffix, word, *name = entry.split(" ", 2)
        keyword = word.lstrip("+")
        table[ROOT + suffix] = keyword, (name or [_WORDS.sub(" ", keyword)])[0], word[0] == "+"
    return table


@cache
def transfer_syntaxes() -> dict[str, Entry]:
    """Return every registered transfer syntax: uid → (keyword, name, False)."""
    return _read(uid_table.TRANSFER_SYNTAXES)


@cache
def sop_classes() -> dict[str, Entry]:
    """Return every registered SOP class: uid → (keyword, name, whether C-STORE carries it)."""
    return _read(uid_table.SOP_CLASSES)


@cache
def storage_classes() -> frozenset[str]:
    """Return the registered storage classes, retired ones included."""
    return frozenset(uid for uid, entry in sop_classes().items() if entry[2])


def is_storage_class(uid: str) -> bool:
    """Tell whether ``uid`` is a registered storage class."""
    return uid in storage_classes()


def is_transfer_syntax(uid: str) -> bool:
    """Tell whether ``uid`` is a registered transfer syntax."""
    return uid in transfer_syntaxes()


def has_study(sop_class_uid: str) -> bool:
    """Tell whether instances of the class carry Study and Series Instance UID."""
    return sop_class_uid not in NON_PATIENT_CLASSES


def is_uid(text: str, strict: bool = False) -> bool:
    """Tell whether ``text`` is a UID: 1 to 64 of ``[0-9.]`` without an empty component.

    Leading zeros are common in the field and tolerated; ``strict`` follows PS3.5 9.1 to the
    letter (no leading zeros, a legal first and second component).
    """
    if not 0 < len(text) <= 64:
        return False
    return (_STRICT if strict else _GRAMMAR).fullmatch(text) is not None


def make_uid(seed: bytes) -> str:
    """Return the ``2.25`` UID of 16 bytes (PS3.5 B.2); the same bytes give the same UID.

    Version and variant bits are set, so that the number is a UUID as X.667 wants it.
    """
    if len(seed) != 16:
        raise ValueError(f"a UID is made from 16 bytes, not from {len(seed)}")
    number = int.from_bytes(seed, "big")
    number = number & ~(0xF << 76) | 4 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return f"2.25.{number}"


def name_of(uid: str) -> str:
    """Return the registered name of ``uid``, or ``uid`` itself if it has none."""
    entry = transfer_syntaxes().get(uid) or sop_classes().get(uid)
    if entry:
        return entry[1]
    if not uid.startswith(ROOT):
        return uid
    registered = dictionary.uids()
    return registered[uid][0] if uid in registered else uid


@cache
def _by_word() -> dict[str, str]:
    words: dict[str, str] = {}
    for table in (transfer_syntaxes(), sop_classes()):
        for uid, (keyword, name, _) in table.items():
            words.setdefault(name.casefold(), uid)
            words.setdefault(keyword.casefold(), uid)
    return words


def uid_for(word: str) -> str:
    """Return the UID for a keyword, a full name (any case) or a UID as it stands.

    Raises ValueError, with a suggestion where one is near.
    """
    word = word.strip()
    if is_uid(word):
        return word
    found = _by_word().get(word.casefold())
    if found:
        return found
    for uid, (name, _, _, _, keyword) in dictionary.uids().items():
        if word.casefold() in (name.casefold(), keyword.casefold()):
            return uid
    raise ValueError(f"no UID is called {word!r}{_near(word)}")


def _near(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word.casefold(), _by_word(), 1, 0.6)
    if not near:
        return ""
    uid = _by_word()[near[0]]
    entry = transfer_syntaxes().get(uid) or sop_classes()[uid]
    return f" (did you mean {entry[0] if entry[0].casefold() == near[0] else entry[1]!r}?)"
