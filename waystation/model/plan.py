"""What the rules decided for one arrival, with the reason for every yes and no."""

from waystation.model.delivery import HoldReason
from waystation.model.values import value


@value
class Verdict:
    """One rule's answer: ``clause`` is the deciding clause with the actual value."""

    rule: str
    matched: bool
    clause: str


@value
class Target:
    """One planned way out.  ``rules``: all that asked for it, in file order.

    filtered_by: the destination's filter that takes the object away, such as
    ``pacs.refuse CTImageStorage``; that delivery ends discarded by this name (R-18).
    hold: why the delivery begins held instead of waiting.
    required: False for an optional target, which ends discarded instead of held (R-46).
    group: the destination is a group, whose member is chosen later (R-42).
    archived: the archive, which takes the object in the transaction of the plan (T-29).
    recipe: digest of what is done to the object on its way, "" for nothing (R-65).
    """

    destination: str
    rules: tuple[str, ...]
    priority: str = "normal"
    filtered_by: str = ""
    hold: HoldReason | None = None
    required: bool = True
    group: bool = False
    archived: bool = False
    recipe: str = ""


@value
class Join:
    """A rule that gathers a series or a study until it is complete (R-70).

    level: ``series`` or ``study``.  targets: where all of it goes then.
    whole: not only what matched, but all of the study (``take = "whole"``).
    """

    rule: str
    level: str
    targets: tuple[Target, ...]
    whole: bool = False


@value
class Plan:
    """Targets to deliver to, or a fate without delivery (hold, discard), and why.

    hold: a reason if the arrival itself is held; targets may stand beside it, when one rule
    holds what another sends.  discard: name of the rule (or setting) that threw it away; then
    no target is left.  refuse: True if no rule matched and the peer must hear 0124H.
    kept_by: what keeps it without any delivery: the broker's cache, for what was fetched.
    """

    targets: tuple[Target, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    hold: HoldReason | None = None
    discard: str = ""
    refuse: bool = False
    kept_by: str = ""
    joins: tuple[Join, ...] = ()
