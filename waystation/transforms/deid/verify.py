"""Looking for the original in what is about to leave, independently of how it was made (D-42).

Contract: a `Verifier` belongs to a profile; `begin` reads what an object must not carry any more
and gives a `Check`; a `Pass` over the encoded output (any pieces) ends in the reasons why it may
not leave, which show nothing of the patient; none if it may.  Searched are the bytes of the whole
output: as they are, in other character sets, inflated, and inside the documents that were kept.
The output is parsed anew; its marks, its order and its required attributes are checked.

Short words are not looked for among pixels and other bytes that are no text: there they would be
found by chance.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import re2

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.inflate import Inflater
from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.dicom.nested import Buffer
from waystation.dicom.scan import Scanner
from waystation.dicom.tags import format_tag
from waystation.dicom.tree import Tree, parse
from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_LE
from waystation.transforms.deid import documents, traces
from waystation.transforms.deid.dates import shift_days
from waystation.transforms.deid.devices import NATIVE
from waystation.transforms.deid.judging import Judge
from waystation.transforms.deid.keys import Keys
from waystation.transforms.deid.needles import Needles, needles_of
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.pseudonyms import Patient, Pseudonym
from waystation.transforms.deid.segments import Segments
from waystation.transforms.deid.traces import DAY, UID, Reader, Traces
from waystation.transforms.deid.verify_form import faults_of
from waystation.transforms.deid.verify_marks import wrong_marks
from waystation.transforms.deid.work import patient_in

OVERLAP: Final = 256  # longer than any needle
SHOWN: Final = 3
_options = re2.Options()
_options.encoding = re2.Options.Encoding.LATIN1
_options.never_capture = True
_UIDS: Final[Any] = re2.compile(rb"[0-2]\.[0-9]+(?:\.[0-9]+)+", _options)


class Verifier:
    """Of one profile.  Safe to share between threads.  sealed: originals are kept, encrypted."""

    def __init__(self, profile: Profile, keys: Keys, version: str, *, sealed: bool) -> None:
        self.profile = profile
        self.version = version
        self.sealed = sealed
        self._keys = keys
        self._reader = Reader(profile)

    def begin(
        self, head: Head, methods: tuple[str, ...], pseudonym: Pseudonym | None = None
    ) -> "Check":
        """Read the traces of an object as it came.  Raises `DatasetError`."""
        tree = parse(head)
        found = self._reader.traces(tree, self._days(tree, pseudonym))
        return Check(
            verifier=self,
            before=tree,
            traces=found,
            needles=needles_of(found.words, found.days, DAY),
            methods=methods,
            pseudonym=pseudonym,
        )

    def _days(self, tree: Tree, pseudonym: Pseudonym | None) -> int:
        profile = self.profile
        if pseudonym is not None and pseudonym.shift_days is not None:
            return pseudonym.shift_days
        who = patient_in(tree, profile)
        if who is None and profile.missing_id == "study":
            who = Patient("", tree.text(0x0020000D), of_study=True)
        return shift_days(self._keys.date, who.key() if who else b"", profile.shift)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Check:
    """What must not be in one treated object, and what must.

    before: the object as it came.  methods: options that were applied.  pseudonym: known from
    outside.
    """

    verifier: "Verifier"
    before: Tree
    traces: Traces
    needles: Needles
    methods: tuple[str, ...]
    pseudonym: Pseudonym | None

    def over(self, syntax: str) -> "Pass":
        """Return a look over an output in a transfer syntax."""
        return Pass(self, syntax)

    def refusal(self, syntax: str, pieces: Iterable[Buffer]) -> str:
        """Return why an output may not leave, "" if it may."""
        found = self.over(syntax)
        for piece in pieces:
            found.feed(piece)
        return found.refusal()


class Pass:
    """Over one output in the transfer syntax ``syntax``: feed all of it, then `faults`."""

    def __init__(self, check: Check, syntax: str) -> None:
        self._wanted = check
        deflated = syntax in DEFLATED_SYNTAXES
        self._inflater = Inflater(DEFAULT_LIMITS) if deflated else None
        self._syntax = EXPLICIT_VR_LE if deflated else syntax
        self._among = "smooth" if syntax in NATIVE else "noise"
        self._scan = Scanner(self._syntax)
        self._carry = b""
        self._found: dict[str, None] = {}
        self._broken = ""
        # Of encapsulated pixel data (PS3.5 A.4): what its frames carry beside their pixels.
        self._segments = None if syntax in NATIVE or deflated else Segments()

    def feed(self, piece: Buffer) -> None:
        """Take the next bytes of the output."""
        if self._broken:
            return
        try:
            for data in self._inflated(piece):
                before = self._scan.length
                self._scan.feed(data)
                if (tail := self._scan.tail) >= 0:
                    part = memoryview(data)[max(tail - before, 0) :]
                    if self._segments is not None and part:
                        self._segments.feed(part, max(before - tail, 0))
                    self._search_tail(part)
        except Exception as error:  # noqa: BLE001 - what cannot be verified does not leave (D-39)
            self._broken = _words(error)

    def _inflated(self, piece: Buffer) -> Iterator[Buffer]:
        if self._inflater is None:
            yield piece
        else:
            yield from self._inflater.feed(piece)

    def _search_tail(self, data: memoryview) -> None:
        if not data:
            return
        window: Any = data
        if self._carry:
            window = self._carry + bytes(data[:OVERLAP])
            self._search(window)
            window = data
        self._search(window)
        self._carry = (self._carry + bytes(data[-OVERLAP:]))[-OVERLAP:]

    def _search(self, window: Any) -> None:
        """Look for long needles and UIDs among pixels."""
        needles, at = self._wanted.needles, 0
        while (at := needles.first(window, at, self._among)) >= 0:
            for needle in needles.at(bytes(window[at : at + OVERLAP]), 0):
                self._note(needle.kind, "the pixels")
            at += 1
        if has_uid(window, self._wanted.traces.uids):
            self._note(UID, "the pixels")

    def _note(self, kind: str, where: str) -> None:
        self._found[f"{kind} of the original stands in {where}"] = None

    def faults(self) -> list[str]:
        """Return why the output may not leave; [] if it may."""
        if not self._broken:
            try:
                if self._inflater is not None:
                    self._inflater.close()
                self._scan.close()
                self._look(Head(self._scan, self._syntax, DEFAULT_LIMITS))
            except Exception as error:  # noqa: BLE001 - what cannot be verified does not leave
                self._broken = _words(error)
        return [self._broken] if self._broken else list(self._found)

    def refusal(self) -> str:
        """Return in one sentence why the output may not leave, "" if it may."""
        found = self.faults()
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return f"verification: {'; '.join(found[:SHOWN])}{more}" if found else ""

    def _look(self, head: Head) -> None:
        wanted, verifier = self._wanted, self._wanted.verifier
        if not head.whole:
            self._found["its head is too large to be looked through"] = None
            return
        tree = parse(head)
        makers = wanted.traces.makers
        judge = Judge(tree, verifier.profile, wanted.pseudonym, makers)
        self._look_for_needles(head.data, judge)
        self._look_for_uids(head.data)
        self._look_at_values(tree)
        for text in documents.inside(tree):
            self._look_into(text)
        marks = wrong_marks(tree, verifier.profile, wanted.methods, sealed=verifier.sealed)
        beside = () if self._segments is None else self._segments.faults
        faults = [*marks, *beside, *faults_of(wanted.before, tree, head)]
        self._found |= dict.fromkeys(faults)

    def _look_for_needles(self, data: bytes, judge: Judge) -> None:
        needles, at = self._wanted.needles, 0
        while (at := needles.first(data, at, "text")) >= 0:
            for needle in needles.at(data, at):
                tag = judge.place(at, needle)
                if tag is not None:
                    self._note(needle.kind, format_tag(tag))
            at += 1

    def _look_for_uids(self, data: bytes) -> None:
        uids = self._wanted.traces.uids
        # UTF-16 is looked through without its zeros.
        if has_uid(data, uids) or (b"\0.\0" in data and has_uid(data.replace(b"\0", b""), uids)):
            self._note(UID, "its head")

    def _look_at_values(self, tree: Tree) -> None:
        values = self._wanted.traces.values
        for elem, _, _ in traces.leaves(tree):
            old = values.get(elem.tag)
            if old is not None and (elem.value or b"").rstrip(b"\0 ") in old:
                self._found[f"{format_tag(elem.tag)} still has its old value"] = None

    def _look_into(self, text: bytes) -> None:
        """Look through the inflated content of a document that was kept."""
        needles, at = self._wanted.needles, 0
        while (at := needles.first(text, at, "noise")) >= 0:
            for needle in needles.at(text, at):
                self._note(needle.kind, "a document")
            at += 1


def _words(error: Exception) -> str:
    """Name an error; its text may quote the object."""
    if isinstance(error, DatasetError):
        return f"it cannot be read back: {error}"
    return f"it failed inside ({type(error).__name__})"


def has_uid(data: Any, uids: set[bytes]) -> bool:
    """Tell whether one of ``uids`` stands in ``data``, by itself or with more components."""
    for found in _UIDS.finditer(data) if uids else ():
        uid = bytes(found[0])
        while uid.count(b".") >= 2:
            if uid in uids:
                return True
            if uid.startswith((b"2.25.", b"1.2.840.10008.")):
                break
            uid = uid.rpartition(b".")[0]
    return False
