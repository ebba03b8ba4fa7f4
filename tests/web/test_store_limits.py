"""STOW-RS at its limits, and the reasons that it shares with C-STORE."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.flows.conftest import rig
from tests.flows.rig import CT, TINY, Rig
from tests.objects.samples import as_file, study
from tests.web.test_store import KIND, reason, start, stow
from waystation.dicomweb.stow import read_answer

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


@pytest.mark.req("W-94", "W-97")
async def test_a_part_over_the_limit_costs_itself_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.deposit.LARGEST", 100_000)
    web = await start(rig)
    answer = await stow(web, as_file(TINY), as_file(CT), as_file(study(1, seed="after")[0]))
    assert answer.status_code == 202
    assert set(reason(answer).values()) <= {0xC010, 0xA700}
    assert set(reason(answer)) == {CT.sop_instance}


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


@pytest.mark.req("W-97")
async def test_class_and_syntax_that_are_none_are_named(rig: Rig) -> None:
    web = await start(rig)
    odd = replace(TINY, transfer_syntax="1.2.x")
    told = read_answer((await stow(web, as_file(odd), as_file(CT))).content)
    assert told is not None
    assert set(told.failed.values()) | {0xC122} == {0xC122}
    assert set(told.stored) == {CT.sop_instance}
