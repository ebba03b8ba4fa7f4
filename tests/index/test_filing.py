"""What the index says once objects are on file."""

import pytest

from tests.index.making import CT, Shelf, ct, query
from waystation.dicom.uids import EXPLICIT_VR_BE, IMPLICIT_VR_LE

SR = "1.2.840.10008.5.1.4.1.1.88.11"


@pytest.mark.req("T-29")
async def test_one_row_of_each_thing_and_its_counts(shelf: Shelf) -> None:
    await shelf.put(ct(1, 1, 1), ct(1, 1, 2), ct(1, 2, 1), ct(2, 1, 1))
    await shelf.put(ct(1, 1, 3), ct(1, 3, 1, Modality="SR", SOPClassUID=SR))
    assert await shelf.rows("SELECT patient_id, n_studies, n_series, n_instances FROM patient") == [
        ("P1", 1, 3, 5),
        ("P2", 1, 1, 1),
    ]
    assert await shelf.rows(
        "SELECT uid, n_series, n_instances, modalities FROM study ORDER BY uid"
    ) == [("1.2.3.1", 3, 5, "\\CT\\SR\\"), ("1.2.3.2", 1, 1, "\\CT\\")]
    assert await shelf.rows(
        "SELECT uid, number, n_instances, modality FROM series ORDER BY uid"
    ) == [
        ("1.2.3.1.1", 1, 3, "CT"),
        ("1.2.3.1.2", 2, 1, "CT"),
        ("1.2.3.1.3", 3, 1, "SR"),
        ("1.2.3.2.1", 1, 1, "CT"),
    ]
    assert await shelf.rows("SELECT classes FROM study WHERE uid = '1.2.3.1'") == [
        (f"\\{CT}\\{SR}\\",)
    ]


@pytest.mark.req("T-31", "TT-5")
async def test_objects_without_a_patient_id_are_never_merged(shelf: Shelf) -> None:
    nameless = [
        ct(number, PatientID="", PatientName=f"Patient{number}", Modality="SR") for number in (1, 2)
    ]
    await shelf.put(*nameless, ct(2, 2, PatientID="", PatientName="Patient2"))
    assert await shelf.rows("SELECT patient_id, only_study, n_instances FROM patient") == [
        ("", "1.2.3.1", 1),
        ("", "1.2.3.2", 2),
    ]
    assert await shelf.ask("PATIENT", PatientName="Patient1", PatientID="") == [("Patient1", "")]


@pytest.mark.req("T-31")
async def test_the_same_id_of_another_issuer_is_another_patient(shelf: Shelf) -> None:
    await shelf.put(ct(1, PatientID="7", IssuerOfPatientID="A"))
    await shelf.put(ct(2, PatientID="7", IssuerOfPatientID="B"), ct(3, PatientID="7"))
    assert len(await shelf.rows("SELECT id FROM patient")) == 3


@pytest.mark.req("T-32")
async def test_the_newest_value_is_shown_and_every_value_still_matches(shelf: Shelf) -> None:
    await shelf.put(ct(1, PatientID="7", PatientName="Old^Name", StudyDescription="CHEST"))
    await shelf.put(ct(1, 1, 2, PatientID="7", PatientName="New^Name", StudyDescription=""))
    shown = [("CHEST", "New^Name", "7")]
    for name in ("Old^Name", "New^Name", "old*", "N*"):
        asked = {"StudyDescription": "", "PatientName": name, "PatientID": ""}
        assert await shelf.ask("STUDY", **asked) == shown
    assert await shelf.ask("PATIENT", PatientName="Old^Name") == [("New^Name",)]
    assert await shelf.ask("STUDY", PatientName="Other*") == []


@pytest.mark.req("T-32")
async def test_values_of_other_character_sets_are_shown_together(shelf: Shelf) -> None:
    latin = ct(1, SpecificCharacterSet="ISO_IR 100", PatientName="Böhm^Ä", StudyDescription="Fuß")
    kanji = ct(
        1,
        1,
        2,
        SpecificCharacterSet="\\ISO 2022 IR 87",
        PatientName="Yamada=山田",
        StudyDescription="",
    )
    await shelf.put(latin, kanji)
    asked = {"StudyDescription": "", "PatientName": ""}
    assert await shelf.ask("STUDY", **asked) == [("Fuß", "Yamada=山田")]
    assert await shelf.ask("STUDY", PatientName="böhm*") == [("Yamada=山田",)]


@pytest.mark.req("T-31", "T-32")
async def test_a_study_whose_newest_object_names_another_patient_moves_there(shelf: Shelf) -> None:
    await shelf.put(ct(1, PatientID="wrong"), ct(2, PatientID="wrong"))
    await shelf.put(ct(1, 1, 2, PatientID="right"))
    assert await shelf.rows(
        "SELECT patient_id, n_studies, n_series, n_instances FROM patient ORDER BY patient_id"
    ) == [("right", 1, 1, 2), ("wrong", 1, 1, 1)]
    await shelf.put(ct(2, 1, 2, PatientID="right"))
    assert await shelf.rows("SELECT patient_id, n_instances FROM patient") == [("right", 4)]
    assert len(await shelf.ask("STUDY", PatientID="wrong")) == 2


@pytest.mark.req("S-17", "T-33")
async def test_the_newest_version_of_an_instance_is_shown_and_counted_once(shelf: Shelf) -> None:
    await shelf.put(ct(1, InstitutionName="first"))
    first = shelf.last
    await shelf.put(ct(1, InstitutionName="second"))
    assert await shelf.rows("SELECT n_instances FROM study") == [(1,)]
    assert await shelf.rows("SELECT count(*) FROM archived") == [(2,)]
    assert await shelf.ask("IMAGE", SOPInstanceUID="", InstitutionName="") == [
        ("1.2.3.1.1.1", "second")
    ]
    await shelf.put(ct(1, InstitutionName="first"))
    assert await shelf.rows("SELECT arrival FROM instance WHERE current = 1") == [(first,)]


@pytest.mark.req("S-17")
async def test_equal_bytes_are_kept_once(shelf: Shelf) -> None:
    await shelf.put(ct(1), ct(1))
    await shelf.put(ct(1))
    assert await shelf.rows("SELECT count(*) FROM archived") == [(1,)]
    assert await shelf.rows("SELECT n_instances, size_bytes > 0 FROM study") == [(1, 1)]
    assert await shelf.rows("SELECT state, count(*) FROM delivery GROUP BY state") == [("done", 3)]


@pytest.mark.req("S-17")
async def test_a_good_copy_takes_the_place_of_a_damaged_one(shelf: Shelf) -> None:
    await shelf.put(ct(1))
    await shelf.database.write(
        lambda transaction: transaction.run("UPDATE arrival SET hold_reason = 'corrupt'")
    )
    await shelf.put(ct(1))
    assert await shelf.rows("SELECT arrival FROM instance WHERE current = 1") == [(shelf.last,)]
    assert await shelf.rows("SELECT n_instances FROM study") == [(1,)]


@pytest.mark.req("T-33")
async def test_an_instance_in_two_series_and_a_series_in_two_studies_are_as_they_say(
    shelf: Shelf,
) -> None:
    await shelf.put(ct(1), ct(1, 2, SOPInstanceUID="1.2.3.1.1.1"))
    await shelf.put(ct(2, SeriesInstanceUID="1.2.3.1.1"))
    assert await shelf.rows("SELECT uid, n_series, n_instances FROM study ORDER BY uid") == [
        ("1.2.3.1", 2, 2),
        ("1.2.3.2", 1, 1),
    ]
    assert len(await shelf.ask("SERIES", SeriesInstanceUID="1.2.3.1.1")) == 2


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_BE])
async def test_sequences_are_read_in_every_form(shelf: Shelf, syntax: str) -> None:
    code = {"CodeValue": "1", "CodingSchemeDesignator": "L", "CodeMeaning": "Head"}
    said = ct(1, ProcedureCodeSequence=[code], AnatomicRegionSequence=[code])
    await shelf.put(said, syntax=syntax)
    (found,) = await shelf.find(query("STUDY"))
    for tag in (0x00081032, 0x00080063):
        (item,) = found.record.items(tag)
        assert item.values(0x00080104, "LO") == ("Head",)
