"""Objects that somebody deletes by name: a study, a series, an instance (W-99).

Contract: `Deletion.delete` takes all of what a path means, or nothing: never while one of the
objects is held, waits, is being sent or belongs to something that is not complete.  What is left of
the study is written anew from its objects, in the same transaction.  The bytes stay until the sweep
finds that nobody needs them; the UIDs are remembered.

`Deletion.dismiss` takes out what was found damaged and a person has given up: what nobody can fetch
is not found either.  Another damaged object of the study, which nobody has given up, stays listed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.index.corrections import end_of_gone
from waystation.index.proof import Member, filings_of, members_of, written
from waystation.index.removal import NEEDED
from waystation.index.search import Heads
from waystation.index.unread import as_listed
from waystation.model.errors import StorageError

TRIES: Final = 5
NEEDED_STILL: Final = "objects of it are still being sent, held or waited for"
_NEEDED: Final = "SELECT 1 FROM arrival a WHERE a.id = :id AND (" + NEEDED + ")"
_NOTE: Final = (
    "INSERT INTO removal (id, at, author, study, instances, size_bytes, why)"
    " VALUES (:id, :at, :author, :study, :n, :size_bytes, :why)"
)
_REMEMBER: Final = (
    "INSERT INTO deletion (uid, at) VALUES (:uid, :at) ON CONFLICT (uid) DO UPDATE SET at = :at"
)
_DAMAGED: Final = (
    "SELECT a.study, a.id FROM arrival a JOIN archived k ON k.arrival = a.id"
    " WHERE a.id = :id AND a.hold_reason = 'corrupt'"
)
_END: Final = (
    "UPDATE arrival SET hold_reason = NULL, ended_why = :ended"
    " WHERE id = :id AND hold_reason = 'corrupt'"
)
_REMOVED: Final = (
    "SELECT 1 FROM removal r WHERE r.study = :study"
    " AND NOT EXISTS (SELECT 1 FROM study s WHERE s.uid = :study)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of a wish.  objects: how many went.  why: why nothing went, or "".

    gone: nothing is left of the study.
    """

    objects: int = 0
    why: str = ""
    gone: bool = False


def was_here(path: Mapping[str, str]) -> Job[bool]:
    """Read whether something of a path was deleted, or its study removed by a rule."""

    def job(transaction: Transaction) -> bool:
        for uid in path.values():
            if transaction.one("SELECT 1 FROM deletion WHERE uid = :uid", {"uid": uid}):
                return True
        return transaction.one(_REMOVED, {"study": path["study"]}) is not None

    return job


def damaged(arrivals: Sequence[int]) -> Job[dict[str, set[int]]]:
    """Read which of some arrivals are archived and held as damaged, by their studies."""

    def job(transaction: Transaction) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for number in arrivals:
            for study, arrival in transaction.rows(_DAMAGED, {"id": number}):
                found.setdefault(study, set()).add(arrival)
        return found

    return job


class Deletion:
    """Of one archive.

    heads: reads the heads of objects.  next_id: an id of our own making.  left: is told of each
    arrival that ends, in the transaction that ends it.
    """

    def __init__(
        self,
        database: Database,
        heads: Heads,
        next_id: Callable[[], int],
        clock: Callable[[], float],
        left: Callable[[Transaction, int], object] = lambda _transaction, _arrival: None,
    ) -> None:
        self._left = left
        self._database = database
        self._heads = heads
        self._next_id = next_id
        self._clock = clock

    async def delete(self, path: Mapping[str, str], author: str) -> Deleted:
        """Delete what a path (study, then perhaps series and instance) leads to.

        Raises `StorageError` if what is left changes all the time.
        """
        return await self._without(
            path["study"],
            lambda one: _is_meant(one, path),
            lambda chosen, rewrite: self._job(path, author, chosen, rewrite),
        )

    async def dismiss(
        self, study: str, arrivals: Collection[int], author: str, why: str
    ) -> Deleted:
        """Take out objects that are held as damaged, and end them.

        Raises `StorageError` if what is left changes all the time.
        """
        return await self._without(
            study,
            lambda one: one.row.arrival_id in arrivals,
            lambda chosen, rewrite: self._ending(study, author, why, chosen, rewrite),
        )

    async def _without(
        self, study: str, is_meant: Callable[[Member], bool], job_of: "_JobOf"
    ) -> Deleted:
        for _ in range(TRIES):
            said, members = await self._database.read(members_of(study))
            chosen = [one for one in members if is_meant(one)]
            if not chosen:
                return Deleted()
            rest = [one for one in members if not is_meant(one)]
            filings = await filings_of(self._heads, rest)
            if len(filings) < len(rest):
                known = {one.arrival_id for one in filings}
                lost = [one for one in rest if one.row.arrival_id not in known]
                filings = [*await self._database.read(as_listed(lost)), *filings]
            rewrite = written(study, said, filings, self._next_id)
            done = await self._database.write(job_of(chosen, rewrite))
            if done is not None:
                return done
        raise StorageError("the study changes all the time")

    def _ending(
        self, study: str, author: str, why: str, chosen: Sequence[Member], rewrite: Job[bool]
    ) -> Job[Deleted | None]:
        because = f"damaged, given up by {author}: {why}"[:500]
        note = self._note(study, author, chosen, because)
        ended = f"discarded:{author}"

        def job(transaction: Transaction) -> Deleted | None:
            if not rewrite(transaction):
                return None
            for one in chosen:
                number = {"id": one.row.arrival_id}
                # What belongs to no study is no part of what was written anew.
                transaction.run("DELETE FROM instance WHERE arrival = :id", number)
                transaction.run("DELETE FROM archived WHERE arrival = :id", number)
                transaction.run(_END, {**number, "ended": ended})
                self._left(transaction, one.row.arrival_id)
            transaction.run(_NOTE, note)
            gone = end_of_gone(transaction, study, self._clock(), author)
            return Deleted(objects=len(chosen), gone=gone)

        return job

    def _note(
        self, study: str, author: str, chosen: Sequence[Member], why: str
    ) -> dict[str, object]:
        return {
            "id": self._next_id(),
            "at": self._clock(),
            "author": author,
            "study": study,
            "n": len(chosen),
            "size_bytes": sum(one.row.size_bytes for one in chosen),
            "why": why,
        }

    def _job(
        self,
        path: Mapping[str, str],
        author: str,
        chosen: Sequence[Member],
        rewrite: Job[bool],
    ) -> Job[Deleted | None]:
        level = list(path)[-1]
        why = f"deleted on request: {level} {path[level]}"
        note = self._note(path["study"], author, chosen, why)

        def job(transaction: Transaction) -> Deleted | None:
            if any(transaction.one(_NEEDED, {"id": one.row.arrival_id}) for one in chosen):
                return Deleted(why=NEEDED_STILL)
            if not rewrite(transaction):
                return None
            transaction.run(_NOTE, note)
            transaction.run(_REMEMBER, {"uid": path[level], "at": note["at"]})
            gone = end_of_gone(transaction, path["study"], self._clock(), author)
            return Deleted(objects=len(chosen), gone=gone)

        return job


_JobOf = Callable[[Sequence[Member], Job[bool]], Job[Deleted | None]]


def _is_meant(one: Member, path: Mapping[str, str]) -> bool:
    series, instance = path.get("series"), path.get("instance")
    return series in (None, one.row.series_uid) and instance in (None, one.row.sop_instance_uid)
