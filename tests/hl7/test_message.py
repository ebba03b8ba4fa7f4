"""Bytes into messages: delimiters, escapes, character sets, and what is refused."""

from contextlib import suppress

import hl7 as other_reader  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hl7.building import MARKS, message, msh, order, pid
from waystation.hl7.charsets import charset_of
from waystation.hl7.errors import Hl7Error
from waystation.hl7.escapes import escaped, unescaped
from waystation.hl7.message import DELETED, parse

TEXTS = {
    "8859/1": ("Müller^Jörg", "latin-1"),
    "8859/2": ("Dvořák^Božena", "iso8859-2"),
    "8859/5": ("Люкceмбypг", "iso8859-5"),
    "8859/7": ("Διονυσιος", "iso8859-7"),
    "8859/8": ("שרון^דבורה", "iso8859-8"),
    "8859/9": ("Çavuşoğlu", "iso8859-9"),
    "8859/15": ("Œuvre^€", "iso8859-15"),
    "GB 18030-2000": ("王^小东", "gb18030"),
    "UNICODE UTF-8": ("山田^太郎", "utf-8"),
    "UNICODE": ("김희중", "utf-8"),
    "KS X 1001": ("김^희중", "euc-kr"),
}


@pytest.mark.req("T-61")
@pytest.mark.parametrize(("charset", "named"), TEXTS.items(), ids=list(TEXTS))
def test_text_is_read_by_the_character_set_of_msh_18(charset: str, named: tuple[str, str]) -> None:
    text, codec = named
    found = parse(message(msh(charset=charset), pid(name=text), codec=codec))
    assert "^".join(found.first("PID").raw(5).split("^")) == text  # type: ignore[union-attr]


@pytest.mark.req("T-61")
def test_a_second_byte_that_looks_like_a_delimiter_divides_nothing() -> None:
    text = "乗亅乛亊"
    assert {0x5C, 0x5E, 0x7C} <= set(text.encode("gb18030"))
    found = parse(message(msh(charset="GB 18030-2000"), pid(name=text), codec="gb18030"))
    assert found.value("PID", 5) == text


@pytest.mark.req("T-61")
def test_japanese_text_changes_its_set_by_escape_sequences() -> None:
    name = "Yamada^Tarou=".replace("=", "") + "~山田^太郎"
    raw = message(msh(charset="~ISO IR87"), codec="ascii")
    raw += b"PID|1||P1||" + name.encode("iso2022_jp") + b"\r"
    found = parse(raw).first("PID")
    assert found is not None
    assert found.raw(5) == name
    assert charset_of(["", "ISO IR87"]) == "\\ISO 2022 IR 87"


@pytest.mark.req("T-61")
@pytest.mark.parametrize("charset", ["BIG-5", "CNS 11643-1992", "UNICODE UTF-16", "nonsense"])
def test_a_character_set_that_is_not_read_is_refused_by_name(charset: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        parse(message(msh(charset=charset), pid(name="Doe")))
    assert refused.value.where == "MSH-18"
    assert charset in refused.value.text


@pytest.mark.req("T-61")
def test_bytes_outside_the_declared_set_are_refused_with_their_place() -> None:
    with pytest.raises(Hl7Error) as refused:
        parse(message(msh(charset="UNICODE UTF-8"), pid(name="Müller"), codec="latin-1"))
    assert refused.value.where == "PID-5"
    assert "ü" not in str(refused.value)


def test_without_msh_18_the_senders_setting_counts_and_then_a_guess() -> None:
    latin = message(msh(charset=""), pid(name="Dvořák"), codec="iso8859-2")
    assert parse(latin, charset="ISO_IR 101").value("PID", 5) == "Dvořák"
    unicode = message(msh(charset=""), pid(name="Dvořák"), codec="utf-8")
    assert parse(unicode).value("PID", 5) == "Dvořák"


@pytest.mark.req("T-61")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"line one\.br\line two", "line one\nline two"),
        (r"one\.sp3\two", "one\n\n\ntwo"),
        (r"\X4D\\X6FE4\ller", "Mo\u00e4ller"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"5 \ 3", "5 \\ 3"),
        (r"\Zodd\ stays", r"\Zodd\ stays"),
        ("\\", "\\"),
        (r"\Xzz\ ", r"\Xzz\ "),
        (r"a\\F\b", r"a\|b"),
    ],
)
def test_escapes_are_decoded_after_dividing(written: str, meant: str) -> None:
    found = parse(message(msh(), f"NTE|1||{written}"))
    assert found.value("NTE", 3) == meant


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_what_is_escaped_comes_back(text: str) -> None:
    assert unescaped(escaped(text), "|^~\\&", lambda raw: raw.decode("latin-1")) == text


def test_parts_are_found_where_they_are_and_nowhere_else() -> None:
    found = parse(message(msh(), 'PID|1||A^^^X&1.2&ISO~B^^^Y||""|x'))
    segment = found.first("PID")
    assert segment is not None
    assert [segment.part(one, 1) for one in segment.repetitions(3)] == ["A", "B"]
    assert segment.part(segment.repetitions(3)[0], 4, 2) == "1.2"
    assert segment.value(5) == DELETED
    assert (segment.value(99), segment.value(6, 2)) == ("", "")


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", "MSH"),
        (b"PID|1\r", "MSH"),
        (b"GET / HTTP/1.1\r\n", "MSH"),
        (b"MSH", "MSH"),
        (b"MSH|^^\\&|a|b\r", "MSH-2"),
        (b"MSHAAAAAAAAAAA", "MSH-2"),
        (message(f"MSH|{MARKS}|a|b|c|d|20260101||ORM^O01||P|2.3"), "MSH-10"),
        (message(f"MSH|{MARKS}|a|b|c|d|20260101|||7|P|2.3"), "MSH-9"),
        (message(msh(), "pid|1"), ""),
        (message(msh(), "garbage"), ""),
        (message(msh(), pid(), msh()), "MSH"),
    ],
)
def test_what_is_no_message_is_refused(raw: bytes, where: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        parse(raw)
    assert refused.value.where == where


def test_line_ends_of_other_systems_are_understood() -> None:
    raw = message(msh(), pid(name="Doe"))
    for end in (b"\n", b"\r\n"):
        assert parse(raw.replace(b"\r", end)).value("PID", 5) == "Doe"


def test_another_reader_finds_the_same_fields() -> None:
    raw = order(text="A^B", extra=["NTE|1||x~y~z"])
    ours, theirs = parse(raw), other_reader.parse(raw.decode("latin-1"))
    for number, segment in enumerate(ours.segments):
        for field in range(1, len(segment.fields)):
            assert segment.raw(field) == str(theirs[number][field]), (segment.name, field)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_refusal(raw: bytes) -> None:
    for data in (raw, b"MSH|^~\\&|" + raw, message(msh()) + raw):
        with suppress(Hl7Error):
            for segment in parse(data).segments:
                for field in range(len(segment.fields)):
                    segment.value(field, 2, 2)


@pytest.mark.req("T-61")
def test_fields_of_a_megabyte_of_delimiters_are_read_in_one_pass() -> None:
    long = 1 << 20
    for filling in ("\\", "^", "~", "&", "\\X", "\\F\\", "|"):
        line = "OBX|1||" + filling * (long // len(filling) - 40)
        found = parse(message(msh(), line))
        found.segments[1].value(3, 3)
        list(found.segments[1].repetitions(3))


@pytest.mark.req("L31")
def test_more_segments_than_allowed_are_refused_before_they_are_divided() -> None:
    with pytest.raises(Hl7Error, match="more than 1000 segments"):
        parse(message(msh(), *["NTE|1||x"] * 1000, "NTE"))
