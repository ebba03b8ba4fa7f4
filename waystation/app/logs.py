"""The log on standard error: one line per event, as text or JSON (R-86).

Contract: control characters never reach the terminal; tracebacks show no local variables, since
those may hold patient data (S-68).
"""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Unfailing:
    """A text file whose failures nobody hears of.

    A full volume or a closed pipe behind the log must not end in a belt that only wanted to tell
    what it did: the image matters more than the line about it.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _escaped(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key != "exception":
            event[key] = _safe(value)
    return event


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    return [_safe(member) for member in value] if isinstance(value, list | tuple) else value


def _as_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    when = event.pop("timestamp", "")
    level = event.pop("level", "")
    what = event.pop("event", "")
    trace = event.pop("exception", "")
    words = " ".join(f"{_clean(key)}={_quoted(value)}" for key, value in event.items())
    line = f"{when} {level:<7} {what}" + (f" {words}" if words else "")
    return f"{line}\n{trace}" if trace else line


def _quoted(value: object) -> str:
    """Return a value so that nothing in it can pose as another field or another line."""
    text = _clean(str(value))
    if text and not set(text) & {" ", '"', "="}:
        return text
    return '"' + text.replace('"', '\\"') + '"'


def set_up(level: str, form: str) -> None:
    """Configure structlog once for the process.  form: ``text`` or ``json``."""
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
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
