"""When things may be sent: ``[schedule.NAME]``."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from waystation.app.settings_base import Name, Table, _as_tuple, _in_folder, complaint
from waystation.timing.schedule_days import read_days
from waystation.timing.schedule_text import read_hours

CALENDAR = ".ics"


def _hours(text: str) -> str:
    try:
        read_hours(text)
    except ValueError as error:
        raise complaint(str(error)) from None
    return text.strip() or "always"


def _dates(text: str) -> str:
    try:
        return read_days(text).text
    except ValueError as error:
        raise complaint(str(error)) from None


def is_calendar(text: str) -> bool:
    """Return whether an entry of ``holidays`` is the name of a file."""
    return text.lower().endswith(CALENDAR)


def _holiday(text: str, info: ValidationInfo) -> str:
    if is_calendar(text):
        return str(_in_folder(text, info))
    try:
        return read_days(text).text
    except ValueError as error:
        raise complaint(f"{error}; a calendar is a file whose name ends in .ics") from None


Dates = Annotated[tuple[Annotated[str, AfterValidator(_dates)], ...], BeforeValidator(_as_tuple)]
HolidayList = Annotated[
    tuple[Annotated[str, AfterValidator(_holiday)], ...], BeforeValidator(_as_tuple)
]


def _named(text: str) -> str:
    return text.strip() or "always"


# What it means shows only together with the named schedules: `waystation.app.semantics_schedule`.
WindowText = Annotated[str, AfterValidator(_named)]


class ScheduleSettings(Table):
    """Opening hours with a name, for every key that takes a schedule."""

    open: Annotated[str, AfterValidator(_hours)] = Field(
        description='Hours, like "Mon-Fri 20:00-07:59; holiday 00:00-24:00"'
    )
    zone: Name | None = Field(
        default=None, description="IANA name of the time zone; default is the host's"
    )
    holidays: HolidayList = Field(
        default=(), description="Dates, and iCalendar files counted from the file's folder"
    )
    closed: Dates = Field(default=(), description="Dates that are shut whatever the hours say")
