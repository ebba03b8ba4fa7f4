"""Drafts of steps into the worklist, so that the same file twice is the same steps.

Contract: a draft whose study UID and step id are there already changes that step; any other
becomes a new one.  Everything in one transaction.  Steps that are over are left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from waystation.flows.entry_files import said_by
from waystation.index.step_book import StepBook
from waystation.matching.entry_data import laid_over
from waystation.model.step import LISTED, Author, Step, StepDraft


@dataclass(slots=True)
class Imported:
    """Numbers of steps."""

    made: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)


def import_drafts(book: StepBook, drafts: Sequence[StepDraft], author: Author) -> Imported:
    """Bring drafts into the worklist.  Raises `StepFaults`, and then nothing has changed."""
    done = Imported()
    for draft in drafts:
        before = _there(book, draft)
        if before is None:
            done.made.append(book.add(draft, author).id)
            continue
        if before.state not in LISTED:
            done.left.append(before.id)
            continue
        after = _over(book, before, draft, author)
        (done.same if after.version == before.version else done.changed).append(after.id)
    return done


def _there(book: StepBook, draft: StepDraft) -> Step | None:
    said = said_by(draft)
    if not said.study_uid or not said.step_id:
        return None
    found = book.find(study_uid=said.study_uid, step_id=said.step_id)
    return found[0] if found else None


def _over(book: StepBook, before: Step, draft: StepDraft, author: Author) -> Step:
    if not draft.data:
        return book.change(before.id, draft.values, None, author, "imported again")
    data = laid_over(draft.data, draft.values) if draft.values else draft.data
    return book.replace(before.id, data, author, "imported again")
