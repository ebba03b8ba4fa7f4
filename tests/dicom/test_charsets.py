"""Every character set of DICOM, read and written (toolkit, section 2)."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.dicom.charset_tables import SETS, bytes_of
from waystation.dicom.charset_terms import SENTENCES, Charset, Fault
from waystation.dicom.charsets import CharsetError, decode, encode, fits, read

SINGLE = ("6", "100", "101", "109", "110", "144", "127", "126", "138", "148", "166", "203", "13")
SEVERAL = ("87", "159", "149", "58")
# A character of each set, and its bytes there with the escape sequence that a second term needs.
SAMPLES = {
    "100": ("é", b"\x1b-A\xe9"),
    "101": ("ł", b"\x1b-B\xb3"),
    "109": ("ħ", b"\x1b-C\xb1"),
    "110": ("ŋ", b"\x1b-D\xbf"),
    "144": ("Ж", b"\x1b-L\xb6"),
    "127": ("ق", b"\x1b-G\xe2"),
    "126": ("Δ", b"\x1b-F\xc4"),
    "138": ("ש", b"\x1b-H\xf9"),
    "148": ("ğ", b"\x1b-M\xf0"),
    "166": ("น", b"\x1b-T\xb9"),
    "203": ("œ", b"\x1b-b\xbd"),
    "13": ("ﾔ", b"\x1b)I\xd4"),
    "87": ("山", b"\x1b$B;3\x1b(B"),
    "159": ("丂", b"\x1b$(D0!\x1b(B"),
    "149": ("洪", b"\x1b$)C\xfb\xf3"),
    "58": ("张", b"\x1b$)A\xd5\xc5"),
}


def cases(golden: Path) -> list[dict[str, Any]]:
    text = (golden / "charset" / "cases.json").read_text(encoding="utf-8")
    return list(json.loads(text)["cases"])


def joined(text: str | list[str]) -> str:
    return "\\".join(text) if isinstance(text, list) else text


@pytest.mark.req("TT-19", "T-20", "T-21", "T-22", "T-23", "T-24")
def test_every_golden_case_is_read_and_goes_to_utf_8_and_back(golden: Path) -> None:
    right = {"S": 0, "D": 0, "P": 0}
    for case in cases(golden):
        declared, found = case["SpecificCharacterSet"], True
        for element in case["elements"]:
            raw, vr = bytes.fromhex(element["hex"]), element["vr"]
            text = read(raw, declared, vr).text
            found &= element["text"] is None or text.rstrip(" =") == joined(element["text"]).rstrip(
                " ="
            )
            if case["class"] == "P":
                continue
            in_utf_8 = encode(text, "ISO_IR 192", vr)
            assert decode(in_utf_8, "ISO_IR 192", vr, strict=True) == text
            assert decode(encode(text, declared, vr), declared, vr) == text, case["name"]
        right[case["class"]] += found
    assert right == {"S": 32, "D": 4, "P": 1}


@pytest.mark.req("T-24")
def test_conformant_golden_cases_give_no_warning_and_the_others_name_theirs(golden: Path) -> None:
    faults = {
        case["name"]: {
            fault.value
            for element in case["elements"]
            for fault in read(
                bytes.fromhex(element["hex"]), case["SpecificCharacterSet"], element["vr"]
            ).faults
        }
        for case in cases(golden)
    }
    assert {name: found for name, found in faults.items() if found} == {
        "ascii-escape-not-declared": {"undeclared-escape"},
        "misspelt-hyphen": {"misspelt-term"},
        "misspelt-underscore": {"misspelt-term"},
        "no-term-but-8-bit": {"no-term"},
        "vendor-kanji-cells": {"vendor-character"},
    }


@pytest.mark.req("T-20", "T-21")
@pytest.mark.parametrize("name", SAMPLES)
def test_each_set_stands_second_with_its_own_escape_sequence(name: str) -> None:
    character, escaped = SAMPLES[name]
    declared = f"\\ISO 2022 IR {name}"
    assert encode(f"A{character}", declared, "LO") == b"A" + escaped
    assert decode(b"A" + escaped, declared, "LO", strict=True) == f"A{character}"


@pytest.mark.req("T-20")
@pytest.mark.parametrize("name", [name for name in SAMPLES if name in SINGLE])
def test_each_set_of_letters_stands_alone_without_escapes(name: str) -> None:
    character, escaped = SAMPLES[name]
    for term in (f"ISO_IR {name}", f"ISO 2022 IR {name}"):
        assert encode(character, term, "SH") == escaped[3:]
        assert decode(escaped[3:], term, "SH", strict=True) == character


@pytest.mark.req("T-20")
@pytest.mark.parametrize("term", ["ISO_IR 192", "GB18030", "GBK"])
def test_sets_without_extension_take_an_escape_for_an_error(term: str) -> None:
    assert decode("王\\小".encode("gb18030" if term != "ISO_IR 192" else "utf-8"), term, "LO") == (
        "王\\小"
    )
    assert read(b"A\x1b$B;3", term, "LO").faults == {Fault.UNDECODABLE}
    assert "\x1b" not in decode(b"A\x1b$B;3", term, "LO")
    with pytest.raises(CharsetError, match="undecodable"):
        decode(b"A\x1b$B;3", term, "LO", strict=True)


@pytest.mark.req("T-22")
@pytest.mark.parametrize(
    ("raw", "declared", "values"),
    [
        (b"a\x81\x5cb\\c", "GB18030", ["a乗b", "c"]),
        (b"a\x81\x5cb\\c", "GBK", ["a乗b", "c"]),
        (b"\x1b$B0!%=I=9=\x1b(B\\x", "\\ISO 2022 IR 87", ["亜ソ表構", "x"]),
        ("乛=𠀀\\b".encode("gb18030"), "GB18030", ["乛=𠀀", "b"]),
    ],
)
def test_values_are_split_in_the_text_never_in_the_bytes(
    raw: bytes, declared: str, values: list[str]
) -> None:
    assert decode(raw, declared, "LO").split("\\") == values


@pytest.mark.req("T-22", "TT-22", "T-23")
def test_escapes_survive_the_delimiters_of_a_name() -> None:
    declared = "ISO 2022 IR 100\\ISO 2022 IR 149"
    raw = encode("ç^ㅊ^ç", declared, "PN")
    assert raw == b"\xe7^\x1b$)C\xa4\xba\x1b-A^\xe7"
    assert decode(raw, declared, "PN", strict=True) == "ç^ㅊ^ç"


@pytest.mark.req("T-23")
@pytest.mark.parametrize(
    ("vr", "text", "raw"),
    [
        ("PN", "山^田=川", b"\x1b$B;3\x1b(B^\x1b$BED\x1b(B=\x1b$B@n\x1b(B"),
        ("LO", "山^田\\川", b"\x1b$B;3\x1b(B^\x1b$BED\x1b(B\\\x1b$B@n\x1b(B"),
        ("LT", "山\r\n田\\", b"\x1b$B;3\x1b(B\r\n\x1b$BED\x1b(B\\"),
        ("ST", "山\t田\f", b"\x1b$B;3\x1b(B\t\x1b$BED\x1b(B\f"),
    ],
)
def test_the_encoder_returns_to_value_1_wherever_the_standard_asks(
    vr: str, text: str, raw: bytes
) -> None:
    assert encode(text, "\\ISO 2022 IR 87", vr) == raw
    assert decode(raw, "\\ISO 2022 IR 87", vr, strict=True) == text


@pytest.mark.req("T-23")
def test_the_earliest_declared_set_that_has_the_character_is_written() -> None:
    # Greek is in IR 126 and in IR 87, the Latin letters of IR 100 in IR 203 too.
    assert encode("Ω", "\\ISO 2022 IR 87\\ISO 2022 IR 126", "LO") == b"\x1b$B&8\x1b(B"
    assert encode("Ω", "\\ISO 2022 IR 126\\ISO 2022 IR 87", "LO") == b"\x1b-F\xd9"
    assert encode("é€é", "ISO 2022 IR 100\\ISO 2022 IR 203", "LO") == b"\xe9\x1b-b\xa4\x1b-A\xe9"


@pytest.mark.req("T-23")
@pytest.mark.parametrize(
    ("text", "declared", "vr"),
    [
        ("Ж", "ISO_IR 100", "PN"),
        ("山", "", "PN"),
        ("é", "", "LO"),
        ("é", "ISO_IR 192", "CS"),
        ("a\x1b(Bb", "ISO_IR 192", "LO"),
        ("a\x1b(Bb", "", "LO"),
        ("¥", "ISO_IR 13", "LO"),  # its byte divides values
        ("~", "ISO_IR 13", "LO"),  # an overline there
        ("\x85", "ISO_IR 100", "LO"),
    ],
)
def test_no_set_is_written_that_was_not_declared(text: str, declared: str, vr: str) -> None:
    assert not fits(text, declared, vr)
    with pytest.raises(CharsetError) as caught:
        encode(text, declared, vr)
    assert caught.value.characters


def test_the_first_value_13_reads_ascii_as_jis_does() -> None:
    assert decode(b"a\\b", "ISO_IR 13", "LO") == "a\\b"
    assert decode(b"\\100~", "ISO_IR 13", "LT") == "¥100‾"
    assert encode("¥100‾", "ISO_IR 13", "LT") == b"\\100~"


@pytest.mark.req("T-24")
@pytest.mark.parametrize(
    ("raw", "declared", "text", "fault"),
    [
        (b"M\xfcller", "ISO-IR 100", "Müller", Fault.MISSPELT),
        (b"M\xfcller", " iso_ir 100", "Müller", Fault.MISSPELT),
        ("Müller".encode(), "UTF-8", "Müller", Fault.MISSPELT),
        (b"\x1b$B;3\x1b(B", "\\ISO_2022_IR_87", "山", Fault.MISSPELT),
        (b"\x1b$B;3\x1b(B", "\\ISO 2022 IR  87 ", "山", Fault.MISSPELT),
        (b"\xd4\x1b(BA\x1b(J", "ISO 2022 IR 13", "ﾔA", Fault.UNDECLARED),
        (b"A\x1b(JB\x1b(B", "\\ISO 2022 IR 87", "AB", Fault.UNDECLARED),
        (b"\x1b$B;3", "\\ISO 2022 IR 87", "山", Fault.NO_RESET),
        (b"\x1b$B;3\r\nA", "\\ISO 2022 IR 87", "山\r\nA", Fault.NO_RESET),
        (b"\x1b$B|b\x1b(B", "\\ISO 2022 IR 87", "髙", Fault.VENDOR),
        (b"it\x92s", "ISO_IR 100", "it’s", Fault.VENDOR),
        (b"\x1b-F\xc4", "ISO_IR 100", "Δ", Fault.UNDECLARED),
        (b"\x1b$B;3\x1b(B", "ISO_IR 100", "山", Fault.UNDECLARED),
        ("Müller".encode(), "", "Müller", Fault.GUESSED),
        (b"M\xfcller", "no such set", "Müller", Fault.UNKNOWN_TERM),
        ("é".encode(), "ISO_IR 192\\ISO 2022 IR 87", "é", Fault.NOT_EXTENSIBLE),
        (b"\xe9", "ISO 2022 IR 100\\ISO_IR 192", "é", Fault.NOT_EXTENSIBLE),
        (b"\xfb\xf3", "ISO 2022 IR 149", "洪", Fault.NOT_EXTENSIBLE),
        (b"A\xa5B", "ISO_IR 126\\X", "A\u20afB", Fault.UNKNOWN_TERM),
        (b"A\xd2B", "ISO_IR 126", "A\ufffdB", Fault.UNDECODABLE),
        (b"A\x1b!xB", "", "A\ufffd!xB", Fault.UNKNOWN_ESCAPE),
        (b"\x1b$)C\xfb\xf3^\xd1\xce", "\\ISO 2022 IR 149", "洪^吉", Fault.UNDECLARED),
    ],
)
def test_what_is_wrong_in_a_known_way_is_read_with_a_warning(
    raw: bytes, declared: str, text: str, fault: Fault
) -> None:
    reading = read(raw, declared, "PN")
    assert reading.text == text
    assert fault in reading.faults
    assert set(SENTENCES) == set(Fault)
    with pytest.raises(CharsetError) as caught:
        decode(raw, declared, "PN", strict=True)
    assert caught.value.fault in reading.faults


@pytest.mark.req("T-24", "TT-21")
def test_an_undecodable_value_shows_what_can_be_read() -> None:
    assert decode(b"A\xff\xfeB", "ISO_IR 192", "LO") == "A\ufffd\ufffdB"
    assert decode(b"\x1b$B;3\x1b$B~~\x1b(BA", "\\ISO 2022 IR 87", "LO") == "山\ufffdA"


@pytest.mark.req("T-25")
def test_without_a_term_the_guesses_of_the_peer_decide_in_their_order() -> None:
    raw = "Ж".encode("iso8859-5")
    assert read(b"Doe", "", "PN").faults == frozenset()
    assert decode(raw, "", "PN") == "¶"
    assert decode(raw, "", "PN", guesses=["ISO_IR 192", "ISO_IR 144"]) == "Ж"
    assert decode("Ж".encode(), "", "PN", guesses=["ISO_IR 192", "ISO_IR 144"]) == "Ж"
    assert read(raw, "", "PN").faults == {Fault.GUESSED}
    assert decode(b"\x1b$B;3\x1b(B", "", "PN") == "山"


@pytest.mark.req("TT-22", "T-20", "T-23")
def test_ten_thousand_random_names_over_all_pairs_of_terms_come_back() -> None:
    chance = random.Random(7)
    firsts = ["", *(f"ISO 2022 IR {name}" for name in SINGLE)]
    seconds = [f"ISO 2022 IR {name}" for name in SINGLE + SEVERAL]
    pairs = [f"{one}\\{two}" for one in firsts for two in seconds if one != two]
    declared = pairs + [f"ISO_IR {name}" for name in SINGLE[1:]]
    for number in range(10_000):
        terms = Charset.parse(declared[number % len(declared)])
        assert not terms.faults
        pool = [_letters(one.name) for one in terms.sets]
        parts = (chance.choice(chance.choice(pool)) for _ in range(chance.randint(1, 10)))
        text = "".join(one if chance.random() < 0.7 else chance.choice("^= A") for one in parts)
        raw = encode(text, terms, "PN")
        assert decode(raw, terms, "PN", strict=True) == text, (terms.declared, text)
        for one in [b"\x1b" + rest[:2] for rest in raw.split(b"\x1b")[1:]]:
            assert any(known.escape.startswith(one) for known in terms.sets)


_POOLS: dict[str, str] = {}


def _letters(name: str) -> str:
    """Return the characters of a set that may stand in a name."""
    if name not in _POOLS:
        every = map(chr, [*range(0x20, 0x3000), *range(0x3000, 0xFFEE, 3)])
        found = (one for one in every if bytes_of(SETS[name], one) and one not in "\\^=¥")
        _POOLS[name] = "".join(found)
    return _POOLS[name]


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 144", "Ärzte^Δ=Ж^é"),
        ("\\ISO 2022 IR 87\\ISO 2022 IR 159", "A=丂^山"),
        ("GB18030", "Wang=乛^𠀀"),
    ],
)
def test_a_second_decoder_reads_what_we_write(declared: str, text: str) -> None:
    from pydicom.charset import convert_encodings, decode_bytes

    encodings = convert_encodings(declared.split("\\"))
    raw = encode(text, declared, "PN")
    # pydicom takes the delimiters apart itself, and leaves them where they were.
    assert decode_bytes(raw, encodings, {0x5E, 0x3D}) == text


@given(
    st.binary(max_size=40),
    st.sampled_from(
        [
            *("", "ISO_IR 100", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK", "\\ISO 2022 IR 87"),
            *("ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159", "\\ISO 2022 IR 149", "??"),
            "ISO 2022 IR 100\\ISO 2022 IR 58\\ISO 2022 IR 126",
        ]
    ),
    st.sampled_from(["PN", "LO", "LT", "CS"]),
    st.booleans(),
)
def test_any_bytes_give_text(raw: bytes, declared: str, vr: str, escaped: bool) -> None:
    raw = raw.replace(b"E", b"\x1b$B").replace(b"J", b"\x1b(J") if escaped else raw
    text = read(raw, declared, vr).text
    if fits(text, declared, vr):
        assert decode(encode(text, declared, vr), declared, vr) == text


@given(st.text(max_size=20))
def test_any_text_for_a_term_is_parsed(declared: str) -> None:
    charset = Charset.parse(declared)
    assert charset.sets
    assert Charset.parse("\\".join(charset.terms)).terms == charset.terms
