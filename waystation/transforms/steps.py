"""The steps of one rule on one head: validate, edit, de-identify, in this order (R-65).

Contract: `apply` is pure and never half does something: it gives the whole new head, or `Failed`
with the reason for holding.  The tail is not looked at: it follows the new head byte for byte,
unless a pixel job says otherwise.  Any exception inside is a failure of the step that raised it;
in de-identification it is `deid-failed`, whatever it was (R-69, D-39).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity, identity
from waystation.dicom.tree import Tree, encode, parse
from waystation.model.delivery import HoldReason
from waystation.transforms import validate
from waystation.transforms.edit import Change, Edit, Work
from waystation.transforms.edit_origin import COERCE, CORRECT, previous, record
from waystation.transforms.edit_paths import find, reach
from waystation.transforms.edit_template import read_template
from waystation.transforms.held import HeldError, misfit
from waystation.transforms.lookup import LookupTable
from waystation.transforms.validate import Earlier, Finding, Known, Scheduled, Validation

IDENTITY_REMOVED = 0x00120062


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidResult:
    """What de-identification made of a head.

    report: counts, without any original value.  mark: profile and digest.  pixels: a job for the
    codec children, None if the tail stays.  tail_end: where that ends in the old object, -1: at
    its end.  check: what the bytes that leave must pass (`deid.verify.Check`), None: nothing.
    unwritten: nothing may be written in the pixels that leave (D-36).
    """

    head: bytes
    tail_end: int = -1
    mark: str
    report: str = ""
    pixels: Any = None
    check: Any = field(default=None, compare=False, repr=False)
    unwritten: bool = False


class Deidentify(Protocol):
    """The last step of a rule, ready for one profile.  Raises `HeldError`, or anything."""

    @property
    def digest(self) -> str:
        """Of profile, table edition and key id."""

    def __call__(self, head: Head, facts: "StepFacts") -> DeidResult:
        """Return the new head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """What is known beside the object.

    now: Unix seconds.  system: our name, for the record of changes.  source: where it came from.
    words: what templates may name.  earlier, scheduled: for validation, None if not read.
    study: its UID as it came in, and approvals: what persons decided about it for this profile,
    approved or not.  believed, trusted: what it says of its pixels, and of its private elements,
    is true.  tail_end: where the pixels of the stored object end, None if its head tells.
    """

    now: float
    system: str
    source: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    earlier: Earlier | None = None
    scheduled: Scheduled | None = None
    study: str = ""
    approvals: Mapping[str, bool] = field(default_factory=dict)
    believed: bool = False
    trusted: bool = False
    tail_end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a recipe names, resolved.  digest: of everything that decides what comes out.

    keys: for new UIDs, by the text of their source.
    """

    digest: str
    validations: tuple[Validation, ...] = ()
    edits: tuple[Edit, ...] = ()
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict)
    deidentify: Deidentify | None = None

    @property
    def asks_earlier(self) -> bool:
        """Whether the journal must be asked first."""
        return any(one.source == validate.EARLIER for one in self.validations)

    @property
    def asks_worklist(self) -> bool:
        """Whether the worklist must be asked first."""
        return any(one.source == validate.WORKLIST for one in self.validations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """The new head.  mark: of our de-identification, "" without.  pixels: a job, or None.

    passed: what validation found and let pass, in words.  tail_end: where the tail that leaves
    ends in the old object, -1: at its end.  check: what the bytes that leave must pass, or None.
    unwritten: nothing may be written in the pixels that leave.
    """

    head: bytes
    tail_end: int = -1
    identity: Identity
    changes: tuple[Change, ...] = ()
    passed: tuple[str, ...] = ()
    mark: str = ""
    report: str = ""
    pixels: Any = None
    check: Any = field(default=None, compare=False, repr=False)
    unwritten: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Not sent.  detail: values side by side as JSON.  transient: it may pass by itself."""

    reason: HoldReason
    why: str
    transient: bool = False
    detail: str = ""


def apply(head: Head, tools: Tools, facts: StepFacts, lead: bytes = b"") -> Treated | Failed:
    """Return what becomes of a head.  lead: the first bytes of the tail (at least 12, if any)."""
    try:
        return _apply(head, tools, facts, lead)
    except _RejectedError as rejected:
        return rejected.failed
    except HeldError as held:
        failed = Failed(
            reason=held.reason, why=held.why, transient=held.transient, detail=held.detail
        )
    except Exception as error:  # noqa: BLE001 - a failing step holds, and sends nothing (R-65)
        deidentifying = tools.deidentify is not None
        reason = HoldReason.DEID_FAILED if deidentifying else HoldReason.RULE_ERROR
        failed = Failed(reason=reason, why=_words(error))
    return failed


class _RejectedError(Exception):
    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.why)
        self.failed = failed


def _words(error: Exception) -> str:
    """Name an error; its text may quote the object."""
    if isinstance(error, DatasetError):
        return f"the head cannot be edited: {error}"
    return f"the step failed inside ({type(error).__name__})"


def check(head: Head, tools: Tools, facts: StepFacts) -> Failed | None:
    """Run the validations only: what refuses an object before its sender gets an answer.

    Raises whatever goes wrong: what cannot be judged is accepted, and held later (R-10).
    """
    work = _work(parse(head), tools, facts)
    for validation in tools.validations:
        found = validate.check(validation, _known(work, tools, facts))
        if found is not None and validation.action(found.kind).do == validate.REJECT:
            return _failed(found)
    return None


def _apply(head: Head, tools: Tools, facts: StepFacts, lead: bytes) -> Treated:
    if not head.whole:
        raise misfit("the head is too long to be edited")
    work = _work(parse(head), tools, facts)
    passed: list[str] = []
    corrected = False
    for validation in tools.validations:
        found = validate.check(validation, _known(work, tools, facts))
        if found is not None:
            corrected |= _act(validation, found, work)
            passed.append(found.why)
    for edit in tools.edits:
        edit.apply(work)
        corrected |= edit.corrects
    if work.changes and tools.deidentify is None:
        _record(head, work, facts, CORRECT if corrected else COERCE)
    data = encode(work.tree) if work.changes else head.data
    changes = tuple(work.changes)
    if tools.deidentify is None:
        return Treated(
            head=data, identity=_identity(work.tree), changes=changes, passed=tuple(passed)
        )
    again = _head(head, data, lead) if work.changes else head
    if work.changes and facts.tail_end is None:
        facts = replace(facts, tail_end=_tail_end(head))
    return _deidentified(again, tools.deidentify, facts, lead, (changes, tuple(passed)))


def _work(tree: Tree, tools: Tools, facts: StepFacts) -> Work:
    return Work(tree=tree, facts=facts.words, tables=tools.tables, keys=tools.keys)


def _known(work: Work, tools: Tools, facts: StepFacts) -> Known:
    return Known(
        values=work.values,
        fill=work.said,
        tables=tools.tables,
        earlier=facts.earlier,
        scheduled=facts.scheduled,
    )


def _act(validation: Validation, found: Finding, work: Work) -> bool:
    """Do what the configuration wants about a finding; return whether something was corrected."""
    action = validation.action(found.kind)
    if action.do == validate.PASS:
        return False
    if action.do == validate.TAG:
        for place in reach(work.tree, action.tag):
            work.write(place, action.tag, [work.said(read_template(action.text))])
        return False
    if action.do == validate.CORRECT:
        for path, _ours, theirs in found.sides:
            for place in find(work.tree, path) or reach(work.tree, path):
                work.write(place, path, [theirs])
        return True
    raise _RejectedError(_failed(found))


def _failed(found: Finding) -> Failed:
    sides = [list(side) for side in found.sides]
    detail = {"validation": found.validation, "source": found.source, "sides": sides}
    return Failed(
        reason=HoldReason.VALIDATION,
        why=found.why,
        transient=found.kind == "source-down",
        detail=json.dumps(detail, ensure_ascii=False),
    )


def _record(head: Head, work: Work, facts: StepFacts, reason: str) -> None:
    record(
        work.tree,
        previous(parse(head), [change.top for change in work.changes]),
        now=facts.now,
        system=facts.system,
        source=facts.source,
        reason=reason,
    )


def _identity(tree: Tree) -> Identity:
    text = tree.text
    return Identity(
        text(tags.SOP_CLASS_UID),
        text(tags.SOP_INSTANCE_UID),
        text(tags.STUDY_INSTANCE_UID),
        text(tags.SERIES_INSTANCE_UID),
        text(tags.PATIENT_ID),
        text(tags.MODALITY),
    )


def _head(before: Head, data: bytes, lead: bytes) -> Head:
    """Return new bytes as a head; a deflated one's are inflated."""
    from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_LE

    syntax = before.transfer_syntax_uid
    plain = EXPLICIT_VR_LE if syntax in DEFLATED_SYNTAXES else syntax
    made = Head.from_bytes(data + lead, plain, tail_missing=bool(lead))
    made.transfer_syntax_uid = syntax
    return made


def _tail_end(head: Head) -> int | None:
    """Return where the pixels of a stored object end, None if its head does not tell."""
    from waystation.transforms.deid.engine import TailError, tail_end

    try:
        return tail_end(head)
    except TailError:
        return None


def _deidentified(
    head: Head,
    deidentify: Deidentify,
    facts: StepFacts,
    lead: bytes,
    so_far: tuple[Sequence[Change], Sequence[str]],
) -> Treated:
    changes, passed = so_far
    try:
        done = deidentify(head, facts)
        found = identity(_head(head, done.head, lead))
    except HeldError as held:
        raise HeldError(HoldReason.DEID_FAILED, held.why, transient=held.transient) from held
    except Exception as error:
        raise HeldError(
            HoldReason.DEID_FAILED, f"de-identification failed inside ({type(error).__name__})"
        ) from error
    return Treated(
        head=done.head,
        tail_end=done.tail_end,
        identity=found,
        # Values of the original have no place beside a de-identified object.
        changes=tuple(Change(path=one.path, top=one.top) for one in changes),
        passed=tuple(passed),
        mark=done.mark,
        report=done.report,
        pixels=done.pixels,
        check=done.check,
        unwritten=done.unwritten,
    )
