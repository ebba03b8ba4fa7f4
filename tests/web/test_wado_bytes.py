"""Retrieved bytes to the last one: delimiters, part headers, syntaxes made on the way."""

import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from tests.flows.conftest import rig
from tests.flows.rig import CT, Rig
from tests.objects.elements import EXPLICIT_LITTLE, element
from tests.objects.files import Stored
from tests.objects.samples import as_file, sample, study
from tests.web.living import BASE, DICOM_PARTS, OCTET_PARTS, Living, parts_of, path_of
from tests.web.test_frames import a_file
from tests.web.test_store import KIND, body
from tests.web.test_wado import living

__all__ = ("rig",)

STAR = DICOM_PARTS + "; transfer-syntax=*"
RLE, J2K, HTJ2K = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"
BASELINE, J2K_LOSSY = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"
TOKEN = re.compile(r'multipart/related; type="application/(dicom|octet-stream)"; boundary=([-\w]+)')


def with_payload(payload: bytes) -> Stored:
    """Return an object that ends with bytes of the caller's choice."""
    one = sample("tiny", seed=payload)
    whole = payload + b" " * (len(payload) % 2)
    return replace(one, data_set=one.data_set + element(0xFFFCFFFC, "OB", whole))


@pytest.mark.req("W-74", "W-75", "W-76", "W-15", "WT-13")
async def test_an_answer_is_these_bytes_and_no_others(rig: Rig) -> None:
    foreign = b"\r\n--abc\r\nContent-Type: application/dicom\r\n\r\nx\r\n--abc--\r\n"
    sent = [CT, with_payload(foreign)]
    web = await living(rig, *sent)
    tokens = set()
    for one in (*sent, sent[0]):
        file = (await web.ask(path_of(one), accept="application/dicom; transfer-syntax=*")).content
        answer = await web.ask(path_of(one), accept=STAR)
        match = TOKEN.fullmatch(answer.headers["content-type"])
        assert match is not None
        token = match[2]
        tokens.add(token)
        assert answer.content == (
            f"--{token}\r\n"
            f"Content-Type: application/dicom; transfer-syntax={EXPLICIT_LITTLE}\r\n"
            f"Content-Location: {BASE}/dicom-web{path_of(one)}\r\n"
            f"Content-Length: {len(file)}\r\n\r\n".encode()
            + file
            + f"\r\n--{token}--\r\n".encode()
        )
        assert token.encode() not in file
    assert len(tokens) == 3
    (frame,) = await web.parts(path_of(CT) + "/frames/1")
    assert next(iter(frame.headers.items())) == (
        "Content-Type",
        f"application/octet-stream; transfer-syntax={EXPLICIT_LITTLE}",
    )


@pytest.mark.req("W-71", "W-73")
async def test_lossless_syntaxes_are_made_and_lossy_ones_never(rig: Rig) -> None:
    one = a_file("MR_small.dcm")
    web = await living(rig, one)
    before = dcmread(BytesIO(as_file(one))).pixel_array
    for syntax in (RLE, J2K):
        accept = f"{DICOM_PARTS}; transfer-syntax={syntax}"
        (part,) = parts_of(await web.ask(path_of(one), accept=accept))
        assert part.headers["Content-Type"] == f"application/dicom; transfer-syntax={syntax}"
        read = dcmread(BytesIO(part.body))
        assert read.file_meta.TransferSyntaxUID == syntax
        assert np.array_equal(read.pixel_array, before)
    for syntax in (BASELINE, J2K_LOSSY):
        for accept in (DICOM_PARTS, "application/dicom"):
            answer = await web.ask(path_of(one), accept=f"{accept}; transfer-syntax={syntax}")
            assert answer.status_code == 406
        frame = f"{OCTET_PARTS}; transfer-syntax={syntax}"
        assert (await web.ask(path_of(one) + "/frames/1", accept=frame)).status_code == 406
    fallback = f"{DICOM_PARTS}; transfer-syntax={BASELINE}, {DICOM_PARTS}; q=0.5"
    (part,) = parts_of(await web.ask(path_of(one), accept=fallback))
    assert part.headers["Content-Type"].endswith(EXPLICIT_LITTLE)


@pytest.mark.req("W-63")
async def test_a_study_as_bulk_data_is_all_its_values_and_no_object(rig: Rig) -> None:
    sent = study(2, seed="bulk")
    web = await living(rig, *sent)
    for level, n in (("study", 2), ("series", 2), ("instance", 1)):
        path = path_of(sent[0], level)
        parts = await web.parts(path, OCTET_PARTS)
        again = await web.parts(path + "/bulkdata", OCTET_PARTS)
        assert [part.body for part in parts] == [part.body for part in again]
        assert sum(part.headers["Content-Location"].endswith("7FE00010") for part in parts) == n
    assert (await web.ask(path_of(sent[0]), accept="text/plain")).status_code == 406


@pytest.mark.req("W-77")
async def test_what_runs_as_a_program_does_not_leave_as_one(rig: Rig) -> None:
    await rig.start("")
    web = Living(rig)
    evil = b"MZ" + bytes(range(126)) + as_file(CT)[128:]
    answer = await web.ask("/studies", "POST", content=body(evil), content_type=KIND)
    assert answer.status_code == 200
    got = await web.ask(path_of(CT), accept="application/dicom; transfer-syntax=*")
    assert got.content[:132] == bytes(128) + b"DICM"
    assert got.content.endswith(CT.data_set)
