"""A word stays only if it is known to be harmless and no part of the patient (D-13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.transforms.deid.text import TextRules, clean, read_words, tokens_of
from waystation.transforms.deid.words import WORDS

RULES = TextRules(mode="allow-list", words=frozenset({"schädel"}))


@pytest.mark.req("D-13")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CT Thorax 1.5 mm B30f", "CT Thorax 1.5 mm B30f"),
        ("T2 AX/FLAIR^Smith", "T2 AX/FLAIR"),
        ("AP Chest, Dr. John Smith", "AP Chest"),
        ("seen by Prof Meyer", "by"),
        ("scan on 12/31/1999 at 12:30", "scan on at"),
        ("scan 1999-12-31 chest", "scan chest"),
        ("scan 31 Dec 1999 chest", "scan chest"),
        ("chest May 5, 1999", "chest"),
        ("call +49 89 1234567 chest", "chest"),
        ("call 555-123-4567", ""),
        ("mail anna.chest@head.example", ""),
        ("see http://chest.example/head?x=1 knee", "knee"),
        ("MRN: 1234 knee", "knee"),
        ("knee #4711", "knee"),
        ("67 y/o with chest pain", "with chest pain"),
        ("67 year old chest", "chest"),
        ("SW1A 2AA head", "head"),
        ("T2 3mm head", "T2 3mm head"),
        ("120 kV, 2,5 mm, 3.0T", "120 kV, 2,5 mm, 3.0T"),
        ("Schädel 3mm", "Schädel 3mm"),
        ("1234567 head", "head"),
        ("head - neck", "head - neck"),
        ("head ------ neck", "head neck"),
        ("王小東 head", "head"),
        ("", ""),
    ],
)
def test_only_known_words_and_measures_stay(text: str, expected: str) -> None:
    assert clean(text, RULES, frozenset())[0] == expected


@pytest.mark.req("D-13")
def test_a_known_word_that_is_the_patients_name_goes() -> None:
    forbidden = tokens_of(["Brain^Paul", "4711"], "")
    assert clean("brain of Paul, chest", RULES, forbidden)[0] == "of chest"


@pytest.mark.req("D-13")
def test_pseudonyms_of_our_own_forbid_nothing() -> None:
    from waystation.transforms.deid.pseudonyms import Patient, made_of

    pseudonym = made_of(bytes(32), Patient("", "1"), "LUNG-").name
    assert tokens_of([pseudonym], "LUNG-") == frozenset()
    assert "lung" in tokens_of([pseudonym], "")
    assert tokens_of(["REMOVED", "A"], "") == frozenset()


@pytest.mark.req("D-13")
def test_what_went_is_counted() -> None:
    assert clean("Chest Miller Anna", RULES, frozenset())[1] == 2


@pytest.mark.req("D-13")
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["chest", "T2", "mm", "5", "5mm", "1.5", "Dr.", "Miller", "1999", "#"]),
            st.text(max_size=6),
        ),
        max_size=12,
    ),
    st.sampled_from([" ", "/", "-", ".", ", ", "^", ""]),
)
def test_cleaning_lets_nothing_unknown_pass_and_what_it_leaves_it_leaves_again(
    words: list[str], joint: str
) -> None:
    made, _ = clean(joint.join(words), RULES, frozenset({"chest"}))
    for token in made.replace("_", " ").split():
        letters = "".join(c if c.isalnum() else " " for c in token.casefold()).split()
        assert all(part in WORDS or part == "schädel" or part[0].isdigit() for part in letters), (
            letters
        )
    assert "chest" not in made.casefold()
    assert clean(made, RULES, frozenset({"chest"}))[0] == made


@pytest.mark.req("D-13")
def test_words_of_a_file_are_one_or_more_a_line() -> None:
    assert read_words("\ufeffLeber Niere\n# comment\nMilz # too\n\n") == {"leber", "niere", "milz"}


def test_a_text_beyond_all_measure_goes_as_a_whole() -> None:
    assert clean("chest " * 20_000, RULES, frozenset()) == ("", 1)


def test_shipped_words_are_lower_case_and_whole() -> None:
    assert all(word == word.casefold() and word.isalnum() for word in WORDS)
