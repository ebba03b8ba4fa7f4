"""What is known while one object is treated, and what is counted.

Contract: one `Work` serves one call and is thrown away; nothing in it outlives the call.
"""

from waystation.dicom.charsets import decode
from waystation.dicom.tags import PATIENT_ID
from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid import uids
from waystation.transforms.deid.choice import LETTERS, Choice
from waystation.transforms.deid.dates import shift_days
from waystation.transforms.deid.devices import PixelDecision
from waystation.transforms.deid.keys import Keys
from waystation.transforms.deid.private import Declared
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.pseudonyms import Patient, Pseudonym, made_of, patient_of

ISSUER = 0x00100021


class Work:
    """State of one treatment.

    who: the whole object, its patient and their pseudonym (None for objects of no patient).
    """

    def __init__(
        self,
        profile: Profile,
        keys: Keys,
        who: tuple[Tree, Patient | None, Pseudonym | None],
        pixels: PixelDecision,
    ) -> None:
        self.profile = profile
        self.keys = keys
        self._whole, self.patient, self.pseudonym = who
        self.pixels = pixels
        self.forbidden: frozenset[str] = frozenset()
        self.declared: dict[tuple[str, int], Declared] = {}
        self.keeps_private = profile.has("retain_safe_private")
        self.retains_uids = profile.has("retain_uids")
        self.changed: dict[tuple[str, str, int], int] = {}
        self.private_kept = 0
        self.tokens_removed = 0
        self.unreadable = 0
        self.texts: list[tuple[Elem, str]] = []  # those that need more than ASCII
        self._uids: dict[bytes, bytes] = {}
        self._days: int | None = None
        self._here: tuple[Tree | None, Pseudonym | None] = (None, None)

    def count(self, choice: Choice, tag: int, kind: int | None = None) -> None:
        """Note that an element is not what it was."""
        key = LETTERS[choice.kind if kind is None else kind], choice.by, tag
        self.changed[key] = self.changed.get(key, 0) + 1

    def uid(self, value: bytes) -> bytes:
        """Return a value of UIDs, mapped."""
        made = self._uids.get(value)
        if made is None:
            made = self._uids[value] = uids.map_uids(self.keys.uid, value)
        return made

    @property
    def days(self) -> int:
        """By how many days dates move."""
        if self._days is None:
            if self.pseudonym is not None and self.pseudonym.shift_days is not None:
                self._days = self.pseudonym.shift_days
            else:
                who = self.patient.key() if self.patient is not None else b""
                self._days = shift_days(self.keys.date, who, self.profile.shift)
        return self._days

    def pseudonym_in(self, item: Tree) -> Pseudonym | None:
        """Return who the patient of an item is from now on; None if the item does not say.

        The first call for an item must come before its Patient ID changes.
        """
        if item is self._whole:
            return self.pseudonym
        if self._here[0] is not item:
            self._here = item, self._pseudonym_of(item)
        return self._here[1]

    def _pseudonym_of(self, item: Tree) -> Pseudonym | None:
        profile = self.profile
        who = patient_in(item, profile)
        if who is None:
            return None
        if who == self.patient:
            return self.pseudonym
        if profile.source == "hmac" or profile.missing == "hmac":
            return made_of(self.keys.patient, who, profile.prefix)
        return None


def patient_in(tree: Tree, profile: Profile) -> Patient | None:
    """Return the patient that a data set or item names, None if it has no Patient ID."""
    return patient_of(text_of(tree, ISSUER), text_of(tree, PATIENT_ID), profile.identity)


def text_of(tree: Tree, tag: int) -> str:
    """Return a text, decoded as well as it can be."""
    elem = tree.get(tag)
    value = elem.value if elem is not None else None
    if not value:
        return ""
    return decode(value, tree.charset, "LO").strip("\0 ")
