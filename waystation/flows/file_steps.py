"""The steps of a worklist file, brought to what the file says (T-56).

Contract: runs inside the caller's transaction.  An entry is a step that the file held before if
its ids say so, or if nothing that both say tells them apart; else it is a new one, and the old one
is cancelled.  What was started or is over stays as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from waystation.flows.entry_files import Said, said_by
from waystation.index.step_book import StepBook
from waystation.journal.step_files import StepFile
from waystation.matching.entry_data import laid_over
from waystation.model.step import LISTED, Author, Step, StepDraft, StepState

BACK: Final = frozenset({StepState.CANCELLED, StepState.EXPIRED})


def brought(
    book: StepBook, file: StepFile, drafts: Iterable[StepDraft], author: Author
) -> tuple[int, ...]:
    """Bring the steps of a file to what it says now; return their numbers."""
    left = [step for number in file.steps if (step := book.get(number)) and not step.deleted_at]
    kept: list[int] = []
    for draft in drafts:
        said = said_by(draft)
        found = _named(left, said)
        if found is None and said.study_uid and said.step_id:
            # The file may have had another name before.
            there = book.find(study_uid=said.study_uid, step_id=said.step_id)
            found = next(iter(there), None)
        if found is None:
            kept.append(book.add(draft, author).id)
            continue
        left = [one for one in left if one.id != found.id]
        if found.state in BACK:
            found = book.move(found.id, StepState.SCHEDULED, author, "its file is there again")
        if found.state in LISTED:
            data = laid_over(draft.data, draft.values) if draft.values else draft.data
            book.replace(found.id, data, author, "its file was changed")
        kept.append(found.id)
    for one in left:
        if one.listed:
            book.move(one.id, StepState.CANCELLED, author, "its file holds it no more")
    return tuple(kept)


def _named(steps: Sequence[Step], said: Said) -> Step | None:
    """Return the step that an entry speaks of, None if it is a new one.

    By the name of its file alone no entry is the step of another patient, or one that is over:
    many a RIS writes each patient of a station into the same file.
    """
    alike = [one for one in steps if _agree(one, said)]
    for one in alike:
        if said.study_uid and (one.study_uid, one.step_id) == (said.study_uid, said.step_id):
            return one
    return next(
        (one for one in alike if one.state in LISTED | BACK or _is_in_study(one, said)), None
    )


def _is_in_study(step: Step, said: Said) -> bool:
    return bool(said.study_uid) and step.study_uid == said.study_uid


def _agree(step: Step, said: Said) -> bool:
    """Tell whether nothing that both say tells them apart."""
    pairs = [
        (step.study_uid, said.study_uid),
        (step.step_id, said.step_id),
        (step.accession, said.accession),
        (step.patient_id, said.patient_id),
    ]
    if not (step.patient_id or said.patient_id):
        pairs.append((step.patient_name, said.patient_name))
    return all(ours == theirs for ours, theirs in pairs if ours and theirs)
