"""The de-identifier: PS3.15 Annex E, the Basic Application Level Confidentiality Profile and its
options (D-1 to D-3).

Contract: `Deidentifier.treat` is a pure function of head, facts, profile and keys: the same input
gives the same bytes on every node and after every restart (sealed originals excepted: encryption
is random).  It gives a whole treated head or `Held`, never anything between, and raises nothing:
whatever goes wrong inside holds the object, for a reason that shows nothing of the patient
(D-39).  De-identification lowers risk; it does not by itself make data anonymous in law.
"""

from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity
from waystation.dicom.nested import is_pixel
from waystation.dicom.scan import FIRST_PIXEL
from waystation.dicom.tree import Tree, encode, parse
from waystation.transforms.deid import (
    devices,
    marks,
    originals,
    references,
    refusals,
    repertoire,
)
from waystation.transforms.deid.choice import Choices
from waystation.transforms.deid.dates import TooEarlyError
from waystation.transforms.deid.devices import PixelDecision
from waystation.transforms.deid.keys import Keys, mac
from waystation.transforms.deid.private import read_declared
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.pseudonyms import Patient, Pseudonym, made_of
from waystation.transforms.deid.result import NO_FACTS, Deidentified, DeidFacts, Held, Report
from waystation.transforms.deid.text import tokens_of
from waystation.transforms.deid.uids import new_uid
from waystation.transforms.deid.verify import Verifier
from waystation.transforms.deid.walk import walk
from waystation.transforms.deid.work import Work, patient_in, text_of

# Who and where the patient is, besides all names: what may not stay in any text (D-42).
TELLING = (
    *(0x00100020, 0x00101000, 0x00100021, 0x00100050, 0x00101001, 0x00101040, 0x00102154),
    *(0x00080050, 0x00080080, 0x00080081, 0x00081040, 0x00081010, 0x00200010, 0x00401001),
    *(0x00080092, 0x00080094, 0x00120040, 0x00380010, 0x00104000, 0x00101090),
)
UNREAD = "the object was not read to the end of its pixels"
UIDS_KEPT = "UIDs were retained: originals can be matched"


class TailError(ValueError):
    """Where the pixels of an object end is not known, or they are not its end."""


SAFE_ERRORS = (DatasetError, TooEarlyError, TailError)


class _HeldError(Exception):
    """Nothing may leave; the text shows nothing of the patient."""

    def __init__(self, why: str, *, approvable: bool = False) -> None:
        super().__init__(why)
        self.approvable = approvable


class Deidentifier:
    """One profile with its keys.  Safe to share between threads.

    version: of the product, for the marks.  seal: encrypts original values for their recipients
    (D-31); None: they are not kept.
    """

    def __init__(
        self, profile: Profile, keys: Keys, *, version: str, seal: originals.Seal | None = None
    ) -> None:
        if profile.public and seal is not None:
            raise ValueError("a public profile keeps no original values, not even encrypted")
        self.profile = profile
        self._keys = keys
        self._version = version
        self._seal = seal
        self._choices = Choices(profile)
        sealed = seal is not None
        self._verifier = (
            Verifier(profile, keys, version, sealed=sealed) if profile.verify == "hold" else None
        )

    @property
    def tools_digest(self) -> str:
        """What tells two de-identifiers apart that could give different bytes; 16 digits."""
        parts = (self.profile.digest, self._version, str(self._seal is not None))
        return mac(self._keys.text, *(part.encode() for part in parts)).hex()[:16]

    def study_of(self, head: Head) -> str:
        """Return what the study of an object is called in the outputs, "" if it names none."""
        return self.study_named(head.text(tags.STUDY_INSTANCE_UID))

    def study_named(self, uid: str) -> str:
        """Return what the study of this original UID is called in the outputs."""
        if self.profile.has("retain_uids"):
            return uid
        return new_uid(self._keys.uid, uid.encode("utf-8", "replace")).decode("latin-1")

    def is_sample(self, uid: str) -> bool:
        """Tell whether a person is to see the study of this original UID first (D-43)."""
        chance = mac(self._keys.text, b"sample", uid.encode("utf-8", "replace"))
        return int.from_bytes(chance[:8], "big") < self.profile.sample * 2**64

    def allocation(self, patient: Patient) -> tuple[bytes, bytes]:
        """Return what a patient is known by in the journal, and the key that seals who it is."""
        return (
            mac(self._keys.patient, b"allocated", patient.key()),
            mac(self._keys.patient, b"crosswalk", b""),
        )

    def patient(self, head: Head) -> Patient | None:
        """Return whom a table or the journal is to be asked about, before `treat`.

        None if the profile asks nobody, or if the object names nobody.  Raises DatasetError.
        """
        if self.profile.source not in ("csv", "allocated"):
            return None
        tree = parse(head)
        return None if refusals.belongs_to_nobody(tree) else self._patient_of(tree)

    def treat(self, head: Head, facts: DeidFacts = NO_FACTS) -> Deidentified | Held:
        """Return the object without identity, or why it is held."""
        try:
            return self._treat(head, facts)
        except _HeldError as held:
            return Held(why=str(held), approvable=held.approvable)
        except Exception as error:  # noqa: BLE001 - whatever it is, the object is held (D-39)
            why = f"de-identification failed inside ({type(error).__name__})"
            if isinstance(error, SAFE_ERRORS):
                why = f"it cannot be de-identified: {error}"
            return Held(why=why)

    def _treat(self, head: Head, facts: DeidFacts) -> Deidentified:
        profile = self.profile
        if not head.whole:
            raise _HeldError("its head is too large to be looked through")
        end = tail_end(head) if facts.tail_end is None else facts.tail_end
        tree = parse(head)
        why = refusals.refusal(
            tree, profile, head.transfer_syntax_uid, unrecognizable=facts.unrecognizable
        )
        if why:
            raise _HeldError(why)
        pixels = devices.decide(
            head, profile.pixels, believed=facts.believed, approved=facts.approved
        )
        if pixels.held:
            raise _HeldError(pixels.held, approvable=pixels.approvable)
        work = self._work(tree, facts, pixels)
        declared = tree.charset
        before = list(tree.elements) if self._seal is not None else []
        refusals.reduce_report(tree, profile)
        lists = references.lists_references(tree)
        walk(tree, self._choices.root(tree.text(tags.SOP_CLASS_UID)), work)
        if lists and references.settle(tree):
            work.changed["X", "", references.SERIES] = 1
        refusals.replace_document(tree, profile)
        repertoire.settle(tree, declared, work.texts)
        verifier = self._verifier
        methods = marks.methods_of(
            profile, cleaned=pixels.cleaned, unrecognizable=facts.unrecognizable
        )
        marks.mark(tree, profile, methods, self._version)
        if self._seal is not None:
            originals.attach(tree, self._seal(originals.originals_of(before, tree)))
        return Deidentified(
            head=encode(tree),
            tail_end=end,
            identity=identity_of(tree),
            report=self._report(work, methods),
            pixels=pixels,
            check=None if verifier is None else verifier.begin(head, methods, facts.pseudonym),
        )

    def _work(self, tree: Tree, facts: DeidFacts, pixels: PixelDecision) -> Work:
        profile = self.profile
        patient = self._patient_of(tree)
        if patient is None and not refusals.belongs_to_nobody(tree):
            raise _HeldError("it has no Patient ID (missing_id)")
        pseudonym = self._pseudonym(patient, facts) if patient is not None else None
        work = Work(profile, self._keys, (tree, patient, pseudonym), pixels)
        if profile.text.mode != "remove":
            work.forbidden = tokens_of(telling(tree), profile.prefix)
        if work.keeps_private:
            work.declared = read_declared(tree, trusted=facts.trusted)
        return work

    def _patient_of(self, tree: Tree) -> Patient | None:
        found = patient_in(tree, self.profile)
        if found is None and self.profile.missing_id == "study":
            study = tree.text(tags.STUDY_INSTANCE_UID)
            return Patient("", study, of_study=True) if study else None
        return found

    def _pseudonym(self, patient: Patient, facts: DeidFacts) -> Pseudonym | None:
        profile = self.profile
        if profile.source == "empty":
            return None
        if profile.source in ("csv", "allocated"):
            if facts.pseudonym is not None:
                return facts.pseudonym
            if profile.source == "allocated" or profile.missing != "hmac":
                raise _HeldError("no pseudonym is known for this patient")
        return made_of(self._keys.patient, patient, profile.prefix)

    def _report(self, work: Work, methods: tuple[str, ...]) -> Report:
        profile = self.profile
        reasons = [rule.loosen for _, rule in profile.rules if rule.loosen]
        reasons += [why for _, why in profile.classes]
        return Report(
            profile=profile.name,
            profile_hash=profile.digest,
            edition=profile.edition,
            key_id=self._keys.key_id,
            changed=work.changed,
            private_kept=work.private_kept,
            tokens_removed=work.tokens_removed,
            unreadable=work.unreadable,
            methods=methods,
            loosened=tuple(dict.fromkeys(reasons)),
            pixel_rule=work.pixels.rule,
            notes=(UIDS_KEPT,) if work.retains_uids else (),
        )


def tail_end(head: Head) -> int:
    """Return where the pixels end: what lies behind them does not leave (D-18, D-20).

    The head must have been read that far: to the end of the object where pixels are encapsulated.
    Raises `TailError` where that is not known, or something lies there that is needed.
    """
    tail = head.pixel_offset
    if not head.ended:
        raise TailError(UNREAD)
    spans = [(at + size, tag) for tag, (_, at, size) in head.elements.items() if at + size > tail]
    behind = sorted(
        spans + [(at + size, tag) for tag, at, size in head.repeated if at + size > tail]
    )
    if not behind:
        if tail != head.total_length:
            raise TailError(UNREAD)
        return tail
    if any(tag < FIRST_PIXEL and not tag >> 16 & 1 for _, tag in behind):
        raise TailError("elements lie behind the pixels that belong before them")
    end, seen = tail, set[int]()
    for after, tag in behind:
        if not is_pixel(tag) or tag in seen:
            break
        seen.add(tag)
        end = after
    if not seen:
        raise TailError(UNREAD)
    return end


def identity_of(tree: Tree) -> Identity:
    """Return what a treated object says it is."""
    text = tree.text
    return Identity(
        text(tags.SOP_CLASS_UID),
        text(tags.SOP_INSTANCE_UID),
        text(tags.STUDY_INSTANCE_UID),
        text(tags.SERIES_INSTANCE_UID),
        text(tags.PATIENT_ID),
        text(tags.MODALITY),
    )


def telling(tree: Tree) -> list[str]:
    """Return the values that say who the patient is: names of persons, numbers, places."""
    names = [elem.tag for elem in tree.elements if elem.vr == "PN"]
    return [text for tag in (*names, *TELLING) if (text := text_of(tree, tag))]
