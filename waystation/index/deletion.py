"""Objects that somebody deletes by name: a study, a series, an instance (W-99).

Contract: `Deletion.delete` takes all of what a path means, or nothing: never while one of the
objects is held, waits, is being sent or belongs to something that is not complete.  What is left of
the study is written anew from its objects, in the same transaction.  The bytes stay until the sweep
finds that nobody needs them; the UIDs are remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.index.proof import Member, filings_of, members_of, written
from waystation.index.removal import NEEDED
from waystation.index.search import Heads
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
_REMOVED: Final = (
    "SELECT 1 FROM removal r WHERE r.study = :study"
    " AND NOT EXISTS (SELECT 1 FROM study s WHERE s.uid = :study)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of a wish.  objects: how many went.  why: why nothing went, or ""."""

    objects: int = 0
    why: str = ""


def was_here(path: Mapping[str, str]) -> Job[bool]:
    """Read whether something of a path was deleted, or its study removed by a rule."""

    def job(transaction: Transaction) -> bool:
        for uid in path.values():
            if transaction.one("SELECT 1 FROM deletion WHERE uid = :uid", {"uid": uid}):
                return True
        return transaction.one(_REMOVED, {"study": path["study"]}) is not None

    return job


class Deletion:
    """Of one archive.  heads: reads the heads of objects.  next_id: an id of our own making."""

    def __init__(
        self,
        database: Database,
        heads: Heads,
        next_id: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._heads = heads
        self._next_id = next_id
        self._clock = clock

    async def delete(self, path: Mapping[str, str], author: str) -> Deleted:
        """Delete what a path (study, then perhaps series and instance) leads to.

        Raises `StorageError` if what is left cannot be read, or changes all the time.
        """
        study = path["study"]
        for _ in range(TRIES):
            said, members = await self._database.read(members_of(study))
            chosen = [one for one in members if _is_meant(one, path)]
            if not chosen:
                return Deleted()
            rest = [one for one in members if not _is_meant(one, path)]
            filings = await filings_of(self._heads, rest)
            if len(filings) < len(rest):
                raise StorageError("other objects of the study cannot be read")
            rewrite = written(study, said, filings, self._next_id)
            done = await self._database.write(self._job(path, author, chosen, rewrite))
            if done is not None:
                return done
        raise StorageError("the study changes all the time")

    def _job(
        self,
        path: Mapping[str, str],
        author: str,
        chosen: Sequence[Member],
        rewrite: Job[bool],
    ) -> Job[Deleted | None]:
        now, level = self._clock(), list(path)[-1]
        note = {
            "id": self._next_id(),
            "at": now,
            "author": author,
            "study": path["study"],
            "n": len(chosen),
            "size_bytes": sum(one.row.size_bytes for one in chosen),
            "why": f"deleted on request: {level} {path[level]}",
        }

        def job(transaction: Transaction) -> Deleted | None:
            if any(transaction.one(_NEEDED, {"id": one.row.arrival_id}) for one in chosen):
                return Deleted(why=NEEDED_STILL)
            if not rewrite(transaction):
                return None
            transaction.run(_NOTE, note)
            transaction.run(_REMEMBER, {"uid": path[level], "at": now})
            return Deleted(objects=len(chosen))

        return job


def _is_meant(one: Member, path: Mapping[str, str]) -> bool:
    series, instance = path.get("series"), path.get("instance")
    return series in (None, one.row.series_uid) and instance in (None, one.row.sop_instance_uid)
