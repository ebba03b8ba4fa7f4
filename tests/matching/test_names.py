"""Person names, exactly and nearly (T-16, T-17)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matching.asking import finds, holds, key, row
from tests.matching.test_values import naive
from waystation.matching.folding import case_folded, folded
from waystation.matching.names import folded_groups, words
from waystation.model.query import Options

FUZZY = Options(fuzzy=True)
JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.req("T-16")
@pytest.mark.parametrize(
    ("asked", "stored", "found"),
    [
        ("Doe^Peter^", "Doe^Peter", True),
        ("Doe^Peter", "Doe^Peter^^^", True),
        ("Doe^Peter=", "Doe^Peter", True),
        ("DOE^peter", "Doe^Peter", True),
        ("Doe ^Peter", "Doe^ Peter ", True),
        ("Smith", "Smith^Jane", False),
        ("Smith*", "Smith^Jane", True),
        ("Doe^*", "Doe", True),
        ("Doe^*", "Doeman^X", False),
        ("*^Jane", "Smith^Jane", True),
        ("Sm?th^Jane", "Smith^Jane", True),
        ("MÜLLER", "Müller", True),
        ("Muller", "Müller", False),
        ("Müller", unicodedata.normalize("NFD", "Müller"), True),
        ("STRASSE", "Straße", True),
        ("Stra?e", "Straße", True),
        ("Yamada^Tarou", JAPANESE, True),
        ("山田^太郎", JAPANESE, True),
        ("山田", JAPANESE, False),
        ("山*", JAPANESE, True),
        ("=山田^太郎", JAPANESE, True),
        ("==やまだ^たろう", JAPANESE, True),
        ("Yamada^Tarou=山田^太郎", JAPANESE, True),
        ("Tanaka=山田^太郎", JAPANESE, False),
        ("Yam*=山*", JAPANESE, True),
        ("Yam*=川*", JAPANESE, False),
        ("Y*う", JAPANESE, True),
        ("=川", "Yamada", False),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος", True),
    ],
)
def test_names(asked: str, stored: str, found: bool) -> None:
    assert finds("PatientName", asked, stored) is found
    assert finds("ReferringPhysicianName", asked, stored) is found


def tidy(name: str) -> list[str]:
    """Return the groups of a name, by the words of T-16 and nothing clever."""
    groups = []
    for group in name.lower().strip().split("="):
        parts = [part.strip() for part in group.split("^")]
        while parts and not parts[-1]:
            parts.pop()
        groups.append("^".join(parts))
    while groups and not groups[-1]:
        groups.pop()
    return groups


def means(asked: str, stored: str) -> bool:
    """One text against one text, which may have empty components up to those of the key."""
    missing = max(0, asked.count("^") - stored.count("^")) if stored else 0
    return naive(asked, stored) or naive(asked, stored + "^" * missing)


def means_name(asked: str, stored: str) -> bool:
    wanted, groups = tidy(asked), tidy(stored)
    whole = "=".join(groups)
    is_wild = "*" in asked or "?" in asked
    if not whole:
        return False
    if (is_wild or "=" not in asked) and means("=".join(wanted), whole):
        return True
    if "=" not in asked:
        return any(means(wanted[0], group) for group in groups)
    groups += [""] * len(wanted)
    return all(not one or means(one, groups[number]) for number, one in enumerate(wanted))


@pytest.mark.req("T-16")
@given(st.text("aB^= *?", max_size=6), st.text("abB^= ", max_size=7))
def test_names_agree_with_the_rule_read_out_plainly(asked: str, stored: str) -> None:
    if tidy(asked) and asked.strip() != "*":
        assert finds("PatientName", asked, stored) is means_name(asked, stored)


@pytest.mark.req("T-17")
@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("Jane^Smith", "Smith^Jane"),
        ("smi jan", "Smith^Jane"),
        ("Smi", "Smith^Jane"),
        ("muller", "Müller^Jörg"),
        ("jorg^Mueller*", "Mueller^Jörg"),
        ("Strasse 7", "Straße^7"),
        ("Soren", "Sørensen^Å"),
        ("Lukasz", "Łukasz"),
        ("ﾔﾏﾀﾞ", "Yamada=山田=やまだ"),
        ("ヤマダ", "Yamada=山田=やまだ"),
        ("ＹＡＭＡＤＡ", "Yamada=山田"),
        ("太郎 山田", JAPANESE),
        ("m?ller j", "Müller^Jo"),
    ],
)
def test_fuzzy_finds_beginnings_in_any_order_and_only_when_it_is_in_force(
    asked: str, stored: str
) -> None:
    assert finds("PatientName", asked, stored, FUZZY)
    assert not finds("PatientName", asked, stored)


@pytest.mark.req("T-17")
@pytest.mark.parametrize(
    ("asked", "stored"),
    [("Jane Doe", "Smith^Jane"), ("mith", "Smith"), ("が", "かとう"), ("x", "")],
)
def test_fuzzy_is_not_anything(asked: str, stored: str) -> None:
    assert not finds("PatientName", asked, stored, FUZZY)


@pytest.mark.req("T-17")
@given(st.text(max_size=8), st.text("abÄß^=* ?ヤﾔや", max_size=8))
def test_fuzzy_finds_whatever_is_found_without_it(stored: str, asked: str) -> None:
    one, record = key("PatientName", asked), row(PatientName=stored)
    assert not holds(one, record) or holds(one, record, FUZZY)


@pytest.mark.req("T-17")
@given(st.text(max_size=6), st.text(max_size=6))
def test_folding_works_character_by_character(one: str, other: str) -> None:
    one, other = (unicodedata.normalize("NFC", text) for text in (one, other))
    if unicodedata.normalize("NFC", one + other) == one + other:
        assert folded(one + other) == folded(one) + folded(other)


@pytest.mark.req("T-17")
def test_folding_forgets_no_more_and_no_less_in_any_character() -> None:
    for code in [*range(0x20, 0xD800), *range(0xE000, 0x11000)]:
        character = chr(code)
        plain = folded(character)
        assert folded(plain) == plain
        assert folded(case_folded(character)) == plain
        assert folded(unicodedata.normalize("NFD", character)) == plain


def test_what_an_index_keeps_of_a_name() -> None:
    assert folded_groups("Müller^Jörg^^=ﾔﾏﾀﾞ ^") == ["muller^jorg", folded("やまだ")]
    assert words("Müller^Jörg Otto=Ä") == ["muller", "jorg", "otto", "a"]
    assert folded_groups("") == []
