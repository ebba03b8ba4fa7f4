"""The chain of reports and decisions, and the numbers of patients."""

import json
from typing import Any

import pytest

from tests.journal.test_treatments import made
from waystation.codecs.identity_seal import sealed, unsealed
from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.journal import deid_records

REPORT = json.dumps({"profile": "research", "verification": "passed", "changed": []})
KEY = bytes(range(32))


def treated(arrival: int, **fields: Any) -> Any:
    values = {"arrival": arrival, "deidentified": "research 1", "report": REPORT, "study": "2.25.7"}
    return made(**{**values, **fields})


async def sql(database: Database, text: str) -> list[Any]:
    def job(transaction: Transaction) -> list[Any]:
        return list(transaction.rows(text))

    return await database.read(job)


@pytest.mark.req("D-40")
async def test_a_report_is_kept_with_the_treatments_it_tells_of(database: Database) -> None:
    ones = [treated(1), treated(2), treated(3, deidentified="", study="1.4")]
    digests = {one.key: f"in{one.arrival}" for one in ones}
    assert await database.write(deid_records.keep(ones, digests, 5.0)) == ones
    found = await database.read(deid_records.report_of("2.25.7"))
    assert found is not None
    (report,) = found["reports"]
    assert report["objects"]["out"] == 2
    assert [one["in"] for one in report["digests"]] == ["in1", "in2"]
    assert await database.read(deid_records.report_of("1.4")) is None


@pytest.mark.req("D-40")
async def test_what_another_lane_treated_is_reported_once(database: Database) -> None:
    await database.write(deid_records.keep([treated(1)], {}, 5.0))
    await database.write(deid_records.keep([treated(1), treated(2)], {}, 6.0))
    found = await database.read(deid_records.report_of("2.25.7"))
    assert found is not None
    assert found["reports"][0]["objects"]["out"] == 2


@pytest.mark.req("D-40")
@pytest.mark.parametrize(
    ("harm", "broken"),
    [
        ("UPDATE deid_record SET text = replace(text, 'passed', 'failed') WHERE number = 2", 2),
        ("DELETE FROM deid_record WHERE number = 2", 3),
        ("DELETE FROM deid_record WHERE number = 1", 2),
        ("UPDATE deid_record SET number = 9 WHERE number = 3", 9),
    ],
)
async def test_a_record_that_was_touched_breaks_the_chain(
    database: Database, harm: str, broken: int
) -> None:
    for number in range(3):
        await database.write(deid_records.keep([treated(number)], {}, 5.0))
    assert await database.read(deid_records.broken_link()) is None

    def job(transaction: Transaction) -> None:
        transaction.run(harm)

    await database.write(job)
    assert await database.read(deid_records.broken_link()) == broken


@pytest.mark.req("D-43")
async def test_decisions_are_kept_in_the_chain_and_the_last_one_counts(
    database: Database,
) -> None:
    for approved in (True, False):
        said = (approved, "anna", "looked at all")
        job = deid_records.decide(("1.4", "2.25.7"), "research", "sample", said, 5.0)
        assert await database.write(job) == []
    found = await database.read(deid_records.decisions_of("1.4", "research"))
    assert found == {"sample": False}
    assert await database.read(deid_records.decisions_of("1.4", "other")) == {}
    report = await database.read(deid_records.report_of("2.25.7"))
    assert report is not None
    assert [one["kind"] for one in report["decisions"]] == ["approval", "rejection"]
    ((text,), _) = await sql(database, "SELECT text FROM deid_record ORDER BY number")
    assert "1.4" not in text


@pytest.mark.req("D-29")
async def test_numbers_are_given_once_and_lie_sealed(database: Database) -> None:
    def allocate(patient: bytes, project: str = "lung") -> Any:
        job = deid_records.allocate(project, patient, sealed(KEY, b"Muster"), 5.0)
        return database.write(job)

    assert [await allocate(b"a"), await allocate(b"b"), await allocate(b"a")] == [1, 2, 1]
    assert await allocate(b"a", "liver") == 1
    found = await database.read(deid_records.allocated("lung"))
    assert [number for number, _ in found] == [1, 2]
    assert b"Muster" not in found[0][1]
    assert unsealed(KEY, found[0][1]) == b"Muster"
    with pytest.raises(ValueError, match="another project key"):
        unsealed(bytes(32), found[0][1])
    assert len(await database.read(deid_records.allocated("lung", 2))) == 1
