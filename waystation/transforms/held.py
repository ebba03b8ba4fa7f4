"""Why an object is not sent: raised inside a step, a value at its end."""

from waystation.model.delivery import HoldReason


class HeldError(Exception):
    """A step cannot be done as it was asked; the object waits for a person.

    why: in words, without any value of the object.  transient: it may pass by itself.
    detail: values side by side, for those who may see them.
    """

    def __init__(
        self, reason: HoldReason, why: str, *, transient: bool = False, detail: str = ""
    ) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why
        self.transient = transient
        self.detail = detail


def misfit(why: str) -> HeldError:
    """Return the error of an edit that this object does not allow."""
    return HeldError(HoldReason.RULE_ERROR, why)
