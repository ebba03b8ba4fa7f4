"""What is doubtful about ``transcode`` in a destination."""

from collections.abc import Iterator

from waystation.app.faults import Problem
from waystation.app.parts import Parts
from waystation.app.settings_destination import DicomDestination
from waystation.codecs.abilities import EXTRA, has_extra


def transcoding(parts: Parts) -> Iterator[Problem]:
    """Warn where pixels are to be converted and the codecs for some syntaxes are missing."""
    if has_extra():
        return
    for name, table in parts.destinations.items():
        if isinstance(table, DicomDestination) and table.transcode in ("decompress", "lossless"):
            yield Problem(
                path=("destination", name, "transcode"),
                text="JPEG Lossless and JPEG-LS cannot be converted without the extra codecs; "
                f"what is stored so and not accepted will be held: {EXTRA}",
                warning=True,
            )
