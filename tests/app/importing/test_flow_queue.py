"""DicomFlowRouter's queue into ours (RT-16): nothing lost, nothing twice, nothing damaged sent."""

import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.app.importing.setups import endpoint, router, write
from tests.objects.study import Study, make_study
from waystation.app.importing.dicomflowrouter import layout, read
from waystation.app.importing.flow_queue import Ledger, import_queue
from waystation.app.read import load
from waystation.app.recovery import DataLock
from waystation.app.settings import Settings
from waystation.db.statement import Transaction
from waystation.journal.counts import unaccounted
from waystation.model.errors import StorageError

QUERY = (
    "SELECT a.calling_ae, a.sop_instance, a.received_at, a.blob, lower(hex(a.sha256)), a.way_in,"
    " d.destination, d.state, d.hold_reason, d.why, a.id, a.size_bytes"
    " FROM arrival a JOIN delivery d ON d.arrival = a.id ORDER BY d.id"
)
NAMES = (
    *("calling_ae", "sop_instance", "received_at", "blob", "sha256", "way_in"),
    *("destination", "state", "reason", "why", "id", "size_bytes"),
)


class Setup:
    """A working folder with a queue, and a data folder of ours beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = write(
            folder / "router", {"": router(), "local": endpoint("a"), "remote": endpoint("b")}
        )
        self.data = folder / "data"
        self.said: list[str] = []
        self._age = 0

    def settings(self, more: str = "") -> Settings:
        path = self.folder.parent / "waystation.toml"
        text = (
            f'{read(self.folder).toml}\n[node]\ndata = "{self.data}"\n[spool]\nmin_free = "1MB"\n'
        )
        path.write_text(text + more)
        return load(path, {}).settings

    def put(self, place: str, content: bytes, name: str = "1.2.3.dcm") -> Path:
        """Write one queued file; each is a minute younger than the one before."""
        folder = self.folder / place
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(content)
        self._age += 60
        os.utime(path, (1_700_000_000 + self._age, 1_700_000_000 + self._age))
        return path

    def run(self, *, move: bool = False, more: str = "") -> Ledger:
        self.said.clear()
        return import_queue(
            layout(self.folder), self.settings(more), move=move, say=self.said.append
        )

    def rows(self) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self.data / "journal.db")
        rows = connection.execute(QUERY).fetchall()
        numbers = unaccounted(2e9)(Transaction(connection.cursor(), "sqlite"))
        connection.close()
        assert not any(numbers.values()), numbers
        return [dict(zip(NAMES, row, strict=True)) for row in rows]


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "study", "ct", 2)


@pytest.fixture
def small(tmp_path: Path) -> Study:
    return make_study(tmp_path / "small", "tiny", 3, seed="small")


@pytest.mark.req("RT-16")
def test_each_file_waits_for_its_endpoint_with_its_calling_title_oldest_first(
    setup: Setup, study: Study, small: Study
) -> None:
    setup.put("remote/CT 1", study.files[0].read_bytes())
    setup.put("local/MR1", small.files[0].read_bytes(), "any.DCM")
    setup.put("remote/MR1", small.files[0].read_bytes())
    ledger = setup.run()
    assert ledger.clean
    assert ledger.counts == Counter({"taken over": 3})
    rows = setup.rows()
    assert [(row["destination"], row["calling_ae"]) for row in rows] == [
        *(("remote", "CT 1"), ("local", "MR1"), ("remote", "MR1")),
    ]
    assert {row["state"] for row in rows} == {"waiting"}
    assert {row["way_in"] for row in rows} == {"import"}
    assert [row["received_at"] for row in rows] == [1_700_000_060, 1_700_000_120, 1_700_000_180]
    wanted = study.digests | small.digests
    assert all(row["sha256"] == wanted[row["sop_instance"]] for row in rows)
    blob = setup.data / "blobs" / rows[0]["blob"]
    stored = study.files[0].read_bytes()[-rows[0]["size_bytes"] :]
    assert stored in blob.read_bytes()


@pytest.mark.req("RT-16")
@pytest.mark.parametrize("move", [False, True])
def test_importing_twice_makes_no_second_arrival(setup: Setup, small: Study, move: bool) -> None:
    paths = [
        setup.put("local/CT1", file.read_bytes(), f"{n}.dcm") for n, file in enumerate(small.files)
    ]
    assert setup.run().counts["taken over"] == 3
    before = setup.rows()
    again = setup.run(move=move)
    assert (again.counts["taken over"], again.counts["known before"]) == (0, 3)
    assert setup.rows() == before
    if not move:
        assert all(path.exists() for path in paths)
        return
    assert not any(path.exists() for path in paths)
    assert all(path.with_name(f"{path.name}.imported").exists() for path in paths)
    assert setup.run().counts == Counter()


@pytest.mark.req("RT-16")
@pytest.mark.parametrize("keep", [0, 100, 140, 400, -1])
def test_a_cut_file_is_held_corrupt_and_stays_where_it_is(
    setup: Setup, small: Study, keep: int
) -> None:
    whole = small.files[0].read_bytes()
    cut = setup.put("local/CT1", whole[:keep])
    setup.put("local/CT1", small.files[1].read_bytes(), "good.dcm")
    ledger = setup.run(move=True)
    assert (ledger.counts["corrupt"], ledger.counts["taken over"]) == (1, 1)
    assert not ledger.clean
    assert cut.exists()
    first, second = setup.rows()
    assert (first["state"], first["reason"], first["blob"]) == ("held", "corrupt", "")
    assert "cut or damaged" in first["why"]
    assert second["state"] == "waiting"
    assert setup.run().counts["known before"] == 1, "held once, however often it is seen"


@pytest.mark.req("RT-16")
def test_hostile_names_are_never_used_and_orphans_are_held(setup: Setup, small: Study) -> None:
    whole = [file.read_bytes() for file in small.files]
    setup.put("local/..\\x\n[red]", whole[0])
    setup.put("gone; rm -rf ~/CT1", whole[1])
    setup.put("local", whole[2], "loose.dcm")
    outside = setup.folder.parent / "outside"
    outside.mkdir()
    (outside / "linked.dcm").write_bytes(whole[0])
    (setup.folder / "local" / "LINK").symlink_to(outside)
    (setup.folder / "local" / "CT9").mkdir()
    (setup.folder / "local" / "CT9" / "x.dcm").symlink_to(outside / "linked.dcm")
    os.mkfifo(setup.folder / "local" / "CT9" / "pipe.dcm")
    ledger = setup.run()
    assert ledger.counts == Counter({"held": 3})
    hostile, orphan, loose = setup.rows()
    assert (hostile["destination"], hostile["calling_ae"]) == ("local", "")
    assert (hostile["reason"], loose["reason"]) == ("operator", "operator")
    assert (orphan["destination"], orphan["reason"]) == ("gone--rm--rf", "destination-gone")
    assert "had no config.ini" in orphan["why"]
    assert all("\n" not in line for line in setup.said)
    assert {entry.name for entry in setup.folder.parent.iterdir()} == {
        *("router", "outside", "data", "small", "waystation.toml"),
    }


@pytest.mark.req("RT-16")
def test_the_folder_of_a_running_node_is_left_alone(setup: Setup, small: Study) -> None:
    setup.put("local/CT1", small.files[0].read_bytes())
    lock = DataLock(setup.data)
    try:
        with pytest.raises(StorageError, match="in use by process"):
            setup.run()
    finally:
        lock.release()


def test_a_full_volume_ends_the_import_before_the_next_file(setup: Setup, small: Study) -> None:
    path = setup.put("local/CT1", small.files[0].read_bytes())
    settings = setup.settings()
    full = settings.spool.model_copy(update={"min_free": 1 << 60})
    with pytest.raises(StorageError, match="no room for the queue"):
        import_queue(
            layout(setup.folder),
            settings.model_copy(update={"spool": full}),
            move=True,
            say=setup.said.append,
        )
    assert path.exists()
    assert setup.rows() == []


def test_other_bytes_under_the_same_uid_are_held(setup: Setup, small: Study) -> None:
    whole = small.files[0].read_bytes()
    setup.put("local/CT1", whole)
    setup.put("remote/CT1", whole[:-1] + b"\x7f")
    setup.run()
    assert [row["reason"] for row in setup.rows()] == [None, "conflict"]


def test_our_own_data_folder_inside_the_working_folder_is_no_queue(
    setup: Setup, study: Study
) -> None:
    setup.data = setup.folder / "var"
    setup.put("local/CT1", study.files[0].read_bytes())
    assert setup.run().counts["taken over"] == 1
    assert setup.run().counts == Counter({"known before": 1})
