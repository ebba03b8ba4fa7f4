"""``waystation check`` and ``waystation config``."""

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from waystation.cli import main as cli

Run = Callable[..., tuple[int, str, str]]
DOUBTFUL = '[peer.ct]\nae_title = "CT"\n'
WRONG = "[dicom]\nport = 104000\n[web]\nprt = 1\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function: text of ./waystation.toml, words → exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def _run(text: str, *words: str) -> tuple[int, str, str]:
        Path("waystation.toml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["waystation", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return _run


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("", [], 0),
        ("", ["--strict"], 0),
        (DOUBTFUL, [], 0),
        (DOUBTFUL, ["--strict"], 1),
        (WRONG, [], 2),
        (WRONG + DOUBTFUL, ["--strict"], 2),
        ("[dicom", [], 2),
    ],
)
def test_check_exits_as_the_contract_says(text: str, words: list[str], code: int, run: Run) -> None:
    assert run(text, "check", *words)[0] == code


def test_check_prints_each_fault_on_a_line_of_stdout(run: Run) -> None:
    _, out, err = run(WRONG + DOUBTFUL, "check")
    assert out.splitlines() == [
        "waystation.toml:2 dicom.port: expected 0 to 65535, got 104000",
        'waystation.toml:4 web.prt: unknown key "prt" (did you mean "port"?)',
        "waystation.toml:5 peer.ct: may call from every address; state its address (warning)",
    ]
    assert err == "2 faults, 1 warning\n"


def test_check_as_json_is_one_document(run: Run) -> None:
    code, out, _ = run(WRONG, "check", "--json")
    assert code == 2
    said = json.loads(out)
    assert said["faults"][0] == {
        "where": "waystation.toml:2",
        "key": "dicom.port",
        "problem": "expected 0 to 65535, got 104000",
    }
    assert said["warnings"] == []


def test_check_reads_the_stated_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[dicom]\nport = 1\n")
    assert run(WRONG, "check", "--config", "other.toml")[0] == 0
    code, out, _ = run("", "check", "--config", "missing.toml")
    assert (code, "missing.toml: cannot be read" in out) == (2, True)


@pytest.mark.req("R-1")
def test_config_schema_is_the_schema_of_the_models(run: Run) -> None:
    from waystation.app.schema import schema

    code, out, _ = run("", "config", "schema")
    assert (code, json.loads(out)) == (0, schema())


def test_config_show_prints_what_is_in_force(run: Run) -> None:
    code, out, _ = run("[dicom]\nport = 104\n", "config", "show")
    assert (code, tomllib.loads(out)["dicom"]["port"]) == (0, 104)
    code, out, _ = run("[dicom]\nport = 104\n", "config", "show", "--json")
    assert (code, json.loads(out)["spool"]["keep"]) == (0, "1d")


def test_config_show_of_a_broken_file_prints_its_faults_on_stderr(run: Run) -> None:
    code, out, err = run(WRONG, "config", "show")
    assert (code, out) == (2, "")
    assert "waystation.toml:2 dicom.port: expected 0 to 65535, got 104000" in err
