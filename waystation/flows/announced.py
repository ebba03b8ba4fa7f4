"""What an object says of how many belong together (PS3.3 C.7.2.1, C.7.6.1)."""

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.timing.gather import Announced


def announced(head: Head) -> Announced:
    """Return how many objects an object says there are (PS3.3 C.7.2.1, C.7.6.1)."""
    return Announced(
        study=_number(head, tags.NUMBER_OF_STUDY_RELATED_INSTANCES),
        series=_number(head, tags.NUMBER_OF_SERIES_RELATED_INSTANCES),
        acquisition=head.text(tags.ACQUISITION_NUMBER),
        images=_number(head, tags.IMAGES_IN_ACQUISITION),
    )


def _number(head: Head, tag: int) -> int | None:
    text = head.text(tag)
    return int(text) if text.isascii() and text.isdigit() else None
