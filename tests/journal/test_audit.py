"""A chain that shows every later change (S-66)."""

import pytest

from tests.journal.making import NOW
from waystation.db.engine import Database
from waystation.flows.auditing import Trail
from waystation.journal import audit
from waystation.journal.audit import Entry, Event

KEY = b"k" * 32


async def filled(database: Database, n: int = 5) -> Trail:
    trail = Trail(database, KEY, lambda: NOW)
    for number in range(n):
        await trail.record(Event.LOOKED, f"user{number}", study=f"1.2.{number}", text="é\n")
    return trail


async def test_a_chain_that_nobody_touched_holds(database: Database) -> None:
    trail = Trail(database, KEY, lambda: NOW)
    assert await trail.broken() is None
    trail = await filled(database)
    assert await trail.broken() is None
    number, seal = await database.read(audit.head())
    assert (number, len(seal)) == (5, 64)


@pytest.mark.req("S-66")
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE audit SET who = 'eve' WHERE number = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE number = 2", 2),
        ("UPDATE audit SET what = replace(what, '1.2.1', '1.2.9') WHERE number = 2", 2),
        ("UPDATE audit SET event = 'login' WHERE number = 1", 1),
        ("UPDATE audit SET mac = zeroblob(32) WHERE number = 4", 4),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number >= 4", 4),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET number = 10 - number WHERE number IN (3, 4)", 3),
        ("DELETE FROM audit_head", 6),
        ("UPDATE audit_head SET number = 4", 5),
        ("UPDATE audit_head SET mac = zeroblob(32)", 5),
        ("INSERT INTO audit SELECT 6, at, event, who, what, mac FROM audit WHERE number = 5", 6),
    ],
)
async def test_what_was_changed_removed_or_moved_is_found(
    change: str, found: int, database: Database
) -> None:
    trail = await filled(database)
    await database.write(lambda transaction: transaction.run(change))
    broken = await trail.broken()
    assert broken is not None
    assert broken.number == found


async def test_without_the_key_no_record_can_be_forged(database: Database) -> None:
    trail = await filled(database, 2)
    forged = Entry(Event.LOGIN, "eve", {})
    await database.write(lambda t: audit.append(t, b"another key".ljust(32), forged, NOW))
    broken = await trail.broken()
    assert broken is not None
    assert broken.number == 3


async def test_a_record_is_there_if_what_it_tells_of_is(database: Database) -> None:
    trail = await filled(database, 1)

    def undone(transaction: object) -> None:
        trail.append(transaction, Event.ORDER, "ann")  # type: ignore[arg-type]
        raise ValueError("not after all")

    with pytest.raises(ValueError, match="after all"):
        await database.write(undone)
    assert len(await database.read(audit.records())) == 1
    assert await trail.broken() is None


async def test_records_are_read_newest_first_and_by_who_and_what(database: Database) -> None:
    trail = await filled(database, 3)
    await trail.record(Event.LOGIN, "ann", address="x")
    found = await database.read(audit.records(limit=2))
    assert [(one.number, one.who) for one in found] == [(4, "ann"), (3, "user2")]
    older = await database.read(audit.records(before=3))
    assert [one.number for one in older] == [2, 1]
    assert len(await database.read(audit.records(event="login"))) == 1
    assert len(await database.read(audit.records(who="user1"))) == 1


async def test_what_is_too_long_is_shortened(database: Database) -> None:
    trail = Trail(database, KEY, lambda: NOW)
    await trail.record(Event.LOOKED, "ann", text="x" * 100_000)
    found = await database.read(audit.records())
    assert len(str(found[0].what)) < 10_000
    assert await trail.broken() is None
