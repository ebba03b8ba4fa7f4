"""A folder that files are taken from, where leaving is not possible or settings change (R-19)."""

import errno
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.rig import TINY, Rig
from tests.objects.files import Stored
from tests.objects.samples import sample
from waystation.app.inboxes import Inboxes
from waystation.dicom.part10 import file_meta
from waystation.flows.inbox import STUCK, Inbox

OTHER = sample("tiny", seed="inbox")
TABLE = '[inbox.share]\npath = "{folder}"\nsettle = "1h"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "share"
    made.mkdir()
    return made


async def opened(rig: Rig, folder: Path) -> Inbox:
    """Start a node; return an inbox of it that takes at once, and only when it is told to look."""
    rig.makers = (Inboxes,)
    await rig.start(TABLE.format(folder=folder))
    inbox = rig.node.annexes.of(Inboxes).inboxes["share"]
    return Inbox(replace(inbox.terms, settle_s=0), rig.node.keeping, rig.node.disk)


def file_of(one: Stored) -> bytes:
    return file_meta(one.sop_class, one.sop_instance, one.transfer_syntax) + one.data_set


@pytest.mark.req("R-19")
async def test_a_kept_file_that_cannot_leave_its_place_is_kept_once(
    rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = await opened(rig, folder)

    def stuck(_path: Path, _target: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stuck)
        (folder / "a.dcm").write_bytes(file_of(TINY))
        assert await inbox.look() == 1
        assert await inbox.look() == 0
        assert [one.why for one in inbox.findings()] == [STUCK]
        # Another object under the same name is one that was not taken yet.
        (folder / "a.dcm").write_bytes(file_of(OTHER))
        assert await inbox.look() == 1
    assert await inbox.look() == 0
    assert list(inbox.findings()) == []
    assert [path.name for path in (folder / "done").iterdir()] == ["a.dcm"]
    assert not (folder / "a.dcm").exists()
    shutil.move(folder, folder.with_name("away"))
    await inbox.look()
    assert [one.kind for one in inbox.findings()] == ["folder"]


async def test_a_reload_that_changes_nothing_leaves_the_folders_at_work(
    rig: Rig, folder: Path
) -> None:
    await opened(rig, folder)
    annex = rig.node.annexes.of(Inboxes)
    before = annex.inboxes["share"]
    await annex.change(rig.settings(TABLE.format(folder=folder)))
    assert annex.inboxes["share"] is before
    other = TABLE.format(folder=folder) + f'[inbox.other]\npath = "{folder}"\n'
    await annex.change(rig.settings(other))
    assert annex.inboxes["share"] is before
    assert annex.inboxes.keys() == {"share", "other"}
