"""Whether the index says what the objects say, and that it can be made anew from them."""

import random

import pytest

from tests.index.making import NOW, Shelf, ct
from waystation.index.proof import PATIENT, Finding, Mending, Proof

TABLES = ("patient", "study", "series", "instance", "level", "term")


async def prove(shelf: Shelf, *, mend: bool = False) -> list[Finding]:
    mending = Mending(database=shelf.database, next_id=shelf.ids.next) if mend else None
    proof = Proof(shelf.database, shelf.heads, mending)
    return [finding async for finding in proof.run()]


async def fill(shelf: Shelf, seed: int = 1) -> None:
    """Archive a little of everything that makes an index interesting."""
    chance = random.Random(seed)
    code = {"CodeValue": "1", "CodingSchemeDesignator": "L", "CodeMeaning": "Head"}
    for _ in range(12):
        objects = []
        for _ in range(chance.randint(1, 6)):
            study, series, number = (chance.randint(1, 3) for _ in range(3))
            said = ct(study, series, number, PatientID=chance.choice(["A", "B", "", f"P{study}"]))
            said["PatientName"] = chance.choice(["Müller^Jörg", "Doe^John", ""])
            said["SpecificCharacterSet"] = chance.choice(["ISO_IR 100", "ISO_IR 192"])
            said["StudyDescription"] = chance.choice(["CHEST", "Fuß", ""])
            if chance.random() < 0.3:
                said["AnatomicRegionSequence"] = [code]
                said["ProcedureCodeSequence"] = [code]
            if chance.random() < 0.2:
                said |= {"StudyInstanceUID": "", "SeriesInstanceUID": ""}
            objects.append(said)
        await shelf.put(*objects, at=NOW + chance.randint(0, 1000))


@pytest.mark.req("T-35")
@pytest.mark.parametrize("seed", range(6))
async def test_an_index_that_grew_is_what_the_objects_say(shelf: Shelf, seed: int) -> None:
    await fill(shelf, seed)
    assert await prove(shelf) == []


@pytest.mark.req("T-35")
async def test_an_index_that_is_lost_is_made_anew_from_objects_and_journal(shelf: Shelf) -> None:
    await fill(shelf)
    everything = [await shelf.ask(level, PatientName="") for level in ("PATIENT", "STUDY", "IMAGE")]
    for table in TABLES:
        await shelf.run(f"DELETE FROM {table}")
    found = await prove(shelf, mend=True)
    assert found
    assert all(finding.mended for finding in found)
    assert await prove(shelf) == []
    again = [await shelf.ask(level, PatientName="") for level in ("PATIENT", "STUDY", "IMAGE")]
    assert again == everything


@pytest.mark.req("T-35")
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE study SET n_instances = 7 WHERE uid = '1.2.3.1'", "study"),
        ("UPDATE study SET accession = 'x' WHERE uid = '1.2.3.1'", "study"),
        ("UPDATE series SET number = 7 WHERE uid = '1.2.3.1.1'", "series"),
        ("DELETE FROM instance WHERE sop_instance = '1.2.3.1.1.1'", "instances"),
        ("DELETE FROM term WHERE kind = 'acc' AND value = 'A1'", "terms"),
        ("DELETE FROM archived WHERE arrival = (SELECT min(arrival) FROM archived)", "study"),
    ],
)
async def test_whatever_differs_is_told_and_mended(shelf: Shelf, damage: str, what: str) -> None:
    await shelf.put(ct(1, 1, 1), ct(1, 1, 2), ct(2))
    await shelf.run(damage)
    (found, *_) = await prove(shelf)
    assert found.study_uid == "1.2.3.1"
    assert what in found.what
    assert (await prove(shelf, mend=True))[0].mended
    assert await prove(shelf) == []


@pytest.mark.req("T-35")
@pytest.mark.parametrize("damage", ["patient SET n_studies = 5", "level SET others = '{}'"])
async def test_counts_and_names_of_a_patient_are_checked_too(shelf: Shelf, damage: str) -> None:
    await shelf.put(ct(1))
    await shelf.run(f"UPDATE {damage} WHERE id = (SELECT id FROM patient)")
    assert [finding.what for finding in await prove(shelf)] == [PATIENT]
    await prove(shelf, mend=True)
    assert await prove(shelf) == []


@pytest.mark.req("T-35", "S-18")
async def test_a_study_with_an_unreadable_object_is_told_and_left_alone(shelf: Shelf) -> None:
    await shelf.put(ct(1, 1, 1), ct(1, 1, 2))
    await shelf.run("DELETE FROM parcel WHERE arrival = (SELECT max(id) FROM arrival)")
    await shelf.run("UPDATE study SET accession = 'x'")
    (found,) = await prove(shelf, mend=True)
    assert found == Finding(study_uid="1.2.3.1", what="1 of its objects cannot be read")
    assert len(await shelf.ask("IMAGE", SOPInstanceUID="")) == 2
