"""Programs: what they are given, what they are not, and how they end."""

import asyncio
import json
import os
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.destinations.making import Hold, load_of
from tests.destinations.making_ways import program
from tests.net.sink import until
from tests.objects.files import read_stored
from tests.objects.samples import study
from waystation.destinations.command import CommandDestination, CommandSettings, unfit
from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome

TELL = """#!/usr/bin/env python3
import json, os, sys
content = open(sys.argv[1], "rb").read()
json.dump(
    {"words": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(),
     "content": content.hex(), "mode": os.stat(sys.argv[1]).st_mode,
     "folder_mode": os.stat(os.getcwd()).st_mode, "stdin": sys.stdin.read()},
    open("{out}", "w"))
"""


def command(folder: Path, *words: str, **settings: Any) -> CommandDestination:
    values = {"command": words, "work": folder / "hooks", **settings}
    return CommandDestination("hook", CommandSettings(**values))


async def run(way: CommandDestination, batch: list[Delivery], cargo: Hold) -> list[Outcome]:
    return [outcome async for _, outcome in way.send(batch, cargo)]


async def run_script(folder: Path, text: str, count: int = 1, **settings: Any) -> list[Outcome]:
    script = program(folder / "script", f"#!/bin/sh\n{text}\n")
    batch, cargo = load_of(study(count))
    return await run(command(folder, str(script), "{file}", **settings), batch, cargo)


def only(outcomes: list[Outcome]) -> Deferred:
    (outcome,) = outcomes
    assert isinstance(outcome, Deferred)
    return outcome


@pytest.mark.req("S-39")
async def test_a_program_gets_a_private_file_and_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYSTATION_PASSWORD", "sesame")
    out = tmp_path / "told.json"
    tell = program(tmp_path / "tell", TELL.replace("{out}", str(out)))
    batch, cargo = load_of(study(1))
    way = command(
        tmp_path, str(tell), "{file}", "--x={file}", "$(id)", environment=(("SITE", "north"),)
    )
    assert await run(way, batch, cargo) == [Delivered()]
    seen = json.loads(out.read_text())
    file = seen["words"][0]
    assert seen["words"] == [file, f"--x={file}", "$(id)"]
    assert Path(file).name == "object.dcm"
    assert Path(file).parent == Path(seen["folder"])
    assert read_stored(bytes.fromhex(seen["content"])) == study(1)[0]
    assert stat.S_IMODE(seen["mode"]) == 0o600
    assert stat.S_IMODE(seen["folder_mode"]) == 0o700
    assert seen["stdin"] == ""
    environment = seen["environment"]
    environment.pop("LC_CTYPE", None)
    assert set(environment) == {
        *("PATH", "LANG", "HOME", "TMPDIR", "SITE", "WAYSTATION_FILE"),
        *("WAYSTATION_SOP_INSTANCE_UID", "WAYSTATION_SOP_CLASS_UID", "WAYSTATION_SERIES_UID"),
        *("WAYSTATION_STUDY_UID", "WAYSTATION_TRANSFER_SYNTAX_UID", "WAYSTATION_CALLING_AE"),
        *("WAYSTATION_ARRIVAL", "WAYSTATION_DESTINATION"),
    }
    assert environment["WAYSTATION_SOP_INSTANCE_UID"] == batch[0].sop_instance_uid
    assert list((tmp_path / "hooks").glob("*/*")) == []


@pytest.mark.req("S-39", "S-62", "N-20")
@pytest.mark.parametrize("value", ["../../x", "$(touch /tmp/x)", "`id`", "a\nB=1", "-rf", "a;b"])
async def test_values_from_the_wire_reach_no_argument_and_are_made_harmless(
    tmp_path: Path, value: str
) -> None:
    out = tmp_path / "told.json"
    tell = program(tmp_path / "tell", TELL.replace("{out}", str(out)))
    (one,), cargo = load_of(study(1))
    hostile = replace(one, study_uid=value, calling_ae=value)
    assert await run(command(tmp_path, str(tell), "{file}"), [hostile], cargo) == [Delivered()]
    seen = json.loads(out.read_text())
    assert seen["environment"].get("B") is None
    for key in ("WAYSTATION_STUDY_UID", "WAYSTATION_CALLING_AE"):
        assert not set(seen["environment"][key]) & set("/\\$`;()\n")
    assert value not in " ".join(seen["words"])


@pytest.mark.req("O3", "O5")
@pytest.mark.parametrize(
    ("text", "fault", "why"),
    [
        ("exit 75", Fault.TRANSIENT, "exit code 75"),
        ("exit 1", Fault.OBJECT, "exit code 1"),
        ("exit 255", Fault.OBJECT, "exit code 255"),
        ("kill -SEGV $$", Fault.OBJECT, "ended by signal 11"),
    ],
)
async def test_how_a_program_ends_says_who_pays(
    tmp_path: Path, text: str, fault: Fault, why: str
) -> None:
    outcome = only(await run_script(tmp_path, text))
    assert (outcome.fault, outcome.why) == (fault, why)


async def test_a_program_that_asks_to_wait_is_not_run_again_at_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    outcomes = await run_script(tmp_path, f"echo x >> {runs}\nexit 75", count=3)
    assert len(outcomes) == 1
    assert runs.read_text() == "x\n"


@pytest.mark.req("S-68")
async def test_what_a_program_says_stays_with_it_unless_somebody_asks(tmp_path: Path) -> None:
    text = "echo patient^name; seq 100000 >&2; printf 'bad \\033[31m header' >&2; exit 3"
    quiet = only(await run_script(tmp_path, text))
    assert quiet.why == "exit code 3"
    shown = only(await run_script(tmp_path, text, show_output=True))
    assert shown.why.startswith("exit code 3: ")
    assert shown.why.endswith("99999 100000 bad ?[31m header")
    assert len(shown.why) < 250
    assert "patient" not in shown.why


@pytest.mark.req("O4")
@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_program_that_runs_too_long_is_ended_with_its_children(
    tmp_path: Path, stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.destinations.command.END_S", 0.3)
    pids = tmp_path / "pids"
    trap = "trap '' TERM\n" if stubborn else ""
    text = f"{trap}sleep 60 & echo $! >> {pids}\necho $$ >> {pids}\nwait; sleep 60"
    outcome = only(await run_script(tmp_path, text, timeout_s=0.5))
    assert outcome.fault is Fault.UNKNOWN
    assert outcome.why == "the program ran longer than 0.5 s"
    # A child is gone when the system has come to it.
    await until(lambda: not any(runs(int(pid)) for pid in pids.read_text().split()))
    assert list((tmp_path / "hooks").glob("*/*")) == []


def runs(pid: int) -> bool:
    """Return whether a process is there and not just waiting to be buried."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_sending_that_is_given_up_ends_the_program(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    task = asyncio.create_task(run_script(tmp_path, f"echo $$ >> {pids}; exec sleep 60"))
    limit = time.monotonic() + 10
    while not pids.exists() or not pids.read_text().strip():
        assert time.monotonic() < limit
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runs(int(pids.read_text()))
    assert list((tmp_path / "hooks").glob("*/*")) == []


@pytest.mark.req("O7", "S-39")
@pytest.mark.parametrize("mode", [0o722, 0o770, 0o600])
async def test_a_program_that_others_could_have_changed_blocks_the_lane(
    tmp_path: Path, mode: int
) -> None:
    script = program(tmp_path / "script", "#!/bin/sh\nexit 0\n")
    script.chmod(mode)
    batch, cargo = load_of(study(2))
    way = command(tmp_path, str(script))
    outcome = only(await run(way, batch, cargo))
    assert outcome.fault is Fault.PEER
    assert cargo.loaded == []
    probed = await way.probe()
    assert probed is not None
    assert probed.fault is Fault.PEER
    script.chmod(0o700)
    assert await way.probe() is None


@pytest.mark.req("O7")
async def test_a_program_that_is_gone_or_is_no_program_blocks_the_lane(tmp_path: Path) -> None:
    batch, cargo = load_of(study(1))
    nonsense = program(tmp_path / "nonsense", "no shebang, no program\n")
    for name in (str(tmp_path / "gone"), str(tmp_path), str(nonsense)):
        assert only(await run(command(tmp_path, name), batch, cargo)).fault is Fault.PEER


def test_a_folder_that_everyone_may_write_to_holds_no_program(tmp_path: Path) -> None:
    script = program(tmp_path / "script", "#!/bin/sh\n")
    tmp_path.chmod(0o777)
    assert unfit(str(script)) is not None
    tmp_path.chmod(0o1777)
    assert unfit(str(script)) is None


async def test_what_a_crash_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    batch, cargo = load_of(study(1))
    script = program(tmp_path / "script", "#!/bin/sh\n")
    await run(command(tmp_path, str(script)), batch, cargo)
    (own,) = (tmp_path / "hooks").iterdir()
    other = tmp_path / "hooks" / "another"
    for folder in (own / "left", other):
        folder.mkdir()
        (folder / "object.dcm").touch()
    await run(command(tmp_path, str(script)), batch, cargo)
    assert list(own.iterdir()) == []
    assert (other / "object.dcm").exists()


async def test_a_work_folder_that_cannot_be_made_lets_the_lane_wait(tmp_path: Path) -> None:
    (tmp_path / "hooks").touch()
    batch, cargo = load_of(study(1))
    script = program(tmp_path / "script", "#!/bin/sh\n")
    assert only(await run(command(tmp_path, str(script)), batch, cargo)).fault is Fault.TRANSIENT


async def test_no_secret_shows_in_a_repr(tmp_path: Path) -> None:
    settings = CommandSettings(
        command=("/bin/true",), work=tmp_path, environment=(("TOKEN", "sesame"),)
    )
    assert "sesame" not in repr(settings)
    assert os.environ.get("TOKEN") is None


async def test_a_stranger_that_keeps_the_output_open_does_not_undo_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.destinations.command.END_S", 0.1)
    assert await run_script(tmp_path, "setsid sleep 2 &", show_output=True) == [Delivered()]
