"""What one lane goes by: its pace, its hours, its filter.  Replaced whole on reload."""

from dataclasses import dataclass, field

from waystation.rules.classes import ClassFilter
from waystation.timing.budget import Limits
from waystation.timing.eligibility import Terms
from waystation.timing.retry import DAY_S, RetryPolicy
from waystation.timing.window import ALWAYS, Schedule

NO_FILTER = ClassFilter(name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """Settings of one lane.

    window: when it may send.  stat_waits: ``stat`` waits for it, too.  send_anyway_after_s: what
    has waited so long goes whatever the window.  finish_study: a study that has begun goes on
    when the window shuts.  split_study: several associations may share a study, and its order
    is given up.  optional_for_s: life of deliveries that nobody requires.  limits: those of
    ``share`` if the budget is shared under that name.  filter: what is not sent there (R-18).
    only_deidentified: nothing leaves but what our de-identification made (R-69).
    verified: the destination has to confirm what it got (R-60).
    """

    policy: RetryPolicy
    parallel: int = 2
    window: Schedule = ALWAYS
    stat_waits: bool = False
    send_anyway_after_s: float | None = None
    finish_study: bool = False
    split_study: bool = False
    probe_outside_window: bool = False
    optional_for_s: float = DAY_S
    limits: Limits = field(default_factory=Limits)
    share: str = ""
    filter: ClassFilter = NO_FILTER
    only_deidentified: bool = False
    verified: bool = False

    @property
    def terms(self) -> Terms:
        """When deliveries may leave."""
        return Terms(
            window=self.window, stat_waits=self.stat_waits, anyway_s=self.send_anyway_after_s
        )
