"""STOW-RS at its limits, and the reasons that it shares with C-STORE."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.flows.conftest import rig
from tests.flows.rig import CT, Rig
from tests.objects.samples import as_file
from tests.web.test_store import KIND, reason, start, stow

__all__ = ("rig",)

REFUSING = '[[rule]]\nname = "only ours"\nwhen = { Modality = "XX" }\nsend = ["archive"]\n'


@pytest.mark.req("W-94", "W-95")
async def test_a_body_that_says_it_is_too_large_is_not_read(rig: Rig) -> None:
    web = await start(rig)

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    announced = str((16 << 30) + 1)
    answer = await web.ask(
        "/studies", "POST", content=never(), content_type=KIND, content_length=announced
    )
    assert answer.status_code == 413
    assert rig.blobs() == []


@pytest.mark.req("W-94")
async def test_metadata_that_are_too_deep_or_too_long_are_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = await start(rig)
    kind = 'multipart/related; type="application/dicom+json"; boundary=sep'

    async def post(text: bytes) -> int:
        part = b"--sep\r\nContent-Type: application/dicom+json\r\n\r\n" + text + b"\r\n--sep--\r\n"
        answer = await web.ask("/studies", "POST", content=part, content_type=kind)
        return answer.status_code

    assert await post(b"[" * 100_000) == 400
    deep: object = {}
    for _ in range(80):
        deep = {"00081140": {"vr": "SQ", "Value": [deep]}}
    assert await post(json.dumps([deep]).encode()) in (400, 409)
    monkeypatch.setattr("waystation.web.stow_metadata.MOST_METADATA", 1000)
    assert await post(json.dumps([{}] * 1000).encode()) in (400, 413)
    assert rig.blobs() == []


@pytest.mark.req("W-97", "W-93")
async def test_what_no_rule_takes_is_refused_as_by_c_store(rig: Rig) -> None:
    web = await start(rig, '[routing]\notherwise = "refuse"\n' + REFUSING)
    answer = await stow(web, as_file(CT))
    assert answer.status_code == 409
    assert reason(answer) == {CT.sop_instance: 0x0124}
    assert rig.blobs() == []
