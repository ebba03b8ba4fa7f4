"""What all JSON of the API has in common: how ids, statuses and priorities are written."""

from pydantic import BaseModel, ConfigDict

PRIORITIES = ("stat", "normal", "low")


class Shape(BaseModel):
    """One JSON object."""

    model_config = ConfigDict(frozen=True)


def id_text(number: int) -> str:
    """Return an id as people see it."""
    return f"{number:x}"


def status_hex(status: int | None) -> str | None:
    """Return a DIMSE status as four hexadecimal digits."""
    return None if status is None else f"{status:04X}"
