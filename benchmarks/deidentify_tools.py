"""``python -m benchmarks.deidentify_tools``: the synthetic test set through other tools (D-47).

Every tool comes from PyPI, at a pinned version, into an environment of its own below ``--scratch``;
one that cannot be had is listed with the reason.  All of them get the same files; what comes out
is scored by the answer key (D-45), searched byte by byte for what was planted, and compared with
the original by dciodvfy.  An object that a tool did not write, or wrote so that nobody can read
it, counts as the score has it: right for removals, wrong for what should have been kept.

The key is that of a research project: dates shifted, text cleaned, burned-in names blacked by
device rules.  Where a tool has no such thing it runs as it comes; deid gets the device rules as a
recipe.  rsna-anonymizer is a program with windows: its controller is run without them, and
without what only its segmentation and its reading of pixels need (some 7 GB).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.deidentify_driver import CLASSES, WARM
from benchmarks.report import machine
from tests.interop.test_dciodvfy import NOT_OURS, UNREAD
from tests.objects.files import Stored
from tests.objects.phi.generate import Case, cases, subjects
from tests.objects.phi.kinds import KINDS, device_rules
from tests.objects.phi.score import LONGEST_SHIFT, Known, Score, score
from tests.peers.dciodvfy import error_kinds
from tests.transforms.deid.midi import PROFILE, SAFE, raw_hits
from waystation.dicom.errors import DatasetError
from waystation.dicom.part10 import read_meta

OURS = "waystation"
DRIVER = Path(__file__).with_name("deidentify_driver.py")
META_BYTES = 4 << 20
LONGEST_S = 1800
NOBODY = 10_000  # a subject who is in no run
RSNA_NEEDS = ("pydicom==2.4.5", "numpy==1.26.4", "pynetdicom==2.1.1", "sqlalchemy==2.1.9")
RSNA_MORE = ("dataclasses-json==0.6.7", "bidict==0.24.1", "openpyxl==3.1.5", "toml==0.10.2")
# What is installed: with everything that it depends on, or only with what is listed behind it.
TOOLS: dict[str, tuple[str, tuple[str, ...]]] = {
    "deid": ("0.4.13", ()),
    "dicognito": ("0.19.0", ()),
    "dicom-anonymizer": ("2.1.0", ()),
    "rsna-anonymizer": ("19.0.10", (*RSNA_NEEDS, *RSNA_MORE)),
}
ROWS = (
    *("removed", "leaks", "uids", "dates", "pixels", "kept", "all"),
    *("absent", "broken", "errors", "speed"),
)
TITLES = {
    "removed": "planted words removed where they stood",
    "leaks": "objects with something planted in their bytes",
    "uids": "UIDs replaced, everywhere alike",
    "dates": "dates shifted as one patient's",
    "pixels": "burned-in names blacked",
    "kept": "attributes and words kept that research needs",
    "all": "all actions right",
    "absent": "objects not written",
    "broken": "of those written, not readable",
    "errors": "new kinds of errors that dciodvfy finds",
    "speed": "objects/s of one core",
}


class Absent(Exception):
    """A tool that cannot be had, and why."""


@dataclass(slots=True)
class Result:
    """What one tool did.  outputs: by SOP Instance UID of the original."""

    version: str
    files: int = 0
    cpu_s: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Stored] = field(default_factory=dict)
    broken: int = 0
    score: Score = field(default_factory=Score)
    leaks: int = 0
    errors: set[str] = field(default_factory=set)

    def share(self, *actions: str) -> str:
        """Return how much of some actions was right."""
        required = sum(self.score.required[action] for action in actions)
        return f"{sum(self.score.correct[action] for action in actions) / required:.2%}"

    @property
    def cells(self) -> dict[str, str]:
        """The figures as text, by `ROWS`."""
        return {
            "removed": self.share("text_removed"),
            "leaks": f"{self.leaks:,} of {len(self.outputs):,}",
            "uids": self.share("uid_changed", "uid_consistent"),
            "dates": self.share("date_shifted"),
            "pixels": self.share("pixels_hidden"),
            "kept": self.share("tag_retained", "text_notnull", "text_retained", "pixels_retained"),
            "all": f"{self.score.overall:.2%}",
            "absent": f"{len(self.failed):,}",
            "broken": f"{self.broken:,}",
            "errors": f"{len(self.errors):,}",
            "speed": f"{self.files / self.cpu_s:.0f}",
        }


def interpreter(name: str, scratch: Path) -> str:
    """Return the interpreter of a tool's environment, made if it is not there.  Raises `Absent`."""
    if name == OURS:
        return sys.executable
    version, only = TOOLS[name]
    home = scratch / "tools" / f"{name}-{version}"
    python = home / "bin" / "python"
    if not (home / "whole").exists():
        uv = shutil.which("uv") or str(Path(".uv/bin/uv").resolve())
        _install(uv, "venv", "-q", "--clear", str(home))
        for packages in ((f"{name}=={version}",), only):
            alone = ("--no-deps",) if only and packages is not only else ()
            if packages:
                _install(uv, "pip", "install", "-q", "--python", str(python), *alone, *packages)
        (home / "whole").touch()
    return str(python)


def _install(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"{type(error).__name__} from {Path(command[0]).name}") from error
    if done.returncode:
        raise Absent((done.stderr.strip().splitlines() or ["no reason given"])[-1])


def recipe() -> str:
    """Return our device rules in the language of deid."""
    lines = ["FORMAT dicom", "", "%filter graylist", ""]
    for kind in KINDS:
        if kind.boxes:
            lines += [f"LABEL {kind.name}", f"  equals ManufacturerModelName {kind.model}"]
            for left, top, width, height in kind.boxes:
                lines.append(f"  coordinates {left},{top},{left + width},{top + height}")
            lines.append("")
    return "\n".join(lines)


def settings(folder: Path) -> Path:
    """Write what the tools are told; return the folder."""
    folder.mkdir(parents=True)
    (folder / "lung.key").write_text("5" * 64)
    (folder / "lung.key").chmod(0o600)
    (folder / "site.csv").write_text(SAFE)
    (folder / "devices.toml").write_text(device_rules())
    project = 'project = { id = "midi", key = { file = "lung.key" } }'
    (folder / "research.toml").write_text(PROFILE.replace('project = { id = "midi" }', project))
    (folder / "deid.devices").write_text(recipe())
    (folder / CLASSES).write_text("\n".join(kind.sop_class for kind in KINDS))
    (folder / WARM).write_bytes(cases(NOBODY)[0].file)
    return folder


def treated(name: str, scratch: Path, files: Mapping[str, Case]) -> Result:
    """Let one tool work; files: by name.  Raises `Absent`."""
    python, run = interpreter(name, scratch), scratch / "deid-run"
    out = run / name
    out.mkdir()
    command = [python, "-P", str(DRIVER), name, str(run / "settings"), str(run / "in"), str(out)]
    environment = {**os.environ, "HOME": str(run)}
    if name == OURS:
        environment["PYTHONPATH"] = str(DRIVER.parent.parent)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=environment
    )
    if done.returncode:
        raise Absent((done.stderr.strip().splitlines() or ["it ended"])[-1][:200])
    version = "this release" if name == OURS else TOOLS[name][0]
    return read(version, json.loads(done.stdout.splitlines()[-1]), out, files)


def read(version: str, said: Mapping[str, Any], out: Path, files: Mapping[str, Case]) -> Result:
    """Return the outputs of a tool; said: what the driver prints."""
    made = Result(version, said["files"], said["cpu_s"], said["failed"])
    for file in out.iterdir():
        stored = _stored(file)
        if stored is None:
            made.broken += 1
        else:
            made.outputs[files[file.name].stored.sop_instance] = stored
    return made


def _stored(file: Path) -> Stored | None:
    data = file.read_bytes()
    try:
        meta = read_meta(data[:META_BYTES])
    except DatasetError:
        return None
    return Stored(
        sop_class=meta.sop_class_uid,
        sop_instance=meta.sop_instance_uid,
        transfer_syntax=meta.transfer_syntax_uid,
        data_set=data[meta.data_set_offset :],
    )


def judge(
    made: Result, people: list[list[Case]], before: Mapping[str, set[str]], *, looks: bool = True
) -> None:
    """Fill in what the outputs are worth.

    before: what dciodvfy says of the originals.  looks: whether it looks at the outputs too.
    """
    known = Known()
    for some in people:
        for case in some:
            uid = case.stored.sop_instance
            try:
                made.score.add(score([case], made.outputs, known))
            except Exception:  # noqa: BLE001 - whatever a reader raises, nobody can read it
                made.outputs.pop(uid, None)
                made.broken += 1
                made.score.add(score([case], {}, known))
        shift = known.shifts.get(some[0].who.patient_id, 0)
        moved = {some[0].who.patient_id: shift} if -LONGEST_SHIFT <= shift < 0 else {}
        made.leaks += len(raw_hits(some, made.outputs, Known(shifts=moved)))
        for case in some if looks else ():
            one = made.outputs.get(case.stored.sop_instance)
            if one is not None and not any(UNREAD in kind for kind in before[case.name]):
                new = error_kinds(one) - before[case.name]
                made.errors |= {kind for kind in new if not any(no in kind for no in NOT_OURS)}


def table(results: Mapping[str, Result | str]) -> Iterator[str]:
    """Yield lines of Markdown: a column for each tool that could be had, then the others."""
    there = {name: made for name, made in results.items() if isinstance(made, Result)}
    names = (
        f"{name} {made.version}".replace(f"{OURS} ", "Waystation, ") for name, made in there.items()
    )
    yield f"| | {' | '.join(names)} |"
    yield "|" + " --- |" * (len(there) + 1)
    cells = {name: made.cells for name, made in there.items()}
    for row in ROWS:
        yield f"| {TITLES[row]} | {' | '.join(cells[name][row] for name in there)} |"
    for name, why in results.items():
        if isinstance(why, str):
            yield f"\n{name}: absent ({why})"


def main() -> None:
    """Run all tools and print the table, then why objects were not written, and the errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deidentify_tools")
    parser.add_argument("--scratch", type=Path, default=Path("var/bench"))
    parser.add_argument("--subjects", type=int, default=50)
    parser.add_argument("--only", choices=[OURS, *TOOLS], nargs="+", default=[OURS, *TOOLS])
    wanted = parser.parse_args()
    scratch = wanted.scratch.resolve()
    run = scratch / "deid-run"
    shutil.rmtree(run, ignore_errors=True)
    settings(run / "settings")
    (run / "in").mkdir()
    people = list(subjects(wanted.subjects))
    files = {f"{n:05}.dcm": case for n, case in enumerate(one for some in people for one in some)}
    for name, case in files.items():
        (run / "in" / name).write_bytes(case.file)
    before = {case.name: set(error_kinds(case.stored)) for case in files.values()}
    results: dict[str, Result | str] = {}
    for name in wanted.only:
        try:
            made = treated(name, scratch, files)
        except Absent as error:
            results[name] = str(error)
            continue
        judge(made, people, before)
        results[name] = made
        print(f"{name}: done", file=sys.stderr, flush=True)
    print(f"{machine()}; {len(people)} subjects, {len(files)} objects\n")
    print("\n".join(table(results)))
    for name, one in results.items():
        if isinstance(one, Result):
            reasons = sorted(set(one.failed.values()))[:8]
            print(f"\n{name}: not written: {reasons}\nnew errors: {sorted(one.errors)[:12]}")
    shutil.rmtree(run, ignore_errors=True)


if __name__ == "__main__":
    main()
