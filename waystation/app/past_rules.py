"""The rules of an earlier configuration, from its text in the journal (R-3, R-76).

Contract: what a revision planned is judged again by that revision.  Files and secrets that it
named need not exist any more: only what the rules go by is read.  A text that cannot be read any
more gives a sentence instead.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from waystation.app import wiring
from waystation.app.environment import override
from waystation.app.parts import validate
from waystation.app.settings import Settings
from waystation.app.wiring_schedule import Windows
from waystation.db.engine import Job
from waystation.flows.route import Routing
from waystation.journal import configs
from waystation.model.errors import ConfigError

T = TypeVar("T")
Read = Callable[[Job[Any]], Any]


def settings_of(text: str, folder: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a text, without a look at what they name.

    Raises `ConfigError` if the text means nothing to this version.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("configuration", f"not TOML: {error}") from error
    override(document, environ)
    parts = validate(document, {"folder": folder})
    for problem in parts.problems:
        if not problem.warning:
            raise ConfigError(".".join(map(str, problem.path)), problem.text)
    return parts.settings()


class PastRules:
    """Routing by revision; each text is read once.

    newest: the routing in force, for arrivals of which nobody knows what planned them.
    """

    def __init__(
        self,
        read: Read,
        folder: Path,
        newest: Routing | None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.problems: dict[int, str] = {}
        self._read = read
        self._folder = folder
        self._newest = newest
        self._environ = environ
        self._known: dict[int, Routing | None] = {}

    def of(self, revision: int, at: float) -> Routing | None:
        """Return the routing of a revision, None (and a problem) if it cannot be had.

        at: Unix seconds, around which calendars are read.
        """
        if self._newest is not None and revision in (0, self._newest.revision):
            return self._newest
        if revision not in self._known:
            self._known[revision] = self._find(revision, at)
        return self._known[revision]

    def _find(self, revision: int, at: float) -> Routing | None:
        text = self._read(configs.text_of(revision) if revision else configs.last_text())
        if text is None:
            self.problems[revision] = "its text is not kept any more"
            return None
        try:
            settings = settings_of(text, self._folder, self._environ)
            return routing_of(settings, at, self._environ)
        except (ConfigError, ValueError) as error:
            self.problems[revision] = f"it cannot be read any more: {error}"
            return None


def routing_of(settings: Settings, at: float, environ: Mapping[str, str] = os.environ) -> Routing:
    """Return what routing goes by under ``settings`` around an instant (Unix seconds)."""
    return wiring.routing(settings, Windows(settings.schedule, now=at, environ=environ).named)
