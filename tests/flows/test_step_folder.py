"""A folder of worklist files and the worklist, in step (T-56)."""

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pydicom
import pytest

from tests.flows.worklist_rig import PERSON, WorklistRig, worklist_rig
from waystation.flows import step_folder, step_places
from waystation.flows.entry_files import Entries, read_entries
from waystation.flows.step_folder import FolderTerms, Looked, StepFolder
from waystation.matching.entry import flat
from waystation.matching.entry_data import laid_over
from waystation.model.step import LISTED, Step, StepDraft, StepState


@dataclass(slots=True)
class Place:
    """A folder and the worklist behind it."""

    rig: WorklistRig
    path: Path
    bridge: StepFolder
    source: Path
    aged: dict[Path, int] = field(default_factory=dict)

    async def look(self) -> Looked:
        """Look once; whatever is there is older than a moment."""
        self.rig.now[0] += 100
        for file in self.path.rglob("*.*"):
            if file not in self.aged or file.stat().st_mtime_ns != self.aged[file]:
                os.utime(file, (self.rig.now[0] - 50,) * 2)
                self.aged[file] = file.stat().st_mtime_ns
        return await self.bridge.look()

    async def names(self, *states: StepState) -> list[str]:
        """Return the patients of the steps in these states, of listed ones by default."""
        found = [one for one in await self.rig.all() if one.state in (states or LISTED)]
        return sorted(one.patient_name for one in found)

    def write(self, name: str, **values: str) -> Path:
        """Write an entry into a file, in the place of what it held."""
        target = self.path / name
        target.write_bytes(laid_over(b"", values))
        return target

    def copy(self, name: str, to: str = "") -> Path:
        """Copy one of the example files into the folder."""
        self.path.mkdir(exist_ok=True)
        target = self.path / (to or name)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(self.source / name, target)
        return target


@pytest.fixture
def place(tmp_path: Path, golden: Path) -> Iterator[Place]:
    path = tmp_path / "worklists"
    path.mkdir()
    with worklist_rig(tmp_path) as rig, ThreadPoolExecutor(1) as workers:

        async def on_list() -> list[Step]:
            found = [one for one in await rig.all() if one.listed and not one.missing]
            return sorted(found, key=lambda one: one.id)

        terms = FolderTerms(name="worklist", path=path, areas={"CT": "ct"}.get, listed=on_list)
        bridge = StepFolder(terms, rig.steps, rig.database, workers, lambda: rig.now[0])
        yield Place(rig, path, bridge, golden / "wlm" / "data" / "OFFIS")


@pytest.mark.req("T-56")
async def test_new_changed_and_removed_files_are_steps(place: Place) -> None:
    first, second = place.copy("wklist1.wl"), place.copy("wklist3.wl")
    assert (await place.look()).taken == 2
    before = await place.names()
    assert len(before) == 2
    assert (await place.look()).taken == 0
    data = pydicom.dcmread(first, force=True)
    data.PatientName = "CHANGED^NAME"
    data.save_as(first)
    assert (await place.look()).taken == 1
    assert "CHANGED^NAME" in await place.names()
    assert len(await place.rig.all()) == 2
    second.unlink()
    assert (await place.look()).removed == 1
    assert await place.names() == ["CHANGED^NAME"]
    (gone,) = [one for one in await place.rig.all() if one.state is StepState.CANCELLED]
    last = (await place.rig.steps.history(gone.id))[-1]
    assert (last.author.kind, last.author.name) == ("file", "wklist3.wl")
    assert last.why == "its file was removed"


@pytest.mark.req("T-56")
async def test_a_file_that_comes_back_or_is_renamed_is_the_same_step(place: Place) -> None:
    file = place.copy("wklist1.wl")
    await place.look()
    (step,) = await place.rig.all()
    file.rename(place.path / "other.wl")
    await place.look()
    (renamed,) = await place.rig.all()
    assert (renamed.id, renamed.state) == (step.id, StepState.SCHEDULED)
    (place.path / "other.wl").unlink()
    await place.look()
    assert await place.names() == []
    place.copy("wklist1.wl")
    await place.look()
    assert [one.id for one in await place.rig.all() if one.listed] == [step.id]


@pytest.mark.req("T-56")
async def test_import_takes_each_file_once(place: Place) -> None:
    place.bridge.terms = replace(place.bridge.terms, mode="import")
    file, other = place.copy("wklist1.wl"), place.copy("wklist3.wl")
    await place.look()
    before = await place.names()
    file.write_bytes((place.source / "wklist4.wl").read_bytes())
    other.unlink()
    await place.look()
    assert await place.names() == before


@pytest.mark.req("T-56")
async def test_dumps_count_where_no_file_of_their_name_lies(place: Place) -> None:
    place.copy("wklist1.wl")
    place.copy("wklist1.dump")
    place.copy("wklist5.dump")
    assert (await place.look()).taken == 2
    assert len(await place.names()) == 2


@pytest.mark.req("T-56")
async def test_a_folder_in_it_is_an_area(place: Place) -> None:
    place.copy("wklist1.wl", "CT/wklist1.wl")
    place.copy("wklist3.wl", "UNKNOWN/wklist3.wl")
    place.copy("wklist4.wl")
    await place.look()
    assert sorted(one.area for one in await place.rig.all()) == ["", "ct"]


@pytest.mark.req("T-56")
async def test_a_half_written_file_changes_nothing_until_it_is_whole(place: Place) -> None:
    whole = (place.source / "wklist1.wl").read_bytes()
    file = place.path / "wklist1.wl"
    file.write_bytes(whole[:399])
    looked = await place.look()
    assert looked.problems.keys() == {"wklist1.wl"}
    assert await place.rig.all() == []
    file.write_bytes(whole)
    looked = await place.look()
    assert (looked.taken, looked.problems) == (1, {})
    # A bad version later leaves the step as the last good one made it.
    before = await place.rig.all()
    file.write_bytes(b"rubbish")
    assert (await place.look()).problems.keys() == {"wklist1.wl"}
    assert (await place.look()).problems.keys() == {"wklist1.wl"}
    assert await place.rig.all() == before
    assert file.read_bytes() == b"rubbish"


@pytest.mark.req("T-56")
async def test_a_file_that_changed_just_now_is_left_for_a_moment(place: Place) -> None:
    file = place.copy("wklist1.wl")
    os.utime(file, (place.rig.now[0] - 0.2,) * 2)
    assert (await place.bridge.look()).waiting == 1
    place.rig.now[0] += 2
    assert (await place.bridge.look()).taken == 1


@pytest.mark.req("T-56")
async def test_the_lockfile_of_another_program_is_honoured(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_places, "PATIENCE_S", 0.0)
    place.copy("wklist1.wl")
    lockfile = place.path / "lockfile"
    lockfile.touch()
    with lockfile.open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        looked = await place.look()
        assert (looked.taken, looked.waiting) == (0, 1)
    with lockfile.open("r+") as handle:
        # A reader, like wlmscpfs while it searches, is no obstacle to reading.
        fcntl.flock(handle, fcntl.LOCK_SH)
        assert (await place.look()).taken == 1


@pytest.mark.req("T-56")
async def test_two_way_writes_steps_out_and_takes_changes_back(place: Place) -> None:
    place.bridge.terms = replace(place.bridge.terms, mode="two-way")
    theirs = place.copy("wklist1.wl")
    made = await place.rig.steps.add(
        StepDraft(
            values={
                "PatientID": "P1",
                "PatientName": "Typed^Here",
                "RequestedProcedureDescription": "CT",
                "ScheduledStationAETitle": "CT1",
                "ScheduledProcedureStepStartDate": "20260101",
                "ScheduledProcedureStepStartTime": "1200",
                "ScheduledProcedureStepDescription": "CT",
                "Modality": "CT",
            }
        ),
        PERSON,
    )
    assert (await place.look()).written == 1
    own = place.path / f"ws-{made.id}.wl"
    data = pydicom.dcmread(own)
    assert data.PatientName == "Typed^Here"
    assert (place.path / "lockfile").exists()
    assert (await place.look()).written == 0
    # Somebody edits our file: that is a change to the step.
    data.PatientName = "Edited^There"
    data.save_as(own)
    await place.look()
    step = await place.rig.steps.get(made.id)
    assert step is not None
    assert flat(step.data)["PatientName"] == ("Edited^There",)
    assert len(await place.rig.all()) == 2
    # What is off the list is off the folder; what others wrote stays.
    for one in await place.rig.all():
        await place.rig.steps.move(one.id, StepState.COMPLETED, PERSON)
    await place.look()
    assert not own.exists()
    assert theirs.exists()
    assert await place.names(StepState.CANCELLED) == []


@pytest.mark.req("T-56")
@pytest.mark.parametrize("written", [True, False])
async def test_a_crash_around_a_file_of_ours_makes_no_second_step_and_cancels_none(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    place.copy("wklist1.wl")
    await place.look()
    (step,) = await place.rig.all()
    (place.path / "wklist1.wl").unlink()
    place.bridge.terms = replace(place.bridge.terms, mode="two-way", name="other")
    write = step_places.write

    def crash(folder: Path, name: str, content: bytes) -> str:
        if written:
            write(folder, name, content)
        raise OSError("as if the process had died here")

    with monkeypatch.context() as patch:
        patch.setattr(step_places, "write", crash)
        await place.look()
    await place.look()
    await place.look()
    (after,) = await place.rig.all()
    assert (after.id, after.state) == (step.id, StepState.SCHEDULED)
    assert (place.path / f"ws-{step.id}.wl").exists()


@pytest.mark.req("T-56")
async def test_a_folder_that_vanishes_cancels_nothing(place: Place) -> None:
    for name in ("wklist1.wl", "wklist3.wl"):
        place.copy(name)
    await place.look()
    before = await place.names()
    aside = place.path.with_name("aside")
    place.path.rename(aside)
    await place.look()
    assert place.bridge.problems.keys() == {"."}
    place.path.mkdir()
    place.rig.now[0] += 10
    await place.bridge.look()
    assert await place.names() == before
    place.path.rmdir()
    aside.rename(place.path)
    await place.look()
    assert await place.names() == before
    for file in place.path.glob("*.wl"):
        file.unlink()
    await place.look()
    await place.look()
    assert await place.names() == []


@pytest.mark.req("T-56")
async def test_links_out_of_the_folder_are_not_followed(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wl"
    shutil.copy(place.source / "wklist1.wl", secret)
    (place.path / "linked.wl").symlink_to(secret)
    (place.path / "CT").symlink_to(tmp_path)
    assert (await place.look()).taken == 0


ADA = {"PatientID": "A", "PatientName": "Ada", "ScheduledProcedureStepID": "1"}
BEN = {"PatientID": "B", "PatientName": "Ben", "ScheduledProcedureStepID": "1"}


@pytest.mark.req("T-56")
async def test_a_file_name_used_for_the_next_patient_is_another_step(place: Place) -> None:
    for state in (StepState.SCHEDULED, StepState.STARTED, StepState.COMPLETED):
        for ids in ({}, {"ScheduledProcedureStepID": ""}):
            place.write("CT1.wl", **{**ADA, **ids})
            await place.look()
            first = (await place.rig.all())[-1]
            await place.rig.steps.move(first.id, state, PERSON)
            place.write("CT1.wl", **{**BEN, **ids})
            assert (await place.look()).taken == 1
            ada, ben = (await place.rig.all())[-2:]
            wanted = StepState.CANCELLED if state is StepState.SCHEDULED else state
            assert (ada.id, ada.patient_name, ada.state) == (first.id, "Ada", wanted)
            assert (ben.patient_name, ben.state) == ("Ben", StepState.SCHEDULED)


@pytest.mark.req("T-56")
async def test_what_is_written_again_without_ids_is_a_change_until_it_was_scanned(
    place: Place,
) -> None:
    table = "PatientID,PatientName,PatientSex\nA,Ada,{}\n"
    for sex in ("F", "O"):
        (place.path / "CT1.wl").write_text(table.format(sex))
        await place.look()
    (step,) = await place.rig.all()
    assert (step.patient_name, flat(step.data)["PatientSex"]) == ("Ada", ("O",))
    await place.rig.steps.move(step.id, StepState.COMPLETED, PERSON)
    (place.path / "CT1.wl").write_text(table.format("F"))
    await place.look()
    states = [one.state for one in await place.rig.all()]
    assert states == [StepState.COMPLETED, StepState.SCHEDULED]


@pytest.mark.req("T-54", "T-56")
async def test_ids_that_were_made_outlive_a_change_of_the_file(place: Place) -> None:
    place.write("CT1.wl", PatientID="A", PatientName="Ada")
    await place.look()
    (step,) = await place.rig.all()
    made = await place.rig.steps.write(lambda book: book.fill(step.id, PERSON))
    place.write("CT1.wl", PatientID="A", PatientName="Ada", PatientSex="F")
    await place.look()
    (after,) = await place.rig.all()
    assert flat(after.data)["PatientSex"] == ("F",)
    assert after.study_uid == made.study_uid != ""
    assert (after.step_id, after.accession) == (made.step_id, made.accession)


@pytest.mark.req("T-56")
async def test_one_bad_name_or_file_stops_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(os.fsdecode(b"A\xe4.wl"), **ADA)
    place.write("B.wl", **ADA)
    place.write("C.wl", **BEN)

    seen: set[threading.Thread] = set()

    def broken(raw: bytes, *, area: str, split_steps: bool) -> Entries:
        seen.add(threading.current_thread())
        if b"Ada" in raw:
            raise RecursionError("as if a parser had a mistake")
        return read_entries(raw, area=area, split_steps=split_steps)

    monkeypatch.setattr(step_folder, "read_entries", broken)
    looked = await place.look()
    assert await place.names() == ["Ben"]
    # A file of many entries takes its time, and must not take the node's.
    assert threading.main_thread() not in seen
    assert looked.problems.keys() == {"A\\udce4.wl", "B.wl"}


@pytest.mark.req("T-56")
async def test_a_file_that_could_not_be_read_any_more_and_is_removed_cancels_its_step(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place.write("CT1.wl", **ADA)
    await place.look()

    def denied(_folder: Path, _seen: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    place.write("CT1.wl", **ADA, PatientSex="F")
    with monkeypatch.context() as patch:
        patch.setattr(step_places, "read", denied)
        assert (await place.look()).problems.keys() == {"CT1.wl"}
    file.unlink()
    await place.look()
    assert [one.state for one in await place.rig.all()] == [StepState.CANCELLED]
