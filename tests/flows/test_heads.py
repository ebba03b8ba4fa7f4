"""Heads outlive their bytes: no more is read than they need, and rules answer alike."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.flows.rig import TINY, Rig, destination, rule
from tests.objects.files import Stored
from tests.rules.asking import FACTS, data_set, head_of
from waystation.blobs.reading import BlobReader
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.flows.heads import FIRST, head_from, kept
from waystation.journal.heads import HeadSource
from waystation.model.errors import StorageError
from waystation.rules.conditions import Look, condition

CT = "1.2.840.10008.5.1.4.1.1.2"
VALUES = {"Modality": "CT", "Rows": 512, "StudyDescription": "CHEST "}
PIXELS = b"\xe0\x7f\x10\x00OW\0\0" + (4 << 20).to_bytes(4, "little") + bytes(4 << 20)


def source(**fields: object) -> HeadSource:
    values: dict[str, object] = {
        "arrival": 1,
        "blob": "",
        "size_bytes": 0,
        "transfer_syntax": EXPLICIT_VR_LE,
    }
    return HeadSource(**values | fields)  # type: ignore[arg-type]


def test_of_a_big_blob_only_its_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_set(VALUES) + PIXELS
    (tmp_path / "b").write_bytes(file_meta(CT, "1.2", EXPLICIT_VR_LE) + data)
    read: list[int] = []
    pieces = BlobReader.pieces

    def counted(self: BlobReader, name: str, size_bytes: int, first: int = 0) -> Iterator[bytes]:
        for piece in pieces(self, name, size_bytes, first):
            read.append(len(piece))
            yield piece

    monkeypatch.setattr(BlobReader, "pieces", counted)
    head = head_from(source(blob="b", size_bytes=len(data)), BlobReader(tmp_path))
    assert head.values("Modality") == ["CT"]
    assert read == [FIRST]


def test_a_blob_that_was_cut_is_no_head(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(file_meta(CT, "1.2", EXPLICIT_VR_LE) + data_set(VALUES))
    with pytest.raises(StorageError):
        head_from(source(blob="b", size_bytes=10_000), BlobReader(tmp_path))


def test_nothing_left_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"):
        head_from(source(), BlobReader(tmp_path))
    with pytest.raises(StorageError, match="damaged"):
        head_from(source(kept=b"nonsense"), BlobReader(tmp_path))


def implicit(data: bytes) -> bytes:
    """Return explicit little endian elements without their VRs (short ones only)."""
    out, at = b"", 0
    while at < len(data):
        length = int.from_bytes(data[at + 6 : at + 8], "little")
        out += data[at : at + 4] + length.to_bytes(4, "little") + data[at + 8 : at + 8 + length]
        at += 8 + length
    return out


@pytest.mark.req("R-77")
@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE, DEFLATED])
def test_a_kept_head_answers_as_the_object_did(syntax: str, tmp_path: Path) -> None:
    plain = data_set(VALUES)
    data = plain if syntax != IMPLICIT_VR_LE else implicit(plain)
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = packer.compress(plain) + packer.flush()
    whole = Head.from_bytes(data, syntax)
    again = head_from(source(kept=kept(whole), transfer_syntax=syntax), BlobReader(tmp_path))
    for keyword in VALUES:
        assert again.values(keyword) == whole.values(keyword)


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, EXPLICIT_VR_BE])
def test_long_values_are_blanked_and_still_there(syntax: str, tmp_path: Path) -> None:
    big = syntax == EXPLICIT_VR_BE
    order: Literal["big", "little"] = "big" if big else "little"
    length = 1 << 20

    def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
        header = group.to_bytes(2, order) + number.to_bytes(2, order) + vr
        if vr == b"OB":
            return header + b"\0\0" + len(value).to_bytes(4, order) + value
        return header + len(value).to_bytes(2, order) + value

    data = (
        element(0x0008, 0x0060, b"CS", b"CT")
        + element(0x0042, 0x0011, b"OB", b"x" * length)
        + element(0x0042, 0x0012, b"LO", b"text/xml")
    )
    small = kept(Head.from_bytes(data, syntax))
    assert len(small) < 1000
    again = head_from(source(kept=small, transfer_syntax=syntax), BlobReader(tmp_path))
    assert again.values("Modality") == ["CT"]
    assert again.values("MIMETypeOfEncapsulatedDocument") == ["text/xml"]
    present = condition({"EncapsulatedDocument": {"present": True}}, "when", [])
    assert present.holds(Look(again, FACTS))
    assert present.holds(Look(Head.from_bytes(data, syntax), FACTS))


def test_what_is_short_is_kept_as_it_is() -> None:
    head = head_of({"Modality": "CT", "RequestAttributesSequence": [{"Modality": "MR"}]})
    assert zlib.decompress(kept(head)) == head.data


@pytest.mark.req("R-77")
async def test_the_sweep_keeps_the_head_when_the_bytes_go_and_then_forgets_it(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a"), keep="0s")
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    began = rig.node.clock()
    rig.node.clock = lambda: began + 60
    rig.node.sweep._clock = rig.node.clock
    assert await rig.node.sweep.once() == 1
    assert rig.blobs() == []
    ((data, kept_at),) = await rig.rows("SELECT data, kept_at FROM head")
    head = Head.from_bytes(zlib.decompress(data), TINY.transfer_syntax, tail_missing=True)
    assert head.values("Modality") == whole(TINY).values("Modality")
    assert kept_at == began + 60
    rig.node.sweep._clock = lambda: began + 61 + 14 * 86_400
    await rig.node.sweep.once()
    assert await rig.rows("SELECT data FROM head") == []


def whole(stored: Stored) -> Head:
    return Head.from_bytes(stored.data_set, stored.transfer_syntax)
