"""Lines of the log: nothing from outside forges one, and none of them stops the work."""

import io
import json
import threading
from collections.abc import Iterator

import pytest
import structlog

from waystation.app import logs


class Broken(io.StringIO):
    """A volume that is full."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def line_of(monkeypatch: pytest.MonkeyPatch, form: str, **fields: object) -> str:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    logs.set_up("info", form)
    structlog.get_logger().warning("association refused", **fields)
    return written.getvalue()


HOSTILE = "CT1\r\n2026 error forged\x1b[31m\u202e"


@pytest.mark.req("R-86", "S-68")
@pytest.mark.parametrize("form", ["text", "json"])
def test_control_characters_never_reach_the_log(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    line = line_of(monkeypatch, form, calling_ae=HOSTILE, listed=[HOSTILE], error=OSError(HOSTILE))
    assert line.count("\n") == 1
    assert not set(line[:-1]) & {"\r", "\n", "\x1b", "\u202e"}


@pytest.mark.req("R-86")
@pytest.mark.parametrize("value", ['x" level="error', "x level=error", "a=b", ""])
def test_a_value_cannot_pose_as_another_field(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    line = line_of(monkeypatch, "text", calling_ae=value, last=1)
    quoted = '"' + value.replace('"', '\\"') + '"'
    assert f"calling_ae={quoted} last=1" in line


def test_json_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(line_of(monkeypatch, "json", calling_ae="CT1"))
    assert (found["event"], found["calling_ae"], found["level"]) == (
        "association refused",
        "CT1",
        "warning",
    )


@pytest.mark.req("F4")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_volume_behind_the_log_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("sys.stderr", Broken())
    logs.set_up("info", form)
    structlog.get_logger().error("cannot store", error="disk full")


@pytest.mark.req("S-68")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_shows_no_values_of_variables(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    logs.set_up("info", form)
    patient = "DOE^JANE"
    try:
        raise RuntimeError("surprise") if patient else ValueError
    except RuntimeError:
        structlog.get_logger().exception("storing failed")
    assert "surprise" in written.getvalue()
    assert "DOE" not in written.getvalue().replace('"DOE^JANE"', "")


class Overtaken(list[str]):
    """Lines that wait; while the first is put down, another thread comes with its own."""

    def __init__(self, other: threading.Thread) -> None:
        super().__init__()
        self.other = other

    def append(self, line: str) -> None:
        super().append(line)
        if not self.other.ident:
            self.other.start()
            self.other.join(0.05)


def test_of_two_threads_that_come_at_once_none_leaves_its_line_to_the_other() -> None:
    written = io.StringIO()
    lines = logs.Lines(written, 0, "text")
    second = threading.Thread(target=lines.soon, args=("second\n",))
    lines._soon = Overtaken(second)
    lines.soon("first\n")
    second.join()
    assert sorted(written.getvalue().split()) == ["first", "second"]
