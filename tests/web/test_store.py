"""STOW-RS over a node: what is stored, what is answered, what is left behind."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from tests.flows.conftest import rig
from tests.flows.rig import BIG, CT, TINY, Rig
from tests.flows.test_archive import archived
from tests.objects.samples import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE, as_file, in_syntax, study
from tests.web.living import BASE, Living, path_of
from waystation.app.people import People
from waystation.dicomweb.stow import read_answer
from waystation.journal import audit
from waystation.journal.audit import Event
from waystation.model.errors import StorageError
from waystation.web.admission import Admission
from waystation.web.entrance import NoAccounts

__all__ = ("rig",)

KIND = 'multipart/related; type="application/dicom"; boundary=sep'


def body(*files: bytes, end: bytes = b"--sep--\r\n") -> bytes:
    parts = [b"--sep\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in files]
    return b"".join(parts) + end


async def stow(
    web: Living, *files: bytes, path: str = "/studies", kind: str = KIND, **headers: str
) -> httpx2.Response:
    return await web.ask(path, "POST", content=body(*files), content_type=kind, **headers)


def reason(answer: httpx2.Response) -> dict[str, int]:
    """Return failure reasons by SOP instance."""
    found = read_answer(answer.content)
    assert found is not None
    return dict(found.failed)


async def start(rig: Rig, config: str = "") -> Living:
    await rig.start(config)
    return Living(rig)


@pytest.mark.req("W-92", "W-93", "W-95", "W-96", "E1")
async def test_what_is_stored_is_an_arrival_and_is_answered_by_name(rig: Rig) -> None:
    web = await start(rig)
    sent = [TINY, BIG, CT, in_syntax(DEFLATED, seed=1), in_syntax(IMPLICIT_LITTLE, seed=2)]
    sent.append(in_syntax(EXPLICIT_BIG, seed=3))
    answer = await stow(web, *map(as_file, sent))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    found: dict[str, Any] = answer.json()
    assert found["00081190"] == {"vr": "UR"}
    items = found["00081199"]["Value"]
    assert [one["00081155"]["Value"][0] for one in items] == [one.sop_instance for one in sent]
    assert items[2]["00081190"]["Value"] == [f"{BASE}/dicom-web{path_of(CT)}"]
    assert items[2]["00081150"]["Value"] == [CT.sop_class]
    assert "00081198" not in found
    assert await archived(rig) == sorted(one.sop_instance for one in sent)
    rows = await rig.rows("SELECT DISTINCT way_in, address FROM arrival")
    assert [tuple(row) for row in rows] == [("stow", "127.0.0.1")]
    for one in sent:
        got = await web.ask(path_of(one), accept="application/dicom; transfer-syntax=*")
        if one.transfer_syntax not in (IMPLICIT_LITTLE, EXPLICIT_BIG):
            assert got.content.endswith(one.data_set)


@pytest.mark.req("W-96")
async def test_one_study_has_its_url_and_xml_comes_if_asked(rig: Rig) -> None:
    web = await start(rig)
    sent = study(2, seed="one")
    answer = await stow(web, *map(as_file, sent), accept="application/dicom+xml")
    assert answer.headers["content-type"] == "application/dicom+xml"
    told = read_answer(answer.content, "application/dicom+xml")
    assert told is not None
    assert set(told.stored) == {one.sop_instance for one in sent}
    assert f"{BASE}/dicom-web{path_of(sent[0], 'study')}<" in answer.text
    again = await web.ask(
        "/studies", "POST", content=as_file(sent[0]), content_type="application/dicom"
    )
    assert again.status_code == 200


@pytest.mark.req("W-95", "W-96", "W-97", "WT-18")
async def test_bad_parts_never_cost_the_good_ones(rig: Rig) -> None:
    web = await start(rig)
    cut = as_file(BIG)[:-10]
    lies = as_file(CT).replace(
        CT.sop_instance.encode(), b"1.2.3".ljust(len(CT.sop_instance), b"\0"), 1
    )
    mixed = await stow(web, as_file(TINY), cut, b"no file at all", lies)
    assert mixed.status_code == 202
    told = read_answer(mixed.content)
    assert told is not None
    assert set(told.stored) == {TINY.sop_instance}
    assert told.failed == {BIG.sop_instance: 0xC000, "1.2.3": 0xA900}
    assert told.unnamed == 1
    bad = await stow(web, cut, b"no file at all", b"")
    assert bad.status_code == 409
    await rig.node.router.settled()
    assert await archived(rig) == [TINY.sop_instance]
    assert all(TINY.sop_instance.encode() in one.read_bytes() for one in rig.blobs())


@pytest.mark.req("W-97")
async def test_another_study_than_that_of_the_path_is_refused(rig: Rig) -> None:
    web = await start(rig)
    mine, other = study(1, seed="m")[0], study(1, seed="o")[0]
    answer = await stow(web, as_file(mine), as_file(other), path=path_of(mine, "study"))
    assert answer.status_code == 202
    assert reason(answer) == {other.sop_instance: 0xA900}


@pytest.mark.req("W-93", "W-97")
async def test_rules_and_duplicates_are_those_of_c_store(rig: Rig) -> None:
    web = await start(rig, '[duplicates]\ndifferent = "refuse"\n')
    assert (await stow(web, as_file(CT))).status_code == 200
    assert (await stow(web, as_file(CT))).status_code == 200
    other = replace(CT, data_set=CT.data_set[:-2] + b"\7\7")
    answer = await stow(web, as_file(other))
    assert answer.status_code == 409
    assert reason(answer) == {CT.sop_instance: 0xA900}


@pytest.mark.req("W-95", "W-92")
async def test_bodies_that_are_none(rig: Rig) -> None:
    web = await start(rig)
    file = as_file(TINY)
    assert (await stow(web, file, kind="application/json")).status_code == 415
    assert (await stow(web, file, kind='multipart/related; type="image/png"')).status_code == 415
    assert (await stow(web, file, kind="multipart/related")).status_code == 400
    assert (await stow(web)).status_code == 400
    other = KIND.replace("sep", "another")
    assert (await stow(web, file, kind=other)).status_code == 400
    assert (await stow(web, file, accept="text/html")).status_code == 406
    assert (await web.ask("/sources/archive/studies", "PUT")).status_code == 405
    assert rig.blobs() == []


@pytest.mark.req("W-134")
async def test_the_trail_names_the_studies_of_what_was_kept_even_if_the_body_breaks_off(
    rig: Rig,
) -> None:
    rig.makers = (People,)
    web = await start(rig)
    trail = rig.node.annexes.of(People).trail
    web.frame.admission = Admission(NoAccounts(lambda scope: True), trail)
    whole = await stow(web, as_file(CT), b"no file at all")
    whole_but = body(as_file(TINY), end=b"--sep\r\n" + b"x" * 70_000)
    broken = await web.ask("/studies", "POST", content=whole_but, content_type=KIND)
    assert (whole.status_code, broken.status_code) == (202, 400)
    await rig.node.database.write(lambda transaction: None)
    found = await rig.node.database.read(audit.records(event=Event.STORED))
    assert [(one.what["n"], one.what["studies"], one.what["status"]) for one in found] == [
        (1, [path_of(one, "study").removeprefix("/studies/")], status)
        for one, status in ((TINY, 400), (CT, 202))
    ]


@pytest.mark.req("W-94", "W-95")
async def test_a_body_that_is_cut_keeps_what_was_whole_and_nothing_else(rig: Rig) -> None:
    web = await start(rig)
    whole = body(as_file(TINY), as_file(CT))

    async def pieces() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]
        yield whole[len(whole) // 2 : -100]

    answer = await web.ask("/studies", "POST", content=pieces(), content_type=KIND)
    assert answer.status_code == 202
    told = read_answer(answer.content)
    assert told is not None
    assert (set(told.stored), told.unnamed) == ({TINY.sop_instance}, 1)
    await rig.node.router.settled()
    assert await archived(rig) == [TINY.sop_instance]
    assert len(rig.blobs()) == 0


@pytest.mark.req("W-95", "W-97")
async def test_a_full_or_failing_disk_is_not_now(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    web = await start(rig)

    def fails(*_: object) -> None:
        raise StorageError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("waystation.blobs.folder.Draft.seal", fails)
        answer = await stow(web, as_file(CT))
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        mixed = await stow(web, as_file(TINY), as_file(CT))
        assert mixed.status_code == 202
        assert reason(mixed) == {CT.sop_instance: 0xA700}
    rig.node.sweep.stopped_why = "the disk is full"
    assert (await stow(web, as_file(CT))).status_code == 503
    rig.node.sweep.stopped_why = ""
    assert (await stow(web, as_file(CT))).status_code == 200


@pytest.mark.req("W-94")
async def test_a_caller_that_goes_away_leaves_nothing(rig: Rig) -> None:
    web = await start(rig)
    whole = body(as_file(CT))

    async def pieces() -> AsyncIterator[bytes]:
        yield whole[:300_000]
        raise ConnectionError

    answer = await web.ask("/studies", "POST", content=pieces(), content_type=KIND)
    assert answer.status_code == 500
    assert await archived(rig) == []
    assert rig.blobs() == []
