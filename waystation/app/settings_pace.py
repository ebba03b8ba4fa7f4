"""How fast a destination may be sent to: ``[destination.NAME] limits`` (R-51)."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from waystation.app.quantities import RATE_HELP, Rate, read_rate
from waystation.app.settings_base import Count, Name, Table, complaint
from waystation.app.settings_schedule import WindowText


class RateSettings(Table):
    """A rate that counts while a schedule is open."""

    when: WindowText = Field(
        default="always", description="A schedule, or the name of a [schedule.NAME]"
    )
    max: Rate = Field(description="Most bytes per second meanwhile")


def _entries(value: object) -> object:
    """One rate alone counts always."""
    if isinstance(value, str):
        read_rate(value)
        return ({"max": value},)
    if not isinstance(value, list | tuple) or not value:
        raise complaint(f'{RATE_HELP}, or a list like [{{ when = "night", max = "2MiB/s" }}]')
    return tuple(value)


Rates = Annotated[tuple[RateSettings, ...], BeforeValidator(_entries)]


class LimitSettings(Table):
    """What may leave: bytes per second, objects per minute; of one lane or of several."""

    rate: Rates | None = Field(
        default=None,
        description="Most bytes per second; of a list of { when, max } the first open entry counts",
    )
    per_minute: Count | None = Field(default=None, description="Most objects in any minute")
    share: Name | None = Field(
        default=None, description="Destinations that name the same share have one budget together"
    )

    @model_validator(mode="after")
    def _limits_something(self) -> "LimitSettings":
        if self.rate is None and self.per_minute is None and self.share is None:
            raise complaint('limits nothing: state "rate", "per_minute" or "share"')
        return self
