"""Pictures of one uncompressed frame, drawn where no codec is needed (W-86, S-41).

Contract: runs in the node itself, in a thread, and therefore only on what is bounded and plain:
little endian, one frame of at most `MOST_SAMPLES` grey, RGB or YBR numbers of 8 or 16 bits behind
a head of at most `MOST_HEAD` bytes, no presentation state, no words drawn into it, and a picture no
larger than that.  `drawn` returns None for everything else and for everything that goes wrong in a
way of its own: a codec child draws it then, or says why not.
Raises `UnfitError` or `DatasetError` where nobody could draw it.
"""

from io import BytesIO
from typing import Final, cast

import numpy as np

from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.transforms.image import PIXELS, Image, image_of
from waystation.transforms.render import GREYS, draw
from waystation.transforms.render_frame import Film
from waystation.transforms.render_job import Drawn, RenderJob
from waystation.transforms.transcode import HEAD_LIMITS

MOST_SAMPLES: Final = 4 << 20
MOST_HEAD: Final = 1 << 20
SYNTAXES: Final = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
COLOURS: Final = ("RGB", "YBR_FULL", "YBR_FULL_422")


def drawn(data: bytes, syntax: str, job: RenderJob) -> tuple[Drawn, bytes] | None:
    """Return what became of a job, and the pictures as `render.draw` writes them."""
    if not _is_modest(job) or syntax not in SYNTAXES:
        return None
    head = Head.from_bytes(data, syntax, limits=HEAD_LIMITS)
    if not head.whole or PIXELS not in head.elements or head.elements[PIXELS][1] > MOST_HEAD:
        return None
    image = image_of(head, (1, 8, 16, 32, 64))
    if not _is_plain(image) or not (job.frames or image.frames == 1):
        return None
    out = BytesIO()
    with np.errstate(all="ignore"):
        said = draw(Film(_Lent(data), head, syntax), out, job, lambda _: None)
    return said, out.getvalue()


class _Lent(BytesIO):
    """Bytes that are read without being copied."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = memoryview(data)
        self._at = 0

    def seek(self, at: int, whence: int = 0) -> int:
        """Go to a place, which is counted from the beginning."""
        self._at = at
        return at

    def read(self, size: int | None = -1) -> bytes:
        """Return that many bytes; numpy takes a view for bytes."""
        piece = self._data[self._at :][: None if size is None or size < 0 else size]
        self._at += len(piece)
        return cast(bytes, piece)


def _is_modest(job: RenderJob) -> bool:
    view = job.view
    return (
        len(job.frames) <= 1
        and job.kind in ("jpeg", "png")
        and job.presentation is None
        and not job.annotation
        and not job.overlays
        and (view is None or view.width * view.height <= MOST_SAMPLES)
    )


def _is_plain(image: Image) -> bool:
    grey = image.samples == 1 and image.photometric in GREYS
    colour = image.samples == 3 and image.photometric in COLOURS
    samples = image.rows * image.columns * image.samples
    return image.allocated in (8, 16) and (grey or colour) and samples <= MOST_SAMPLES
