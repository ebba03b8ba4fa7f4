"""How old what waits is, by lane, and what is open by peer, rule and study."""

import pytest

from tests.journal.making import NOW, MemoryJournal, adopted, arrival, plan_to
from tests.journal.test_queue import MILLION, a_million_waiting
from waystation.journal import ages
from waystation.journal.ids import IdSource, id_at

DAY = 86_400.0
# (age in seconds, column) of one delivery each.
MADE = ((10, 0), (299, 0), (301, 1), (1000, 2), (3601, 3), (14_401, 4), (86_401, 5), (9e5, 5))


def put(journal: MemoryJournal, number: int, **fields: object) -> None:
    values = {"destination": "pacs", "study": "1.2", "rules": "all", "state": "waiting"} | fields
    journal.execute(
        "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
        " created_at) VALUES (?, 1, ?, ?, 1, ?, ?, 0, 0)",
        number,
        values["destination"],
        values["study"],
        values["rules"],
        values["state"],
    )


@pytest.fixture
def aged(journal: MemoryJournal) -> MemoryJournal:
    for n, (age, _) in enumerate(MADE):
        put(journal, id_at(NOW - age) + n)
    put(journal, id_at(NOW - 5) + 99, state="held")
    put(journal, id_at(NOW - 5) + 100, state="done")
    return journal


@pytest.mark.req("R-79")
def test_each_delivery_that_waits_stands_in_the_column_of_its_age(aged: MemoryJournal) -> None:
    seen = aged.run(ages.ages(NOW, NOW - 20))
    columns = [sum(1 for _, column in MADE if column == place) for place in range(6)]
    assert seen.lanes == {"pacs": tuple(columns)}
    assert sum(seen.lanes["pacs"]) == len(MADE)
    assert seen.today == {"waiting": 1, "held": 1, "done": 1}


def test_open_gathers_and_their_objects_are_counted(journal: MemoryJournal) -> None:
    for number, state in enumerate(("open", "completing", "done")):
        journal.execute(
            "INSERT INTO gather (id, rule, level, uid, study, generation, state, opened_at,"
            " last_at, n, targets) VALUES (?, 'r', 'study', ?, '1', 1, ?, 0, 0, 5, '[]')",
            number,
            str(number),
            state,
        )
    seen = journal.run(ages.ages(NOW, NOW))
    assert (seen.gathers, seen.gathering) == (2, 10)


@pytest.mark.req("R-79")
@pytest.mark.parametrize("by", ages.KINDS)
def test_what_is_open_is_shared_out_and_the_oldest_stands_first(
    by: str, journal: MemoryJournal, ids: IdSource
) -> None:
    journal.run(adopted(ids, (arrival(1), plan_to())))
    put(journal, id_at(NOW - 50), study="old", rules="one")
    put(journal, id_at(NOW - 10), study="new", rules="two, three")
    put(journal, id_at(NOW - 9), study="new", rules="two, three", state="held")
    put(journal, id_at(NOW - 8), study="gone", rules="one", state="done")
    put(journal, id_at(NOW - 7), study="held", rules="four", state="held")
    found = journal.run(ages.shares(by, 10))
    told = [(one.name, one.waiting, one.held) for one in found]
    assert (
        told
        == {
            "peer": [("ct1", 2, 2)],
            "rule": [("one", 1, 0), ("two, three", 1, 1), ("four", 0, 1)],
            "study": [("old", 1, 0), ("new", 1, 1), ("held", 0, 1)],
        }[by]
    )
    assert found[0].oldest_at == pytest.approx(NOW - 50, abs=0.01)
    assert len(journal.run(ages.shares(by, 1))) == 1


@pytest.mark.slow
@pytest.mark.req("R-79")
def test_a_million_are_aged_over_an_index_alone(journal: MemoryJournal, ids: IdSource) -> None:
    journal.run(adopted(ids, (arrival(1), plan_to())))
    journal.run(a_million_waiting)
    with journal.counting() as steps:
        seen = journal.run(ages.ages(NOW, NOW))
    assert sum(seen.lanes["pacs"]) == MILLION
    assert steps.thousands * 1000 < 40 * MILLION
