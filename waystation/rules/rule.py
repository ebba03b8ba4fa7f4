"""A compiled rule."""

from dataclasses import dataclass

from waystation.model.recipe import digest_of
from waystation.rules.conditions import ALWAYS, Condition, Look
from waystation.rules.expression import StudyCondition

PRIORITIES = ("low", "normal", "stat")
ARCHIVE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One name in ``send``: a destination or a group.  required: False for an optional target."""

    to: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """What a rule with ``trigger = "series"`` or ``"study"`` says about its gathers (R-70, R-73).

    level: series or study.  whole: all of it once one object matched, not the matching only.
    if_complete: asked once, when it is complete.  late: delta, whole or hold.
    on_force: send or hold.  None: what ``[completeness]`` says, or the built-in default.
    """

    level: str
    whole: bool = False
    if_complete: StudyCondition | None = None
    late: str = "delta"
    late_whole_within_s: float = 86_400.0
    force_after_s: float | None = None
    on_force: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One compiled rule: either it sends, or ``then`` says what becomes of the object.

    when: its `when` and `if` together.  stat_if, low_if: when its priority is another.
    gathering: None for a rule that plans each object at once.  steps: what is done to the object
    on its way, as the text of a recipe, or nothing; two rules with different steps make two
    versions of it (R-21).
    """

    name: str
    when: Condition = ALWAYS
    send: tuple[Way, ...] = ()
    then: str = ""
    stop: bool = False
    enabled: bool = True
    priority: str = "normal"
    stat_if: Condition | None = None
    low_if: Condition | None = None
    gathering: Gathering | None = None
    steps: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """The digest of its steps, "" for none."""
        return digest_of(self.steps[0]) if self.steps else ""

    def priority_of(self, seen: Look) -> str:
        """Return the priority of what this rule sends of the object (R-33)."""
        if self.stat_if is not None and self.stat_if.holds(seen):
            return "stat"
        if self.low_if is not None and self.low_if.holds(seen):
            return "low"
        return self.priority

    @property
    def ways(self) -> tuple[Way, ...]:
        """Where it sends; the archive is a way as any other."""
        return (Way(to=ARCHIVE),) if self.then == ARCHIVE else self.send
