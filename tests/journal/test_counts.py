"""The five numbers of S-15 find what they are for."""

import pytest

from tests.journal.making import NOW, MemoryJournal, adopted, arrival, plan_to
from waystation.journal import counts
from waystation.journal.ids import IdSource

NAMES = ("missing_rows", "fateless", "nameless", "stuck", "eaten")


@pytest.mark.req("S-15")
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("DELETE FROM arrival", "missing_rows"),
        ("INSERT INTO counter VALUES ('purged.x', 1)", "missing_rows"),
        ("DELETE FROM delivery", "fateless"),
        ("UPDATE delivery SET state = 'discarded'", "nameless"),
        (
            "UPDATE delivery SET state = 'discarded', by_rule = 'r', by_user = 'u'",
            "nameless",
        ),
        ("UPDATE delivery SET state = 'sending', lease_until = 0", "stuck"),
        ("UPDATE arrival SET blob_gone = 1", "eaten"),
    ],
)
def test_a_lost_row_shows(damage: str, found: str, journal: MemoryJournal, ids: IdSource) -> None:
    journal.run(adopted(ids, (arrival(1), plan_to("pacs"))))
    assert set(journal.run(counts.unaccounted(NOW)).values()) == {0}
    journal.execute(damage)
    numbers = journal.run(counts.unaccounted(NOW))
    assert [name for name in NAMES if numbers[name]] == [found]


def test_a_move_that_comes_back_writes_nothing(journal: MemoryJournal) -> None:
    shift = counts.Shift()
    shift.move("pacs", None, "waiting", 2)
    shift.move("pacs", "waiting", "held", 2)
    journal.run(shift.write)
    assert journal.run(counts.tallies()) == {"pacs": {"held": 2}}
