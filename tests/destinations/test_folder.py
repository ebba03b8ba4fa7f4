"""Names and files of the folder destination (T-66, R-54, S-39)."""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.destinations.making import load_of, study
from waystation.destinations.folder import (
    FIELDS,
    FolderDestination,
    FolderSettings,
    component,
    name_for,
)
from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

TEMPLATE = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"


@pytest.mark.req("T-66", "S-39", "N-20")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.840.10008", "1.2.840.10008"),
        ("../x", "__x"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        (" ", "_"),
        ("..\\x", "__x"),
        ("/etc/passwd", "_etc_passwd"),
        ("a\0b", "a_b"),
        ("a\tb", "a_b"),
        ("a\r\nb", "a__b"),
        (".hidden", "_hidden"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("lpt1", "_lpt1"),
        ("CONSOLE", "CONSOLE"),
        ("$(id)", "__id_"),
        ("%n", "_n"),
        ("'; --", "__ --"),
        ("M\u00fcller", "M\u00fcller"),
        ("Mu\u0308ller", "M\u00fcller"),
        ("\u5c71\u7530", "\u5c71\u7530"),
        ("a\u202eb", "a_b"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_value_becomes_one_safe_component(text: str, expected: str) -> None:
    assert component(text) == expected


@pytest.mark.req("T-66")
def test_a_long_value_is_cut_and_marked_by_its_digest() -> None:
    one, other = component("x" * 200), component("x" * 201)
    assert len(one.encode()) == len(other.encode()) == 80
    assert one != other
    assert len(component("\u5c71" * 100).encode()) <= 80


def _safe(name: str) -> bool:
    return (
        0 < len(name.encode()) <= 80
        and not name.startswith(".")
        and not set(name) & {"/", "\\", "\0", "\n", "\r", "\t"}
        and name.isprintable()
    )


@pytest.mark.req("T-66", "S-39", "N-20")
@given(st.text(max_size=300))
def test_any_text_gives_one_safe_component(text: str) -> None:
    assert _safe(component(text))


@pytest.mark.req("T-66", "S-39", "R-7", "N-20")
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=100)), st.text(max_size=40))
def test_any_values_and_template_stay_beneath_the_root(
    values: dict[str, str], template: str
) -> None:
    for pattern in (TEMPLATE, template):
        name = name_for(pattern, values)
        parts = name.split("/")
        assert all(map(_safe, parts))
        assert os.path.normpath(f"/root/{name}").startswith("/root/")


def test_each_value_stays_within_its_own_part() -> None:
    values = {"StudyInstanceUID": "a/b", "SeriesInstanceUID": "", "SOPInstanceUID": "1.2"}
    assert name_for(TEMPLATE, values) == "a_b/_/1.2.dcm"
    assert name_for("{calling_ae}-{arrival}", {"calling_ae": "A", "arrival": "f"}) == "A-f"


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
    outcome = await bring(tmp_path, one, cargo)
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.OBJECT
    assert file.read_bytes() == b"somebody else's"
    assert files(tmp_path) == [file]


@pytest.mark.req("R-54")
@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/nonexistent")])
async def test_a_folder_or_link_of_that_name_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (one,), cargo = load_of(study(1))
    target = tmp_path / name_for(
        TEMPLATE,
        {
            "StudyInstanceUID": one.study_uid,
            "SeriesInstanceUID": one.series_uid,
            "SOPInstanceUID": one.sop_instance_uid,
        },
    )
    target.parent.mkdir(parents=True)
    make(target)
    before = stat.S_IFMT(target.lstat().st_mode)
    outcome = await bring(tmp_path, one, cargo)
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.OBJECT
    assert stat.S_IFMT(target.lstat().st_mode) == before


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
    outcome = await bring(tmp_path, one, cargo)
    assert isinstance(outcome, Deferred)
    assert file.read_bytes() == b"other"


async def test_a_flat_template_needs_no_rights_above_the_root(tmp_path: Path) -> None:
    (one,), cargo = load_of(study(1))
    root = tmp_path / "root"
    root.mkdir()
    assert isinstance(await bring(root, one, cargo, "{SOPInstanceUID}.dcm"), Delivered)
    assert [path.parent for path in root.iterdir()] == [root]
