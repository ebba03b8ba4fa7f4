"""Names made from data (T-66, S-39, N-20)."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.destinations.naming import DEFAULT_TEMPLATE as TEMPLATE
from waystation.destinations.naming import FIELDS, component, marked, read_template


@pytest.mark.req("T-66", "S-39", "N-20")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.840.10008", "1.2.840.10008"),
        ("../x", "__x"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        (" ", "_"),
        ("..\\x", "__x"),
        ("/etc/passwd", "_etc_passwd"),
        ("a\0b", "a_b"),
        ("a\tb", "a_b"),
        ("a\r\nb", "a__b"),
        (".hidden", "_hidden"),
        ("name.", "name"),
        ("name. .", "name"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("lpt1", "_lpt1"),
        ("CONSOLE", "CONSOLE"),
        ("$(id)", "__id_"),
        ("%n", "_n"),
        ("'; --", "__ --"),
        ("M\u00fcller", "M\u00fcller"),
        ("Mu\u0308ller", "M\u00fcller"),
        ("\u5c71\u7530", "\u5c71\u7530"),
        ("a\u202eb", "a_b"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_value_becomes_one_safe_component(text: str, expected: str) -> None:
    assert component(text) == expected


@pytest.mark.req("T-66")
def test_a_long_value_is_cut_and_marked_by_its_digest() -> None:
    one, other = component("x" * 200), component("x" * 201)
    assert len(one.encode()) == len(other.encode()) == 80
    assert one != other
    assert len(component("\u5c71" * 100).encode()) <= 80
    assert component("x" * 200 + ".dcm").endswith(".dcm")


def _safe(name: str) -> bool:
    return (
        0 < len(name.encode()) <= 80
        and not name.startswith(".")
        and not set(name) & {"/", "\\", "\0", "\n", "\r", "\t"}
        and name.isprintable()
    )


@pytest.mark.req("T-66", "S-39", "N-20")
@given(st.text(max_size=300))
def test_any_text_gives_one_safe_component(text: str) -> None:
    assert _safe(component(text))


@pytest.mark.req("T-66", "S-39", "R-7", "N-20")
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=100)), st.text(max_size=40))
def test_any_values_and_template_stay_beneath_the_root(
    values: dict[str, str], template: str
) -> None:
    for pattern in (TEMPLATE, template + "/{calling_ae}"):
        try:
            read = read_template(pattern)
        except ValueError:
            continue
        name = read.name(values)
        parts = name.split("/")
        assert all(map(_safe, parts))
        assert os.path.normpath(f"/root/{name}").startswith("/root/")


def test_each_value_stays_within_its_own_part() -> None:
    values = {"StudyInstanceUID": "a/b", "SeriesInstanceUID": "", "SOPInstanceUID": "1.2"}
    assert read_template(TEMPLATE).name(values) == "a_b/_/1.2.dcm"
    facts = {"calling_ae": "A", "arrival": "f"}
    assert read_template("{calling_ae}-{arrival}").name(facts) == "A-f"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{PatientID}.dcm", "PID_1.dcm"),
        ("{PatientID:2}.dcm", "PI.dcm"),
        ("{SeriesNumber:04}/{Modality|OT}.dcm", "0007/OT.dcm"),
        ("{SeriesNumber:04}-{Modality}.dcm", "0007-_.dcm"),
        ("a//b/{PatientID}", "a/b/PID_1"),
        ("{PatientID|x y}", "PID_1"),
    ],
)
def test_fields_are_cut_padded_and_replaced_as_written(template: str, expected: str) -> None:
    values = {"PatientID": "PID/1", "SeriesNumber": "7", "Modality": " "}
    assert read_template(template).name(values) == expected


def test_only_elements_that_the_template_names_are_looked_up() -> None:
    assert read_template(TEMPLATE).keywords == ()
    read = read_template("{PatientID}/{StudyInstanceUID}-{PatientID}.dcm")
    assert read.keywords == ("PatientID",)


@pytest.mark.req("R-1", "S-39")
@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{PatientID", "a brace has no partner"),
        ("PatientID}.dcm", "a brace has no partner"),
        ("../{PatientID}", "must stay inside the folder"),
        ("/{PatientID}", "must stay inside the folder"),
        ("a\\{PatientID}", "must stay inside the folder"),
        ("a\0{PatientID}", "must stay inside the folder"),
        ("image.dcm", "needs a field"),
        ("", "needs a field"),
        ("{Patient ID}.dcm", "is no field; write"),
        ("{PatientID:0}.dcm", "is no field; write"),
        ("{Modality|a/b}.dcm", "is no field; write"),
        ("{{PatientID}}", "a brace has no partner"),
        ("{PatientNam}.dcm", "did you mean PatientName?"),
        ("{calling_aet}.dcm", "there is no field calling_aet; there are SOPInstanceUID"),
        ("{PixelData}.dcm", "PixelData has no text"),
        ("{RequestAttributesSequence}", "has no text"),
    ],
)
def test_a_template_that_cannot_work_says_why(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", "[?]")):
        read_template(template)


def test_a_second_name_keeps_folder_and_ending_and_follows_from_the_content() -> None:
    assert marked("a/b.c/1.2.3.dcm", "0123456789ab") == "a/b.c/1.2.3-01234567.dcm"
    assert marked("1.2.3", "0123456789ab") == "1.2.3-01234567"
    assert marked("x" * 76 + ".dcm", "ab" * 32) != marked("x" * 76 + ".dcm", "cd" * 32)
    assert _safe(marked("x" * 76 + ".dcm", "ab" * 32))
