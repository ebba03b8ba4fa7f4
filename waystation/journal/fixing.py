"""A corrected version of one delivery: the original stays, the recipe grows (R-59).

Contract: only what waits or is held can be fixed; a person has looked at it, so validation is not
asked again.  What is sent is made by the edit step like any other edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import treatments
from waystation.journal.counts import Shift, count
from waystation.model.delivery import HoldReason, State, Step, advance

FIXABLE = (State.WAITING.value, State.HELD.value)
# A damaged copy stays damaged, and no edit brings a destination back.
_NOT_BY_EDIT = (HoldReason.CORRUPT.value, HoldReason.DESTINATION_GONE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What became of a fix.  problem: why it was not done, "" if it was."""

    destination: str = ""
    study: str = ""
    group: str = ""
    problem: str = ""


def fix(delivery_id: int, edits: Sequence[Mapping[str, Any]], by: str, now: float) -> Job[Fixed]:
    """Give a delivery further edits and let it go."""

    def job(transaction: Transaction) -> Fixed:
        row = transaction.one(
            "SELECT destination, study, grp, state, hold_reason, recipe FROM delivery"
            " WHERE id = :id",
            {"id": delivery_id},
        )
        if row is None:
            return Fixed(problem="there is no such delivery")
        destination, study, group, state, reason, digest = row
        if state not in FIXABLE:
            return Fixed(problem=f"it is {state}: only what waits or is held can be fixed")
        if reason in _NOT_BY_EDIT:
            return Fixed(problem=f"it is held for {reason}, which no edit mends")
        known = treatments.recipe_of(transaction, digest)
        if digest and not known.text:
            # Without its steps, which may be de-identification, it must not go on.
            return Fixed(problem="its steps are not known any more")
        recipe = known.unchecked().with_edits(*edits)
        held = state == State.HELD.value
        after = advance(State.HELD, Step.RETRY) if held else State.WAITING
        transaction.run(
            "UPDATE delivery SET recipe = :recipe, state = :after, hold_reason = NULL, due = :now,"
            " object_failures = 0, first_failed_at = NULL, why = :why WHERE id = :id",
            {
                "id": delivery_id,
                "recipe": treatments.add_recipe(transaction, recipe),
                "after": after.value,
                "now": now,
                "why": f"fixed by {by}"[:500],
            },
        )
        if held:
            shift = Shift()
            shift.move(destination, state, after.value)
            shift.write(transaction)
        count(transaction, "decided.fix", 1)
        return Fixed(destination=destination, study=study, group=group)

    return job


def let_unchecked(transaction: Transaction, delivery_id: int) -> None:
    """Let a delivery go on without validation: a person released it as it is.

    One whose steps are not known any more keeps them, and is held again: among them may be
    de-identification, which nobody can skip (D-39).
    """
    row = transaction.one("SELECT recipe FROM delivery WHERE id = :id", {"id": delivery_id})
    if row is None or not row[0]:
        return
    known = treatments.recipe_of(transaction, row[0])
    if not known.text:
        return
    recipe = known.unchecked()
    transaction.run(
        "UPDATE delivery SET recipe = :recipe WHERE id = :id",
        {"id": delivery_id, "recipe": treatments.add_recipe(transaction, recipe)},
    )
