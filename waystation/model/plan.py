"""What the rules decided for one arrival, with the reason for every yes and no."""

from dataclasses import dataclass

from waystation.model.delivery import HoldReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule's answer: ``clause`` is the deciding clause with the actual value."""

    rule: str
    matched: bool
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One planned way out.  ``rules``: all that asked for it, in file order.

    filtered_by: the destination's filter that takes the object away, such as
    ``pacs.refuse CTImageStorage``; that delivery ends discarded by this name (R-18).
    hold: why the delivery begins held instead of waiting.
    """

    destination: str
    rules: tuple[str, ...]
    priority: str = "normal"
    filtered_by: str = ""
    hold: HoldReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Targets to deliver to, or a fate without delivery (hold, discard), and why.

    hold: a reason if the arrival itself is held; targets may stand beside it, when one rule
    holds what another sends.  discard: name of the rule (or setting) that threw it away; then
    no target is left.  refuse: True if no rule matched and the peer must hear 0124H.
    """

    targets: tuple[Target, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    hold: HoldReason | None = None
    discard: str = ""
    refuse: bool = False
