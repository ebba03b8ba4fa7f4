"""Files of the folder destination (R-54, S-39)."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.destinations.making import load_of
from tests.objects.samples import study
from waystation.destinations.folder import FolderDestination, FolderSettings
from waystation.destinations.naming import DEFAULT_TEMPLATE as TEMPLATE
from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

OTHER_NAME = "another file has its name: stored with its digest behind it"


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def bring(root: Path, one: Delivery, cargo: Any, template: str = TEMPLATE) -> Outcome:
    way = FolderDestination("x", FolderSettings(path=root, template=template))
    (found,) = [outcome async for _, outcome in way.send([one], cargo)]
    return found


@pytest.mark.req("S-39", "R-7", "N-20")
@pytest.mark.parametrize("uid", ["../x", "..", "/etc/x", "a\0b", "a\r\nb", "CON", "", "x" * 300])
async def test_hostile_values_leave_everything_beneath_the_root(tmp_path: Path, uid: str) -> None:
    (one,), cargo = load_of(study(1))
    hostile = replace(one, study_uid=uid, series_uid=uid, calling_ae="../" + uid[:10])
    root = tmp_path / "root"
    root.mkdir()
    template = "{calling_ae}/" + TEMPLATE
    assert isinstance(await bring(root, hostile, cargo, template), Delivered)
    (file,) = files(tmp_path)
    assert file.is_relative_to(root)


@pytest.mark.req("R-54", "R-74")
async def test_another_file_of_that_name_is_never_overwritten(tmp_path: Path) -> None:
    (one,), cargo = load_of(study(1))
    assert isinstance(await bring(tmp_path, one, cargo), Delivered)
    (file,) = files(tmp_path)
    file.write_bytes(b"somebody else's")
    for comment in (OTHER_NAME, "already there"):
        assert await bring(tmp_path, one, cargo) == Delivered(comment=comment)
        assert file.read_bytes() == b"somebody else's"
        (other,) = set(files(tmp_path)) - {file}
        assert other.name == f"{one.sop_instance_uid}-{one.sha256[:8]}.dcm"
    other.write_bytes(b"somebody else's too")
    outcome = await bring(tmp_path, one, cargo)
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.OBJECT
    assert {path.read_bytes() for path in files(tmp_path)} == {
        b"somebody else's",
        b"somebody else's too",
    }


@pytest.mark.req("R-54")
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_the_same_data_set_from_another_sender_is_there_already(
    tmp_path: Path, in_pieces: bool
) -> None:
    (one,), cargo = load_of(study(1))
    cargo.in_pieces = in_pieces
    assert isinstance(await bring(tmp_path, one, cargo), Delivered)
    again = await bring(tmp_path, replace(one, calling_ae="MR2"), cargo)
    assert again == Delivered(comment="already there")
    other_syntax = replace(one, transfer_syntax_uid="1.2.840.10008.1.2.4.70")
    assert await bring(tmp_path, other_syntax, cargo) == Delivered(comment=OTHER_NAME)
    assert len(files(tmp_path)) == 2


@pytest.mark.req("R-54")
@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/nonexistent")])
async def test_a_folder_or_link_of_that_name_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (one,), cargo = load_of(study(1))
    assert isinstance(await bring(tmp_path, one, cargo), Delivered)
    (target,) = files(tmp_path)
    target.unlink()
    make(target)
    before = stat.S_IFMT(target.lstat().st_mode)
    assert await bring(tmp_path, one, cargo) == Delivered(comment=OTHER_NAME)
    assert stat.S_IFMT(target.lstat().st_mode) == before


async def test_a_draft_that_a_crash_left_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,), cargo = load_of(study(1))
    with monkeypatch.context() as crash:
        crash.setattr(Path, "unlink", lambda *_, **__: None)
        crash.setattr(os, "link", lambda *_: os.fsync(9999))
        assert isinstance(await bring(tmp_path, one, cargo), Deferred)
    (draft,) = files(tmp_path)
    assert draft.name.startswith(".")
    assert await bring(tmp_path, one, cargo) == Delivered()
    (file,) = files(tmp_path)
    assert file.suffix == ".dcm"


@pytest.mark.req("R-54")
async def test_a_missing_folder_is_waited_for_and_never_made(tmp_path: Path) -> None:
    batch, cargo = load_of(study(3))
    share = tmp_path / "mnt" / "share"
    way = FolderDestination("x", FolderSettings(path=share))
    expected = Deferred(fault=Fault.TRANSIENT, why=f"{share}: the folder is missing")
    assert [outcome async for _, outcome in way.send(batch, cargo)] == [expected]
    assert await way.probe() == expected
    assert files(tmp_path) == []
    assert not await asyncio.to_thread(share.parent.exists)
    share.mkdir(parents=True)
    assert await way.probe() is None
    assert [type(done) async for _, done in way.send(batch, cargo)] == [Delivered] * 3


async def test_a_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    batch, cargo = load_of(study(1))
    (tmp_path / "share").write_bytes(b"")
    way = FolderDestination("x", FolderSettings(path=tmp_path / "share"))
    (outcome,) = [outcome async for _, outcome in way.send(batch, cargo)]
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.TRANSIENT
    assert isinstance(await way.probe(), Deferred)


@pytest.mark.req("S-39")
async def test_a_link_that_leads_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    (one,), cargo = load_of(study(1))
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / one.study_uid).symlink_to(outside)
    outcome = await bring(root, one, cargo)
    assert isinstance(outcome, Refused)
    assert list(outside.iterdir()) == []


@pytest.mark.req("R-54")
async def test_file_and_every_folder_down_to_it_are_synced_before_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    (one,), cargo = load_of(study(1))
    root = tmp_path / "root"
    root.mkdir()
    for _ in range(2):
        synced.clear()
        assert isinstance(await bring(root, one, cargo), Delivered)
        (file,) = files(root)
        needed = [file, file.parent, file.parent.parent, root]
        assert {path.stat().st_ino for path in needed} <= synced


@pytest.mark.req("R-54")
@pytest.mark.parametrize("call", ["fsync", "link"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
async def test_a_failing_disk_is_no_delivery_and_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    (one,), cargo = load_of(study(1))
    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        outcome = await bring(tmp_path, one, cargo)
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.TRANSIENT
    assert files(tmp_path) == []
    assert isinstance(await bring(tmp_path, one, cargo), Delivered)


async def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    (one,), cargo = load_of(study(1))
    assert isinstance(await bring(tmp_path, one, cargo), Delivered)
    assert await bring(tmp_path, one, cargo) == Delivered(comment="already there")
    (file,) = files(tmp_path)
    file.write_bytes(b"other")
    assert await bring(tmp_path, one, cargo) == Delivered(comment=OTHER_NAME)
    assert file.read_bytes() == b"other"


async def test_a_flat_template_needs_no_rights_above_the_root(tmp_path: Path) -> None:
    (one,), cargo = load_of(study(1))
    root = tmp_path / "root"
    root.mkdir()
    assert isinstance(await bring(root, one, cargo, "{SOPInstanceUID}.dcm"), Delivered)
    assert [path.parent for path in root.iterdir()] == [root]


async def test_a_file_where_a_folder_of_one_object_should_be_stops_no_lane(tmp_path: Path) -> None:
    (one,), cargo = load_of(study(1))
    (tmp_path / one.study_uid).write_bytes(b"somebody else's")
    outcome = await bring(tmp_path, one, cargo)
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.OBJECT


async def test_two_at_once_without_hard_links_keep_both_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    def slow(path: Path) -> bool:
        there = Path(path).is_file()
        time.sleep(0.2)
        return there

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os.path, "lexists", slow)
    batch, cargo = load_of(study(2))
    first, second = batch[0], replace(batch[1], sop_instance_uid=batch[0].sop_instance_uid)
    template = "{SOPInstanceUID}.dcm"
    found = await asyncio.gather(*(bring(tmp_path, o, cargo, template) for o in (first, second)))
    assert all(isinstance(outcome, Delivered) for outcome in found)
    assert len(files(tmp_path)) == 2
