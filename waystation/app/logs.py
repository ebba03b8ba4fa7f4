"""The log on standard error: one line per event, as text or JSON (R-86).

Contract: control characters never reach the terminal; tracebacks show no local variables, since
those may hold patient data (S-68).
"""

import logging
import sys
import threading
from asyncio import get_running_loop
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from waystation.model.printable import field, printable

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# Lines about single objects wait for company: a write costs more than making them.
SOON_S = 0.1
MOST_LINES = 1000


class Lines:
    """A text file whose failures nobody hears of.

    A full volume or a closed pipe behind the log must not end in a belt that only wanted to tell
    what it did: the image matters more than the line about it.  Belts, the threads of the disk and
    those of the journal all write here.  level, form: as it was set up.
    """

    def __init__(self, file: TextIO, level: int, form: str) -> None:
        self.level = level
        self.form = form
        self._file = file
        self._soon: list[str] = []
        self._lock = threading.Lock()

    def soon(self, line: str) -> None:
        """Write a whole line within a moment, together with others, and before any later one."""
        with self._lock:
            self._soon.append(line)
            waiting = len(self._soon)
        if waiting == 1:
            try:
                get_running_loop().call_later(SOON_S, self.write)
            except RuntimeError:
                self.write()
        elif waiting >= MOST_LINES:
            self.write()

    def write(self, text: str = "") -> None:
        """Write what waits, and ``text``."""
        with self._lock, suppress(OSError, ValueError):
            waiting, self._soon = self._soon, []
            self._file.write("".join(waiting) + text)
            self._file.flush()

    def flush(self) -> None:
        with self._lock, suppress(OSError, ValueError):
            self._file.flush()


_lines: list[Lines] = []


def _escaped(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key != "exception":
            event[key] = _safe(value)
    return event


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    return [_safe(member) for member in value] if isinstance(value, list | tuple) else value


def _as_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    when = event.pop("timestamp", "")
    level = event.pop("level", "")
    what = event.pop("event", "")
    trace = event.pop("exception", "")
    words = " ".join(f"{printable(key)}={field(value)}" for key, value in event.items())
    line = f"{when} {level:<7} {what}" + (f" {words}" if words else "")
    return f"{line}\n{trace}" if trace else line


def lines() -> Lines | None:
    """Return where the log of this process goes, None if it was not set up."""
    return _lines[0] if _lines else None


def set_up(level: str, form: str) -> None:
    """Configure structlog once for the process.  form: ``text`` or ``json``."""
    _lines[:] = [Lines(sys.stderr, LEVELS[level], form)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Both forms leave local variables out.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            )
            if form == "json"
            else structlog.processors.format_exc_info,
            _escaped,
            structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _lines[0])),
        cache_logger_on_first_use=True,
    )
