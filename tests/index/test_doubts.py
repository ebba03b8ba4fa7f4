"""What contradicts itself in the archive is told, and nothing else."""

import pytest

from tests.index.making import Shelf, ct
from waystation.index.doubts import Doubt, doubts, doubts_of


async def told(shelf: Shelf, number: int) -> list[str]:
    return [one.text for one in await shelf.database.read(doubts_of(f"1.2.3.{number}"))]


@pytest.mark.req("T-33")
async def test_a_series_in_two_studies_is_flagged_on_both(shelf: Shelf) -> None:
    await shelf.put(ct(1), ct(2, SeriesInstanceUID="1.2.3.1.1"), ct(3))
    assert await told(shelf, 1) == ["series 1.2.3.1.1 is also in study 1.2.3.2"]
    assert await told(shelf, 2) == ["series 1.2.3.1.1 is also in study 1.2.3.1"]
    assert await told(shelf, 3) == []


@pytest.mark.req("T-33")
async def test_an_instance_in_two_series_is_flagged_and_a_newer_version_is_not(
    shelf: Shelf,
) -> None:
    await shelf.put(ct(1), ct(1, 2, SOPInstanceUID="1.2.3.1.1.1"), ct(2))
    await shelf.put(ct(2, InstitutionName="newer"))
    assert await told(shelf, 1) == [
        "instance 1.2.3.1.1.1 is in series 1.2.3.1.1 and in series 1.2.3.1.2",
        "instance 1.2.3.1.1.1 is in series 1.2.3.1.2 and in series 1.2.3.1.1",
    ]
    assert await told(shelf, 2) == []


@pytest.mark.req("T-31", "T-33")
async def test_one_id_with_two_names_or_birth_dates_is_one_patient_and_flagged(
    shelf: Shelf,
) -> None:
    await shelf.put(ct(1, PatientID="7", PatientName="Doe^Jane", PatientBirthDate="19700101"))
    await shelf.put(ct(2, PatientID="7", PatientName="DOE^JANE^^", PatientBirthDate="19700101"))
    assert (await shelf.database.read(doubts())).doubts == []
    await shelf.put(ct(3, PatientID="7", PatientName="Roe^Jane", PatientBirthDate="19710101"))
    assert len(await shelf.rows("SELECT id FROM patient")) == 1
    found = (await shelf.database.read(doubts())).doubts
    assert {(one.study[-1], one.text[-12:].strip()) for one in found} == {
        (number, word) for number in "123" for word in ("another name", "r birth date")
    }
    assert "Roe" not in str(found)


@pytest.mark.req("T-32", "T-33")
async def test_a_study_whose_objects_name_two_patients_is_flagged(shelf: Shelf) -> None:
    await shelf.put(ct(1), ct(1, 1, 2, PatientID="other"))
    assert await told(shelf, 1) == ["its objects have different Patient IDs"]


@pytest.mark.req("T-33")
async def test_all_of_it_is_looked_through_page_by_page(shelf: Shelf) -> None:
    await shelf.put(*(ct(number, SeriesInstanceUID="1.2.9") for number in range(1, 6)), ct(6))
    whole = (await shelf.database.read(doubts())).doubts
    assert len(whole) == 5 * 4
    found: list[Doubt] = []
    after, pages = "", 0
    while pages == 0 or after:
        looked = await shelf.database.read(doubts(after, 2))
        assert len({one.study for one in looked.doubts}) <= 2
        found, after, pages = found + looked.doubts, looked.after, pages + 1
    assert (found, pages) == (whole, 4)
