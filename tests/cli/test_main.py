"""How the command line begins and ends."""

import subprocess
import sys

import pytest

from waystation.cli import main as cli
from waystation.model.errors import ConfigError, StorageError, UnreachableError, WaystationError

HEAVY = ("pydantic", "pydicom", "sqlalchemy", "numpy", "rich", "fastapi", "asyncio")


def test_help_names_every_command_and_imports_none_of_them() -> None:
    script = (
        "import sys\nfrom waystation.cli.main import main\n"
        "sys.argv = ['waystation', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('imported', [name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("imported []\n")
    assert all(name in done.stdout for name in cli.COMMANDS)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["waystation", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code is None or isinstance(ended.value.code, int)
    return ended.value.code or 0


@pytest.mark.parametrize("words", [["nope"], ["check", "--nope"], ["config", "nope"], ["--nope"]])
def test_a_usage_error_exits_2_and_talks_on_stderr(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 2
    out, err = capsys.readouterr()
    assert (out, "nope" in err) == ("", True)


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("waystation 0.")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageError("disk full"), 1),
        (ConfigError("f:1", "disk full"), 2),
        (UnreachableError("connect", "disk full"), 3),
    ],
)
def test_an_error_ends_with_its_code_and_one_line(
    error: WaystationError,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)
    assert run(monkeypatch) == code
    assert capsys.readouterr().err.rstrip().endswith("disk full")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_that_is_built_can_be_imported(name: str) -> None:
    assert cli.imported(name).name == name
