"""What became of objects by the steps of a rule: recipes, treated heads, findings (R-65 to R-69).

Contract: a treatment is written before anything of it is sent, and never changed afterwards, so
that a retry, and the next life of this process, send the same bytes.  Of two lanes that treat the
same object at the same time the first one's result is everybody's.  It goes with the bytes of its
arrival; what was changed stays as long as the row.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.journal import arrivals
from waystation.journal.counts import Shift
from waystation.journal.entries import Told
from waystation.model.arrival import Arrival
from waystation.model.delivery import State, Step, advance
from waystation.model.recipe import Recipe, digest_of

_RECIPE = "INSERT INTO recipe (digest, text) VALUES (:digest, :text) ON CONFLICT DO NOTHING"
_COLUMNS = (
    "arrival, recipe, tools, head, tail_offset, tail_end, blob, sha256, size_bytes, sop_class,"
    " sop_instance, study, series, transfer_syntax, deidentified, changes, report, made_at"
)
_NAMES = _COLUMNS.replace(" ", "").split(",")
_KEEP = (
    "INSERT INTO treatment (" + _COLUMNS + ") VALUES (:arrival, :recipe, :tools, :head,"
    " :tail_offset, :tail_end, :blob, :sha256, :size_bytes, :sop_class, :sop_instance, :study,"
    " :series, :transfer_syntax, :deidentified, :changes, :report, :made_at)"
    " ON CONFLICT DO NOTHING"
)
_ONE = (
    "SELECT " + _COLUMNS + " FROM treatment"
    " WHERE arrival = :arrival AND recipe = :recipe AND tools = :tools"
)

Key = tuple[int, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """One treated object: ``head`` before the tail of the arrival, or all of it in ``blob``.

    tail_offset, tail_end: of the tail that leaves, in the original (of inflated bytes, for a
    deflated one); -1: to its end.
    deidentified: the mark of our de-identification, "" without.  changes: (path, before, after).
    """

    arrival: int
    recipe: str
    tools: str
    head: bytes
    tail_offset: int
    tail_end: int = -1
    blob: str = ""
    sha256: str
    size_bytes: int
    sop_class: str
    sop_instance: str
    study: str
    series: str
    transfer_syntax: str
    deidentified: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()
    report: str = ""
    made_at: float

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.arrival, self.recipe, self.tools


def keep_recipes(texts: Iterable[str]) -> Job[None]:
    """Remember recipes, before anything is planned by them."""
    rows = [{"digest": digest_of(text), "text": text} for text in sorted({*texts} - {""})]

    def job(transaction: Transaction) -> None:
        transaction.many(_RECIPE, rows)

    return job


def add_recipe(transaction: Transaction, recipe: Recipe) -> str:
    """Remember one recipe; return its digest."""
    if recipe.text:
        transaction.run(_RECIPE, {"digest": recipe.digest, "text": recipe.text})
    return recipe.digest


def recipe_of(transaction: Transaction, digest: str) -> Recipe:
    """Return a recipe by its digest; one that does nothing if it is not known."""
    row = transaction.one("SELECT text FROM recipe WHERE digest = :digest", {"digest": digest})
    return Recipe.from_text(row[0]) if row is not None else Recipe()


def recipes(digests: Sequence[str]) -> Job[dict[str, Recipe]]:
    """Read recipes; what is not known is left out."""

    def job(transaction: Transaction) -> dict[str, Recipe]:
        found = {digest: recipe_of(transaction, digest) for digest in digests}
        return {digest: recipe for digest, recipe in found.items() if recipe.text}

    return job


def known(keys: Sequence[Key]) -> Job[dict[Key, Treatment]]:
    """Read what was treated before and can still be sent."""
    return lambda transaction: standing(keys)(transaction).made


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """made: what was treated before and can still be sent.  arrivals: by id, of all the others."""

    made: dict[Key, Treatment]
    arrivals: dict[int, Arrival]


def standing(keys: Sequence[Key]) -> Job[Standing]:
    """Read what there is of some treatments, and what is needed to make the others."""

    def job(transaction: Transaction) -> Standing:
        made: dict[Key, Treatment] = {}
        found: dict[int, Arrival] = {}
        for key in keys:
            one = _read(transaction, key)
            if one is not None and (one.head or one.blob):
                made[key] = one
            elif (arrival := arrivals.read(transaction, key[0])) is not None:
                found[key[0]] = arrival
        return Standing(made=made, arrivals=found)

    return job


def keep(made: Sequence[Treatment]) -> Job[list[Treatment]]:
    """Write treatments; return what stands there now, in the same order."""

    def job(transaction: Transaction) -> list[Treatment]:
        stands = []
        for one in made:
            there = _read(transaction, one.key)
            if there is not None and not (there.head or there.blob):
                # Its bytes went with an earlier blob of the arrival.
                _forget(transaction, one.key)
            transaction.run(_KEEP, _values(one))
            stands.append(_read(transaction, one.key) or one)
        return stands

    return job


def forget(key: Key) -> Job[None]:
    """Forget a treatment whose file is gone or damaged: it is made anew."""
    return lambda transaction: _forget(transaction, key)


def _forget(transaction: Transaction, key: Key) -> None:
    transaction.run(
        "DELETE FROM treatment WHERE arrival = :arrival AND recipe = :recipe AND tools = :tools",
        dict(zip(("arrival", "recipe", "tools"), key, strict=True)),
    )


def _read(transaction: Transaction, key: Key) -> Treatment | None:
    row = transaction.one(_ONE, dict(zip(("arrival", "recipe", "tools"), key, strict=True)))
    return None if row is None else _from(row)


def _values(one: Treatment) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _NAMES}
    changes = json.dumps(one.changes, ensure_ascii=False) if one.changes else ""
    return values | {"sha256": bytes.fromhex(one.sha256), "changes": changes}


def _from(row: Row) -> Treatment:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    changes = json.loads(values["changes"]) if values["changes"] else []
    return Treatment(
        **values
        | {
            "head": bytes(values["head"]),
            "sha256": bytes(values["sha256"]).hex(),
            "changes": tuple((path, before, after) for path, before, after in changes),
        }
    )


# with the bytes of the arrival


def drop_bytes(transaction: Transaction, arrival_id: int) -> list[str]:
    """Let go of the treated bytes of an arrival; return the names of their blobs."""
    one = {"id": arrival_id}
    names = [
        str(row[0])
        for row in transaction.rows(
            "SELECT blob FROM treatment WHERE arrival = :id AND blob <> ''", one
        )
    ]
    transaction.run(
        "UPDATE treatment SET head = :none, blob = '' WHERE arrival = :id", one | {"none": b""}
    )
    return names


def purge(transaction: Transaction, arrival_id: int) -> None:
    """Forget everything about an arrival that goes; before its deliveries do."""
    one = {"id": arrival_id}
    transaction.run("DELETE FROM treatment WHERE arrival = :id", one)
    transaction.run(
        "DELETE FROM finding WHERE delivery IN (SELECT d.id FROM delivery d WHERE d.arrival = :id)",
        one,
    )


# findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Why a step held a delivery.  detail: JSON with values side by side, "" for none.

    again_at: when it is tried again by itself (Unix seconds), None: when a person says so.
    """

    delivery: int
    detail: str = ""
    again_at: float | None = None


def note(found: Sequence[Found], now: float) -> Job[None]:
    """Write why deliveries are about to be held."""

    def job(transaction: Transaction) -> None:
        for one in found:
            values = {"id": one.delivery, "at": now, "detail": one.detail, "again": one.again_at}
            transaction.run("DELETE FROM finding WHERE delivery = :id", values)
            transaction.run(
                "INSERT INTO finding (delivery, at, detail, again_at)"
                " VALUES (:id, :at, :detail, :again)",
                values,
            )

    return job


_HELD_BY_STEPS = ("validation", "rule-error", "deid-failed")
SOON_S = 1.0


def next_again() -> Job[float | None]:
    """Read when the first delivery is tried again by itself, None if there is none."""

    def job(transaction: Transaction) -> float | None:
        row = transaction.one("SELECT min(again_at) FROM finding WHERE again_at IS NOT NULL")
        return None if row is None or row[0] is None else float(row[0])

    return job


def release_again(now: float, limit: int) -> Job[list[str]]:
    """Let go what is to be tried again; return the destinations (R-68)."""

    def job(transaction: Transaction) -> list[str]:
        rows = transaction.rows(
            "SELECT d.id, d.destination, d.state, d.hold_reason FROM finding f"
            " JOIN delivery d ON d.id = f.delivery"
            " WHERE f.again_at IS NOT NULL AND f.again_at <= :now LIMIT :limit",
            {"now": now, "limit": limit},
        )
        shift = Shift()
        after = advance(State.HELD, Step.RETRY)
        released = []
        for delivery_id, destination, state, reason in rows:
            # It is being held at this moment: look again in a while.
            soon = now + SOON_S if state == State.SENDING.value else None
            values = {"id": delivery_id, "now": now, "after": after.value, "soon": soon}
            transaction.run("UPDATE finding SET again_at = :soon WHERE delivery = :id", values)
            if state != State.HELD.value or reason not in _HELD_BY_STEPS:
                continue
            transaction.run(
                "UPDATE delivery SET state = :after, hold_reason = NULL, due = :now"
                " WHERE id = :id AND state = 'held'",
                values,
            )
            shift.move(destination, State.HELD.value, after.value)
            released.append(str(destination))
        shift.write(transaction)
        return released

    return job


# telling


_TOLD = (
    "SELECT t.changes, t.deidentified, t.sha256, t.report FROM treatment t WHERE"
    " t.arrival = :arrival AND t.recipe = :recipe ORDER BY t.made_at DESC LIMIT 1"
)


def told(transaction: Transaction, delivery_id: int) -> Told | None:
    """Return what was done to a delivery, None if nothing is to be."""
    row = transaction.one(
        "SELECT d.arrival, d.recipe, f.detail FROM delivery d LEFT JOIN finding f"
        " ON f.delivery = d.id AND d.state = 'held' WHERE d.id = :id",
        {"id": delivery_id},
    )
    if row is None or not row[1]:
        return None
    steps = recipe_of(transaction, row[1]).words
    done = transaction.one(_TOLD, {"arrival": row[0], "recipe": row[1]})
    if done is None:
        return Told(steps=steps, detail=row[2] or "")
    changes = json.loads(done[0]) if done[0] else []
    return Told(
        steps=steps,
        changes=tuple((path, before, after) for path, before, after in changes),
        deidentified=done[1],
        sha256=bytes(done[2]).hex(),
        report=done[3],
        detail=row[2] or "",
    )
