"""Instants on the command line: a date and time, a time of today, or a duration ago.

Contract: without an offset the time is local; `ConfigError` names the option and what to write.
"""

import os
import re
import time

from waystation.model.errors import ConfigError

AGO = re.compile(r"\d+(\.\d+)?\s*(s|m|h|d)")


def instant(option: str, text: str, now: float | None = None) -> float:
    """Return Unix seconds."""
    from waystation.app.quantities import read_duration
    from waystation.app.schedule_preview import read_instant
    from waystation.app.zones import host_zone

    here = time.time() if now is None else now
    plain = text.strip()
    if AGO.fullmatch(plain):
        return here - read_duration(plain)
    try:
        return read_instant(plain, host_zone(os.environ), here)
    except ConfigError as error:
        problem = f'{error.problem}, or how long ago: "7d", "12h"'
        raise ConfigError(option, problem) from error
