"""Each example runs as its page says: one command, a checked ledger, nothing left behind (R-90)."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.making import EXAMPLES, KEYS, STORIES, with_values
from tests.peers import warm
from waystation.app.read import load

LINE = re.compile(r"^(?P<site>[a-z-]+)(?P<numbers>(?: +\d+){6})$", re.MULTILINE)
# promised, there, same, lost, twice, extra; None: whatever it had before it was killed.
LEDGERS: dict[str, dict[str, list[int] | None]] = {
    "forward-with-retry": {"receiver": [16, 16, 16, 0, 0, 0]},
    "night-link": {"local": [12, 12, 12, 0, 0, 0], "remote": [6, 6, 6, 0, 0, 0]},
    "day-night-reader": {"day-reader": [24, 24, 24, 0, 0, 0], "night-reader": None},
    "two-destinations": {"pacs": [18, 18, 18, 0, 0, 0], "teaching": [12, 12, 12, 0, 0, 0]},
    "fix-and-forward": {"pacs": [6, 6, 6, 0, 0, 0]},
    "outward-relay": {"pacs": [12, 12, 12, 0, 0, 0], "reader": [4, 4, 4, 0, 0, 0]},
    "deid-for-research": {"project": [11, 11, 11, 0, 0, 0]},
    "broker-for-old-pacs": {"viewer": [50, 50, 50, 0, 0, 0]},
    "worklist": {"pacs": [6, 6, 6, 0, 0, 0]},
}
# What else a story must have shown.
SHOWN = {
    "forward-with-retry": ["(kill -9)"],
    "fix-and-forward": [
        "PatientName: here Muster^Erika, there Beispiel^Hans",
        "PatientID                1000017 (6 x)",
        "AccessionNumber          SM-A1 (4 x)",
    ],
    "outward-relay": [
        "no trace of: Muster Erika 471108151 19640812",
        "held (not-deidentified)",
        "reader takes only what is de-identified",
    ],
    "deid-for-research": [
        "no trace of 25 words and UIDs",
        "burned-in annotation, and no device rule says where",
    ],
    "broker-for-old-pacs": [
        "attic    complete, 30 of 30 images by C-MOVE, checked by uids",
        "cellar   complete, 20 of 20 images",
        "30 images from the PACS, while it sends",
        "30 images from the cache",
        "source attic did not answer",
    ],
    "worklist": [
        "10 10 0 10 0 6 0 0 0 0 10 10 0",
        "entry: Müller^Jörg, 4711, A1001, CT1, 20400301, 093000",
        "MSA|AE|RIS-2|PID-7",
    ],
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs in which short commands of ours need not be imported each time."""
    folder = tmp_path_factory.mktemp("bin")
    own = Path(sys.executable).parent
    # A link would forget the virtual environment that it belongs to.
    (folder / "python").write_text(f'#!/bin/bash\nexec {own}/python "$@"\n')
    (folder / "python").chmod(0o755)
    (folder / "waystation").write_text(
        "#!/bin/bash\n"
        # What a story kills must be its own child.
        f'case "$1 $2" in serve*|*" pacs") exec {own}/waystation "$@";; esac\n'
        f'exec {own}/python -S -E {warm.__file__} {warm.mother()} "$@"\n'
    )
    (folder / "waystation").chmod(0o755)
    return folder


def played(
    example: str, folder: Path, programs: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(EXAMPLES / example / "run.sh")],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "BIN": str(programs), **environment},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def running_in(folder: Path) -> list[str]:
    """Return the command lines of processes that name ``folder``."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.req("R-90")
@pytest.mark.parametrize("example", STORIES)
def test_an_example_runs_with_one_command_and_leaves_nothing(
    example: str, tmp_path: Path, programs: Path
) -> None:
    done = played(example, tmp_path, programs, PATIENCE_S="60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("as promised\n")
    for shown in SHOWN.get(example, []):
        assert shown in done.stdout
    found = {match["site"]: match["numbers"] for match in LINE.finditer(done.stdout)}
    assert set(found) == set(LEDGERS[example])
    for site, wanted in LEDGERS[example].items():
        numbers = [int(word) for word in found[site].split()]
        assert numbers == wanted or (wanted is None and numbers[:1] == [4] and 7 <= numbers[1] < 16)
    assert list(tmp_path.iterdir()) == []
    assert running_in(tmp_path) == []


def test_a_story_that_goes_wrong_ends_with_1_and_leaves_nothing_running(
    tmp_path: Path, programs: Path
) -> None:
    done = played("night-link", tmp_path, programs, PATIENCE_S="0")
    assert done.returncode == 1
    assert "NOT as promised: the start of local did not happen within 0 s" in done.stdout
    (kept,) = tmp_path.iterdir()
    assert f"kept for you: {kept}" in done.stdout
    assert running_in(tmp_path) == []


@pytest.mark.req("R-90")
@pytest.mark.parametrize("example", STORIES)
def test_the_configuration_is_clean_as_it_stands_and_the_page_names_the_command(
    example: str,
) -> None:
    assert list(load(EXAMPLES / example / "waystation.toml", KEYS).warnings) == []
    assert f"$ examples/{example}/run.sh\n" in (EXAMPLES / example / "README.md").read_text()


def entry(name: str, digest: str = "aa", **more: str) -> str:
    return json.dumps({"sop_instance": name, "sha256": digest, **more}) + "\n"


def sent(*names: str, event: str = "acked") -> str:
    return "".join(entry(n, event="attempted") + entry(n, event=event) for n in names)


def row(state: str, name: str = "", digest: str = "", site: str = "site") -> dict[str, str]:
    made = {"sop_instance": name, "sent_sha256": digest}
    return {"state": state, "destination": site, "group": "", **made}


def judged(folder: Path, came: str, states: tuple[str, ...] = (), promise: str = "site=ct") -> int:
    return judged_by(folder, came, [row(state) for state in states], promise)


def judged_by(folder: Path, came: str, rows: list[dict[str, str]], promise: str = "site=ct") -> int:
    (folder / "site.ledger").write_text(came)
    queue = {"deliveries": rows, "arrivals": [], "unplanned": 0}
    (folder / "queue.json").write_text(json.dumps(queue))
    words = [sys.executable, str(EXAMPLES / "ledger.py"), str(folder), promise]
    return subprocess.run(words, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    ("came", "states", "promise", "code"),
    [
        (entry("1") + entry("2"), ("done", "discarded"), "site=ct", 0),
        (entry("1") + entry("2") + '{"sop_inst', (), "site=ct", 0),
        (entry("1"), (), "site=ct", 1),
        (entry("1"), (), "site=ct?", 0),
        (entry("1") + entry("2") + entry("2"), (), "site=ct", 1),
        (entry("1") + entry("2", "bb"), (), "site=ct", 1),
        (entry("1") + entry("2") + entry("3"), (), "site=ct", 1),
        (entry("1") + entry("2"), ("held",), "site=ct", 1),
        (entry("1") + entry("2"), ("waiting",), "site=ct", 1),
        ("", (), "site=", 0),
    ],
)
def test_the_ledger_agrees_only_with_what_was_promised(
    came: str, states: tuple[str, ...], promise: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "ct").write_text(sent("1", "2"))
    assert judged(tmp_path, came, states, promise) == code


@pytest.mark.parametrize(
    ("came", "rows", "code"),
    [
        (entry("9", "cc") + entry("2"), [row("done", "1", "cc")], 0),
        (entry("1", "cc") + entry("2"), [row("done", "1", "cc")], 0),
        (entry("9", "dd") + entry("2"), [row("done", "1", "cc")], 1),
        (entry("9", "cc") + entry("2"), [row("done", "1", "cc", site="other")], 1),
        (entry("9", "cc") + entry("1") + entry("2"), [row("done", "1", "cc")], 1),
    ],
)
def test_what_a_rule_changed_counts_by_the_digest_in_the_journal(
    came: str, rows: list[dict[str, str]], code: int, tmp_path: Path
) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "ct").write_text(sent("1", "2"))
    assert judged_by(tmp_path, came, rows) == code


def test_what_the_node_did_not_acknowledge_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "ct").write_text(sent("1") + sent("2", event="refused"))
    assert judged(tmp_path, entry("1")) == 1


def test_values_are_put_where_they_belong() -> None:
    text = "[a]\nx = 1    # one\n\n[a.b]\nx = 2\ny = [\n    3,\n]\n"
    changed = with_values(text, {"a.x": "7", "a.b.z": '"new"'})
    assert changed == '[a]\nx = 7\n\n[a.b]\nz = "new"\nx = 2\ny = [\n    3,\n]\n'
