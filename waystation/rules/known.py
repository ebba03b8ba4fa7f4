"""Names of the configuration that a condition may use: schedules and lookup tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """schedules: names that ``open`` may ask.  tables: name → key → text, for ``lookup``."""

    schedules: Collection[str] = ()
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOTHING = Known()
