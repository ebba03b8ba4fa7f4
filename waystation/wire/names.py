"""The grammar of AE titles (PS3.5 6.2, row L6).  That of UIDs stands in `dicom.uids`."""

import re

_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


def is_ae_title(text: str) -> bool:
    """1 to 16 printable ASCII characters without backslash, not all of them spaces."""
    return _AE_TITLE.fullmatch(text) is not None and not text.isspace()
