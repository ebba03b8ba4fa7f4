"""Where a fetched object stands among those of its study, by its head."""

from waystation.dicom.head import Head
from waystation.index.cache_book import Place
from waystation.index.entry import number

SERIES_NUMBER, INSTANCE_NUMBER = "SeriesNumber", "InstanceNumber"


def place_of(head: Head) -> Place:
    """Return the place; numbers that are none come last."""
    return Place(series_number=_number(head, SERIES_NUMBER), number=_number(head, INSTANCE_NUMBER))


def _number(head: Head, keyword: str) -> int:
    values = head.values(keyword)
    return number(str(values[0]) if values else "")
