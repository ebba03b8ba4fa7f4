"""What all JSON of the API has in common: how ids, statuses and priorities are written."""

from pydantic import BaseModel, ConfigDict

PRIORITIES = ("stat", "normal", "low")


class Shape(BaseModel):
    """One JSON object."""

    model_config = ConfigDict(frozen=True)


LONGEST_ID = 16
# The largest integer of the database.
LARGEST_ID = 2**63 - 1


def id_number(text: str) -> int:
    """Return the number behind an id as people see it, 0 where nothing can have that id."""
    try:
        number = int(text, 16) if len(text) <= LONGEST_ID else 0
    except ValueError:
        return 0
    return number if 0 < number <= LARGEST_ID else 0


def id_text(number: int) -> str:
    """Return an id as people see it."""
    return f"{number:x}"


def status_hex(status: int | None) -> str | None:
    """Return a DIMSE status as four hexadecimal digits."""
    return None if status is None else f"{status:04X}"
