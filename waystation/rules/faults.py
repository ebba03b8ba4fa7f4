"""What is wrong with a rule file, as values: every fault is told, not only the first."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from waystation.model.errors import ConfigError, WaystationError


@dataclass(frozen=True, slots=True)
class RuleFault:
    """``where`` is the dotted address of the setting, such as ``rule.ct.when.Modality``."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


class StepsError(WaystationError):
    """An expression went beyond its limit: the rule must be written in a simpler way (R-32)."""


def fault_of(error: ConfigError) -> RuleFault:
    return RuleFault(error.where, error.problem)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)``, or nothing if no known word is near."""
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return f' (did you mean "{by_lower[near[0]]}"?)' if near else ""
