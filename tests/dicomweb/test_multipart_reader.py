"""Multipart bodies taken apart: however they are cut, and whatever their parts hold."""

from collections.abc import Iterable

import pytest

from waystation.dicomweb import multipart_reader
from waystation.dicomweb.multipart_reader import Begun, Data, Ended, MultipartError, MultipartReader

PAYLOADS = [
    b"",
    b"plain",
    b"\r\n--seps and more\r\n",
    b"\r\n--se",
    b" --sep--",
    b"\r\n\r\n--se\r\n--\r\r\n",
    b"\r\n--sep-\r\n--sep -x",
    bytes(range(256)) * 40,
]


def body(payloads: Iterable[bytes], *, preamble: bytes = b"", end: bytes = b"--\r\n") -> bytes:
    parts = [
        b"\r\n--sep\r\nContent-Type: application/dicom\r\nX-N: %d\r\n\r\n" % number + payload
        for number, payload in enumerate(payloads)
    ]
    whole = b"".join(parts) + b"\r\n--sep" + end
    return preamble + whole if preamble else whole[2:]


def read(pieces: Iterable[bytes], most_parts: int = 100) -> tuple[list[bytes], MultipartReader]:
    """Return the payloads of the parts that ended."""
    reader = MultipartReader("sep", most_parts)
    found: list[bytes] = []
    current = b""
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, Begun):
                assert event.headers["content-type"] == "application/dicom"
                current = b""
            elif isinstance(event, Data):
                current += event.data
            else:
                assert isinstance(event, Ended)
                found.append(current)
    return found, reader


@pytest.mark.req("W-94", "WT-13")
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1 << 20])
@pytest.mark.parametrize("preamble", [b"", b"to whom it may concern"])
def test_parts_come_out_as_they_went_in_however_the_body_is_cut(size: int, preamble: bytes) -> None:
    whole = body(PAYLOADS, preamble=preamble)
    found, reader = read(whole[at : at + size] for at in range(0, len(whole), size))
    assert found == PAYLOADS
    assert reader.over
    assert reader.n_parts == len(PAYLOADS)


@pytest.mark.req("W-94")
def test_parts_without_a_header_or_without_a_body() -> None:
    reader = MultipartReader("sep")
    events = list(reader.feed(b"--sep\r\n\r\none\r\n--sep\r\nX: y\r\n\r\n--sep--"))
    assert events == [Begun({}), Data(b"one"), Ended(), Begun({"x": "y"}), Ended()]


@pytest.mark.req("W-94")
def test_blanks_behind_a_delimiter_and_an_epilogue_do_no_harm() -> None:
    whole = b"--sep \t\r\nContent-Type: application/dicom\r\n\r\none\r\n--sep--and what follows"
    assert read([whole])[0] == [b"one"]


@pytest.mark.req("W-94")
def test_a_body_that_is_cut_says_so() -> None:
    whole = body([b"one", b"two"])
    found, reader = read([whole[:-12]])
    assert found == [b"one"]
    assert reader.inside
    assert not reader.over


@pytest.mark.req("W-94")
def test_limits_of_parts_headers_preamble_and_boundary() -> None:
    with pytest.raises(MultipartError, match="more than 3 parts"):
        read([body([b"x"] * 4)], most_parts=3)
    with pytest.raises(MultipartError, match="header of a part"):
        read([b"--sep\r\nX: " + b"y" * 9000])
    with pytest.raises(MultipartError, match="outside of its parts"):
        read([b"z" * 70_000])
    for boundary in ("", "x" * 101, "with\r\nline", "ends "):
        with pytest.raises(MultipartError):
            MultipartReader(boundary)


@pytest.mark.req("W-94", "W-14")
def test_what_is_held_back_is_no_longer_than_a_delimiter(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = MultipartReader("sep")
    list(reader.feed(b"--sep\r\n\r\n"))
    for _ in range(50):
        given = list(reader.feed(b"\r\n--se" * 1000))
        assert sum(len(one.data) for one in given if isinstance(one, Data)) >= 5990
    assert len(reader._held) < 20
    assert multipart_reader.MOST_PARTS == 10_000


@pytest.mark.req("W-94")
@pytest.mark.parametrize("before", [0, 1000])
def test_64_kib_may_stand_around_the_parts_and_none_of_it_is_kept(before: int) -> None:
    reader = MultipartReader("sep")
    assert len(list(reader.feed(body([b"x"], preamble=b"z" * before)))) == 3
    left = (64 << 10) - len(b"\r\n") - (before + 2 if before else 0)
    assert list(reader.feed(b"e" * left)) == []
    assert not reader._held
    with pytest.raises(MultipartError, match="outside of its parts"):
        list(reader.feed(b"e" * 3))


@pytest.mark.req("W-94")
def test_a_part_has_so_many_fields_and_no_more() -> None:
    def part(fields: int) -> list[object]:
        lines = b"".join(b"X-%d: 1\r\n" % number for number in range(fields))
        whole = b"--sep\r\n" + lines + b"\r\nbody\r\n--sep--\r\n"
        return list(MultipartReader("sep").feed(whole))

    assert len(part(32)) == 3
    with pytest.raises(MultipartError, match="more than 32 fields"):
        part(33)
