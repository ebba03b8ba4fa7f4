"""Everything that may be done to steps, inside one transaction of the caller (T-54, T-59, T-63).

Contract: a `StepBook` lives as long as its transaction.  Each method either does the whole of what
it is asked and writes it into the history, or raises (`StepFaults`, `StepConflict`, `StepRefused`)
before anything has changed.  ``told`` collects what happened, for whoever hears of it after the
commit.  Ids that the source did not give are made here, each of them once (T-54).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from waystation.db.statement import Transaction
from waystation.index.step_ids import BookTerms, fixed, text_of, with_ids, with_made
from waystation.index.step_rows import COLUMNS, Told, changes, from_row, joined, note, put
from waystation.matching.entry import flat
from waystation.matching.entry_data import laid_over, split
from waystation.matching.entry_form import faults
from waystation.model.step import (
    Author,
    Change,
    Fault,
    Step,
    StepConflict,
    StepDraft,
    StepFaults,
    StepRefused,
    StepState,
    Values,
    advance,
)

UNDO_S: Final = 600.0
STATUS: Final = "ScheduledProcedureStepStatus"
TOUCHED: Final = frozenset({StepState.STARTED, StepState.COMPLETED, StepState.DISCONTINUED})
_PRESENT: Final = "AND s.deleted_at IS NULL ORDER BY s.id"
_FIND: Final = {
    "study_uid": "s.study_uid = :study_uid",
    "accession": "s.accession = :accession",
    "patient_id": "s.patient_id = :patient_id",
    "placer": "s.placer = :placer",
    "filler": "s.filler = :filler",
    "step_id": "s.step_id = :step_id",
    "procedure_id": "s.procedure_id = :procedure_id",
}


@dataclass(slots=True)
class StepBook:
    """Steps, as one transaction sees them."""

    transaction: Transaction
    terms: BookTerms
    told: list[Told] = field(default_factory=list)

    # reading

    def get(self, step_id: int) -> Step | None:
        """Return a step, a deleted one too; None if there is none."""
        row = self.transaction.one(
            f"SELECT {COLUMNS} FROM step s WHERE s.id = :id",
            {"id": step_id},
        )
        return None if row is None else from_row(row)

    def find(self, *, states: Sequence[StepState] = (), **said: str) -> list[Step]:
        """Return the steps, not deleted ones, that have all of these values, oldest first.

        said: study_uid, accession, patient_id, placer, filler, step_id, procedure_id; an empty
        value is not asked for.  Without any, nothing is found.
        """
        asked = {name: value for name, value in said.items() if value}
        if not asked:
            return []
        where = " AND ".join(_FIND[name] for name in asked)
        rows = self.transaction.rows(
            joined(f"SELECT {COLUMNS} FROM step s WHERE", where, _PRESENT), asked
        )
        found = map(from_row, rows)
        return [step for step in found if not states or step.state in states]

    def history(self, step_id: int, since: int = 0) -> list[Change]:
        """Return what happened to a step after a version, oldest first."""
        return changes(self.transaction, step_id, since)

    # writing

    def add(self, draft: StepDraft, author: Author) -> Step:
        """Keep a new step.  What a file (``data``) does not say is not made up (T-51)."""
        return self.add_all([draft], author)[0]

    def add_all(
        self, drafts: Sequence[StepDraft], author: Author, *, one_order: bool = False
    ) -> list[Step]:
        """Keep new steps; ``one_order``: ids that are made for the order are those of the first."""
        wrong = [fault for draft in drafts for fault in _faults(draft.values)]
        if wrong:
            raise StepFaults(wrong)
        shared: dict[str, str] = {}
        kept = []
        for draft in drafts:
            for part in self._parts(draft):
                kept.append(self._keep(part, author, shared if one_order else {}))
        return kept

    def _parts(self, draft: StepDraft) -> list[StepDraft]:
        """Return a draft, or one for each of its steps where that is wanted (T-54)."""
        parts = split(draft.data) if draft.data and self.terms.splits(draft.area) else []
        return [replace(draft, data=part) for part in parts] if len(parts) > 1 else [draft]

    def _keep(self, draft: StepDraft, author: Author, shared: dict[str, str]) -> Step:
        values, state = _without_status(draft.values, flat(draft.data) if draft.data else {})
        data = laid_over(draft.data, values) if values else draft.data
        if not draft.data:
            data = laid_over(data, {STATUS: state.value.upper()})
            data = with_ids(self.transaction, self.terms, data, draft.area, shared, draft.scheduled)
        now = self.terms.now
        step = Step(
            id=self._next_id(),
            version=1,
            state=state,
            area=draft.area,
            data=data,
            origin=author,
            created_at=now,
            changed_at=now,
            state_at=now,
        )
        step = put(self.transaction, step, new=True)
        self._note(step, author, "created", after={"state": state.value})
        return step

    def fill(self, step_id: int, author: Author) -> Step:
        """Make the ids that a step lacks, for one whose file gave none."""
        step = self._present(step_id)
        data = with_ids(self.transaction, self.terms, step.data, step.area, {})
        return self._written(step, data, author, "changed", "ids made") if data else step

    def change(
        self,
        step_id: int,
        values: Values,
        version: int | None,
        author: Author,
        why: str = "",
        *,
        area: str | None = None,
    ) -> Step:
        """Put values over a step.  version: the one that was looked at, None for whichever."""
        step = self._present(step_id)
        if version is not None and version != step.version:
            raise StepConflict(step, self.history(step_id, version))
        wrong = [*_faults(values), *fixed(self.transaction, step, values)]
        if wrong:
            raise StepFaults(wrong)
        kept, state = _without_status(values, {}, default=step.state)
        if state is not step.state:
            advance(step.state, state)
        data = laid_over(step.data, kept) if kept else step.data
        if area is not None and area != step.area:
            step = replace(step, area=area)
            step = self._written(step, data, author, "changed", why or f"area {area or 'all'}")
        elif data != step.data:
            step = self._written(step, data, author, "changed", why)
        return step if state is step.state else self.move(step_id, state, author, why)

    def replace(self, step_id: int, data: bytes, author: Author, why: str = "") -> Step:
        """Put another data set in the place of a step's own, as a file that changed says it.

        Ids that were made here stay (T-54).
        """
        step = self._present(step_id)
        data = with_made(self.transaction, step, data)
        return step if data == step.data else self._written(step, data, author, "changed", why)

    def move(self, step_id: int, to: StepState, author: Author, why: str = "") -> Step:
        """Bring a step to another state; nothing happens if it is there already."""
        step = self._present(step_id)
        if to is step.state:
            return step
        before = step.state.value
        step = replace(step, state=advance(step.state, to), state_at=self.terms.now)
        return self._saved(step, author, "moved", why, {"state": before}, {"state": to.value})

    def delete(self, step_id: int, author: Author) -> Step:
        """Delete a step that was never started; `restore` brings it back for ten minutes."""
        step = self._present(step_id)
        said = {change.after.get("state") for change in self.history(step_id)}
        if step.state in TOUCHED or said & {state.value for state in TOUCHED}:
            raise StepRefused("a step that was started is not deleted; cancel it")
        step = replace(step, deleted_at=self.terms.now)
        return self._saved(step, author, "deleted")

    def restore(self, step_id: int, author: Author) -> Step:
        """Undo a deletion."""
        step = self.get(step_id)
        if step is None or step.deleted_at is None:
            raise StepRefused("there is no deleted step of this number")
        if self.terms.now - step.deleted_at > UNDO_S:
            raise StepRefused("it was deleted more than ten minutes ago")
        return self._saved(replace(step, deleted_at=None), author, "restored")

    def split(self, step_id: int, author: Author) -> list[Step]:
        """Make one step of each item of a step sequence that has several (T-54)."""
        step = self._present(step_id)
        parts = split(step.data)
        if len(parts) < 2:
            raise StepRefused("it has no more than one step")
        first = self._written(step, parts[0], author, "split")
        others = [
            self._keep(StepDraft(data=part, area=step.area), author, {}) for part in parts[1:]
        ]
        return [first, *others]

    # within

    def _present(self, step_id: int) -> Step:
        step = self.get(step_id)
        if step is None or step.deleted_at is not None:
            raise StepRefused("there is no step of this number")
        return step

    def _written(self, step: Step, data: bytes, author: Author, what: str, why: str = "") -> Step:
        before, after = _differences(flat(step.data), flat(data))
        return self._saved(replace(step, data=data), author, what, why, before, after)

    def _saved(
        self,
        step: Step,
        author: Author,
        what: str,
        why: str = "",
        before: Mapping[str, str] | None = None,
        after: Mapping[str, str] | None = None,
    ) -> Step:
        step = replace(step, version=step.version + 1, changed_at=self.terms.now)
        step = put(self.transaction, step, new=False)
        self._note(step, author, what, why, before, after)
        return step

    def _note(
        self,
        step: Step,
        author: Author,
        what: str,
        why: str = "",
        before: Mapping[str, str] | None = None,
        after: Mapping[str, str] | None = None,
    ) -> None:
        change = Change(
            at=self.terms.now,
            version=step.version,
            author=author,
            what=what,
            why=why,
            before=before or {},
            after=after or {},
        )
        note(self.transaction, step.id, change)
        self.told.append(Told(step=step, change=change))

    def _next_id(self) -> int:
        row = self.transaction.one("SELECT coalesce(max(id), 0) FROM step")
        return max(self.terms.next_id(), (row[0] if row else 0) + 1)


_STATES: Final = {state.value.upper(): state for state in StepState}


def _faults(values: Values) -> list[Fault]:
    found = list(faults(values))
    said = text_of(values.get(STATUS, ""))
    if said and said not in _STATES:
        known = ", ".join(_STATES)
        found.append(Fault(keyword=STATUS, text=f"is no state of a step; expected one of {known}"))
    return found


def _without_status(
    values: Values,
    there: Mapping[str, Sequence[str]],
    default: StepState = StepState.SCHEDULED,
) -> tuple[Values, StepState]:
    """Return the values but the status, and the state that it means."""
    said = text_of(values.get(STATUS, "")) or text_of(there.get(STATUS, ""))
    kept = {keyword: value for keyword, value in values.items() if keyword != STATUS}
    return kept, _STATES.get(said, default)


def _differences(
    before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], dict[str, str]]:
    keywords = [one for one in {**before, **after} if before.get(one) != after.get(one)]
    return (
        {one: "\\".join(before.get(one, ())) for one in keywords},
        {one: "\\".join(after.get(one, ())) for one in keywords},
    )
