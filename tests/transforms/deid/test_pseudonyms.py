"""Who a patient is, and what stands for them (D-27, D-29)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.transforms.deid.pseudonyms import (
    ALPHABET,
    LENGTH,
    IdentityRules,
    Patient,
    Pseudonym,
    check_character,
    is_ours,
    made_of,
    patient_of,
    read_table,
)

KEY = bytes(32)
PLAIN = IdentityRules()
HEADER = "issuer,patient_id,pseudonym_id,pseudonym_name"


@pytest.mark.req("D-27")
def test_ids_are_trimmed_and_compared_as_the_profile_says() -> None:
    assert patient_of(" A ", " 007x ", PLAIN) == Patient("A", "007x")
    assert patient_of("A", "007x", IdentityRules(zeros="strip")) == Patient("A", "7x")
    assert patient_of("a", "007X", IdentityRules(case="fold")) == Patient("a", "007x")
    assert patient_of("A", "000", IdentityRules(zeros="strip")) == Patient("A", "0")
    assert patient_of("A", "  ", PLAIN) is None


@pytest.mark.req("D-27")
def test_the_issuer_tells_two_patients_with_one_id_apart() -> None:
    keys = {Patient("A", "BC").key(), Patient("AB", "C").key(), Patient("", "ABC").key()}
    assert len(keys | {Patient("", "ABC", of_study=True).key()}) == 4


@pytest.mark.req("D-29")
@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_a_calculated_pseudonym_is_the_same_for_name_and_id(patient_id: str, issuer: str) -> None:
    made = made_of(KEY, Patient(issuer, patient_id), "LUNG-")
    assert made.name == made.patient_id
    assert made == made_of(KEY, Patient(issuer, patient_id), "LUNG-")
    assert is_ours(made.name, "LUNG-")
    assert made != made_of(b"other" + KEY, Patient(issuer, patient_id), "LUNG-")


@pytest.mark.req("D-29")
@given(st.text(ALPHABET, min_size=LENGTH - 1, max_size=LENGTH - 1), st.data())
def test_one_wrong_character_shows(code: str, data: st.DataObject) -> None:
    whole = code + check_character(code)
    place = data.draw(st.integers(0, LENGTH - 1))
    other = data.draw(st.sampled_from(ALPHABET))
    mistyped = whole[:place] + other + whole[place + 1 :]
    assert is_ours(mistyped, "") == (mistyped == whole)


@pytest.mark.req("D-29")
def test_a_table_gives_each_patient_what_it_says() -> None:
    text = (
        f"\ufeff{HEADER},shift_days\r\nH,1,S-1,Subject^One,-30\r\n,1,S-2,Subject Two,\r\n"
        "H,2,S-3,Subject Three,40\r\n"
    )
    table = read_table(text, PLAIN)
    assert len(table) == 3
    assert table.find(Patient("H", "1")) == Pseudonym("S-1", "Subject^One", -30)
    assert table.find(Patient("", "1")) == Pseudonym("S-2", "Subject Two")
    assert table.find(Patient("H", "3")) is None


@pytest.mark.req("D-29")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: expected the columns"),
        ("issuer,patient_id,pseudonym_id\n", "line 1: expected the columns"),
        (HEADER + ",colour\n", "line 1: expected the columns"),
        (HEADER + "\nH,p-1,P-1,A\n", "line 2: the pseudonym is the Patient ID"),
        (HEADER + "\nH,1,S-1,A\nH, 1 ,S-2,B\n", "line 3: this patient is there twice"),
        (HEADER + "\nH,1,S-1,A\nH,2,S-1,B\n", "line 3: this pseudonym belongs to another"),
        (HEADER + "\nH,,S-1,A\n", "line 2: patient_id is empty"),
        (HEADER + "\nH,1,,A\n", "line 2: a pseudonym has"),
        (HEADER + "\nH,1,S\\1,A\n", "line 2: a pseudonym has"),
        (HEADER + "\nH,1,S-1," + "A" * 65 + "\n", "line 2: a pseudonym has"),
        (HEADER + "\nH,1,S-1\n", "line 2: expected as many fields"),
        (HEADER + "\nH,1,S-1,A,more\n", "line 2: expected as many fields"),
        (HEADER + ",shift_days\nH,1,S-1,A,ten\n", "line 2: expected shift_days"),
        (HEADER + ",shift_days\nH,1,S-1,A,99999\n", "line 2: shift_days is beyond"),
        (HEADER + '\nH,1,"S-1,A\n', "no CSV"),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_table(text, PLAIN)


@pytest.mark.req("D-29")
def test_what_makes_two_ids_one_makes_two_rows_one() -> None:
    text = HEADER + "\nH,007,S-1,A\nH,7,S-2,B\n"
    assert len(read_table(text, PLAIN)) == 2
    with pytest.raises(ValueError, match="twice"):
        read_table(text, IdentityRules(zeros="strip"))
