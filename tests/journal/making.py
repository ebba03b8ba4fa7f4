"""Arrivals, plans and a journal for tests of the journal's jobs."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from waystation.db.engine import Job
from waystation.db.migrate import migrate
from waystation.db.statement import Transaction
from waystation.journal import claims
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.counts import UNACCOUNTED
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival, Earlier, Source
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.instance import Instance
from waystation.model.plan import Plan, Target

T = TypeVar("T")
NOW = 1_800_000_000.0
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def arrival(
    number: int, *, study: str = "1.2.3", instance: str = "", content: int = 0, blob: str = ""
) -> Arrival:
    """Return an arrival; ``content`` stands for its bytes."""
    return Arrival(
        id=number,
        received_at=NOW,
        source=Source(
            peer="ct1", calling_ae="CT1", called_ae="WAYSTATION", address="127.0.0.1", tls=True
        ),
        instance=Instance(
            sop_class_uid=CT,
            sop_instance_uid=instance or f"{study}.{number}",
            study_uid=study,
            series_uid=f"{study}.0",
            transfer_syntax_uid=EXPLICIT,
            patient_id="SECRET-ID",
            modality="CT",
        ),
        blob=blob,
        size_bytes=100,
        sha256=f"{content:064x}",
    )


def plan_to(*destinations: str, priority: str = "normal") -> Plan:
    """Return a plan that sends to ``destinations``."""
    return Plan(
        targets=tuple(
            Target(destination=name, rules=("all",), priority=priority) for name in destinations
        )
    )


def held_plan(reason: HoldReason = HoldReason.NO_RULE) -> Plan:
    """Return a plan that holds the arrival itself."""
    return Plan(hold=reason)


def as_planned(_arrival: Arrival, plan: Plan, _earlier: Sequence[Earlier]) -> Plan:
    """Judge no duplicates."""
    return plan


def adopted(
    ids: IdSource,
    *pairs: tuple[Arrival, Plan],
    now: float = NOW,
    data: bytes | None = None,
    known: bool = False,
) -> Job[list[Plan]]:
    """Return the job that adopts ``pairs`` as they are."""
    adoptions = [Adoption(arrival=a, plan=p, data=data, known=known) for a, p in pairs]
    job = adopt(adoptions, ids, now, as_planned)
    return lambda transaction: [done.plan for done in job(transaction)]


def claim_next(
    destination: str, *, now: float, lease_until: float, limit: int, busy: Sequence[str] = ()
) -> Job[list[Delivery]]:
    """Return the job of a lane without a memory: what is due of whoever comes first."""

    def job(transaction: Transaction) -> list[Delivery]:
        seen = claims.look(destination, (now, now, now), busy=busy)(transaction)
        first = next((each for each in seen.studies if each.study not in busy), None)
        if first is None:
            return []
        asked = claims.Claim(
            study=first.study,
            priority=first.priority,
            now=now,
            lease_until=lease_until,
            limit=limit,
            due_by=now,
        )
        return claims.claim(destination, asked)(transaction).batch

    return job


@lru_cache(maxsize=1)
def _template(folder: str) -> bytes:
    path = Path(folder) / "template.db"
    migrate(path)
    connection = sqlite3.connect(path)
    try:
        return connection.serialize()
    finally:
        connection.close()


class Steps:
    """How much work the database did, whatever the machine."""

    def __init__(self) -> None:
        self.thousands = 0

    def more(self) -> int:
        self.thousands += 1
        return 0


class MemoryJournal:
    """The journal in memory: jobs run one by one, each in its own transaction."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.deserialize(_template(str(folder)))
        self._connection.execute("PRAGMA journal_mode=MEMORY")

    def run(self, job: Job[T], *, lost: bool = False) -> T:
        """Run a job; ``lost``: the power goes before its commit."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            return job(Transaction(cursor, "sqlite"))
        finally:
            cursor.execute("ROLLBACK" if lost else "COMMIT")

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, *values: object) -> None:
        """Change something behind the journal's back."""
        self._connection.execute(sql, values)

    def unaccounted(self, now: float = NOW) -> tuple[object, ...]:
        """Return the five numbers of S-15."""
        found: tuple[object, ...] = self._connection.execute(
            UNACCOUNTED, {"now": now, "grace": 30.0}
        ).fetchone()
        return found

    @contextmanager
    def counting(self) -> Iterator[Steps]:
        """Count the steps of SQLite's virtual machine inside the block."""
        steps = Steps()
        self._connection.set_progress_handler(steps.more, 1000)
        yield steps
        self._connection.set_progress_handler(None, 0)

    def save(self, path: Path) -> None:
        """Write what is in here as the journal of a node."""
        with sqlite3.connect(path) as target:
            self._connection.backup(target)
        target.execute("PRAGMA journal_mode=WAL")
        target.close()

    def close(self) -> None:
        self._connection.close()
