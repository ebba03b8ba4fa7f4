"""What a presentation state is for.  Pure, no arrays: this also runs outside of codec children."""

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head

STATES = frozenset(f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2, 3, 4))
SERIES, IMAGES, SERIES_UID, INSTANCE = 0x00081115, 0x00081140, 0x0020000E, 0x00081155


def is_state(sop_class_uid: str) -> bool:
    """Tell whether objects of a class say how images are to be shown."""
    return sop_class_uid in STATES


def images(data: bytes, syntax: str) -> list[tuple[str, str]]:
    """Return what a presentation state is for: (series, SOP instance) in its order."""
    found: list[tuple[str, str]] = []
    try:
        for series in Head.from_bytes(data, syntax).items(SERIES):
            uid = series.text(SERIES_UID)
            found += [(uid, image.text(INSTANCE)) for image in series.items(IMAGES)]
    except DatasetError:
        return found
    return found
