"""Which studies a retention rule takes, and which never."""

import pytest

from tests.index.making import NOW, Shelf, ct
from tests.index.test_proof import prove
from waystation.flows.retention import RetentionBelt, RetentionRule, plan
from waystation.index.removal import removals
from waystation.model.query import Key

DAY = 86_400.0
OLD = RetentionRule(name="old", older_than_s=30 * DAY)


async def apply(shelf: Shelf, *rules: RetentionRule, at: float = NOW) -> int:
    return await RetentionBelt(rules, shelf.database, shelf.ids, lambda: at).once()


async def left(shelf: Shelf) -> list[str]:
    return [uid for (uid,) in await shelf.ask("STUDY", StudyInstanceUID="")]


@pytest.mark.req("T-30", "TT-2")
async def test_without_a_rule_nothing_ever_goes(shelf: Shelf) -> None:
    await shelf.put(*(ct(n) for n in range(3)), at=NOW - 10_000 * DAY)
    assert await apply(shelf) == 0
    assert len(await left(shelf)) == 3


@pytest.mark.req("T-30", "S-18")
async def test_a_rule_takes_whole_studies_that_are_old_enough_and_writes_down_which(
    shelf: Shelf,
) -> None:
    await shelf.put(ct(1), ct(2, PatientID="P1"), at=NOW - 40 * DAY)
    await shelf.put(ct(1, 2), ct(3), at=NOW - 10 * DAY)
    assert await apply(shelf, OLD) == 1
    assert sorted(await left(shelf)) == ["1.2.3.1", "1.2.3.3"]
    assert await prove(shelf) == []
    (gone,) = await shelf.database.read(removals(10))
    assert (gone.author, gone.study, gone.instances) == ("old", "1.2.3.2", 1)
    assert await shelf.ask("PATIENT", PatientID="P1", NumberOfPatientRelatedStudies="") == [
        ("P1", "1")
    ]
    assert await apply(shelf, OLD, at=NOW + 100 * DAY) == 2
    for table in ("archived", "patient", "study", "series", "instance", "level", "term"):
        assert await shelf.rows(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.req("T-30")
async def test_the_preview_names_what_would_go_and_a_dry_run_takes_nothing(shelf: Shelf) -> None:
    await shelf.put(ct(1), ct(2, Modality="US"), at=NOW - 40 * DAY)
    rule = RetentionRule(
        name="us", older_than_s=30 * DAY, keys=(Key(0x00080061, "CS", ("US",)),), dry_run=True
    )
    assert [study.uid for study in await plan(rule, shelf.database.read, NOW)] == ["1.2.3.2"]
    assert await apply(shelf, rule) == 0
    assert len(await left(shelf)) == 2


@pytest.mark.req("T-30", "S-17", "T-35")
async def test_what_comes_again_is_as_young_as_that_because_its_sender_was_told_success(
    shelf: Shelf,
) -> None:
    await shelf.put(ct(1), ct(2), at=NOW - 40 * DAY)
    await shelf.put(ct(1), at=NOW - 10 * DAY)
    assert await shelf.rows("SELECT count(*) FROM archived") == [(2,)]
    assert await prove(shelf) == []
    assert await apply(shelf, OLD) == 1
    assert await left(shelf) == ["1.2.3.1"]
    await shelf.run("DELETE FROM study")
    await prove(shelf, mend=True)
    assert await apply(shelf, OLD) == 0
    assert await apply(shelf, OLD, at=NOW + 21 * DAY) == 1


@pytest.mark.req("T-30")
async def test_above_a_size_the_oldest_go_until_it_is_reached(shelf: Shelf) -> None:
    for number in range(1, 5):
        await shelf.put(ct(number), at=NOW - (50 - number) * DAY)
    one = (await shelf.rows("SELECT max(size_bytes) FROM study"))[0][0]
    rule = RetentionRule(name="size", older_than_s=30 * DAY, only_above_bytes=2 * one)
    assert await apply(shelf, rule) == 2
    assert sorted(await left(shelf)) == ["1.2.3.3", "1.2.3.4"]
    assert await apply(shelf, rule) == 0


BUSY = {
    "waiting": "UPDATE delivery SET state = 'waiting', destination = 'pacs' WHERE arrival = {}",
    "sending": "UPDATE delivery SET state = 'sending', destination = 'pacs' WHERE arrival = {}",
    "held": "UPDATE delivery SET state = 'held', destination = 'pacs' WHERE arrival = {}",
    "held itself": "UPDATE arrival SET hold_reason = 'conflict' WHERE id = {}",
    "corrupt": "UPDATE arrival SET hold_reason = 'corrupt' WHERE id = {}",
    "to be planned": "UPDATE arrival SET planned = 0 WHERE id = {}",
    "gathered": "INSERT INTO gathered (gather, arrival) VALUES (7, {})",
    "to be verified": (
        "INSERT INTO verification (delivery, arrival, state, due)"
        " SELECT id, arrival, 'open', 0 FROM delivery WHERE arrival = {}"
    ),
    "promised": (
        "INSERT INTO commitment SELECT 1, '1.9', 'ct', 'CT', 'WS', sop_class || ' ' ||"
        " sop_instance, NULL, 'open', 0, 0, 0, '' FROM arrival WHERE id = {}"
    ),
}
DONE = {
    "done": "UPDATE delivery SET state = 'done' WHERE arrival = {}",
    "discarded": "UPDATE delivery SET state = 'discarded', by_rule = 'x' WHERE arrival = {}",
}


@pytest.mark.req("S-18", "T-30")
@pytest.mark.parametrize("state", [*BUSY, *DONE])
async def test_no_study_goes_while_one_of_its_objects_is_owed_to_anybody(
    shelf: Shelf, state: str
) -> None:
    await shelf.put(ct(1, 1, 1), ct(1, 1, 2), at=NOW - 40 * DAY)
    await shelf.run(
        "INSERT INTO gather (id, rule, level, uid, study, generation, state, opened_at, last_at,"
        " n, targets) VALUES (7, 'r', 'study', '1', '1', 1, 'open', 0, 0, 1, '')"
    )
    await shelf.run((BUSY | DONE)[state].format(shelf.last))
    assert await apply(shelf, OLD) == int(state in DONE)
    assert len(await left(shelf)) == int(state in BUSY)
    assert await shelf.rows("SELECT count(*) FROM archived") == [(0 if state in DONE else 2,)]
