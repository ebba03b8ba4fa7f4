"""Names of the configuration that a condition may use: schedules and lookup tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """schedules: names that ``open`` may ask.  tables: name → key → text, for ``lookup``.

    conditions: what was compiled already, by subject and right side; None where nothing is shared.
    """

    schedules: Collection[str] = ()
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    conditions: dict[tuple[str, str], object] | None = None


NOTHING = Known()
