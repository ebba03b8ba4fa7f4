"""Frames of an object as pictures that any browser shows (W-86 to W-88, T `render`).

Contract: runs in a codec child (S-41), but for what `render_plain` lets through, on files that the
caller opened; one frame is in memory at a time, all of them for GIF.  `render` writes the pictures
one behind the other, each with its length before it (8 bytes, big endian); a GIF is one picture
that moves.  Nothing is written if a
frame was asked for that is not there.  `UnfitError` or `DatasetError` if anything that was asked
for cannot be drawn: no picture is ever made up.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import Image
from waystation.transforms.render_colour import coloured
from waystation.transforms.render_frame import Film, opened
from waystation.transforms.render_grey import Greys, Tones, numbers_of, shown
from waystation.transforms.render_job import REPRESENTATIVE, Drawn, RenderJob, representative
from waystation.transforms.render_marks import annotated, overlaid
from waystation.transforms.render_place import aspect_of, fitted
from waystation.transforms.render_state import State, state_of

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

GREYS = ("MONOCHROME1", "MONOCHROME2")
INSTANCE, MODALITY, BURNED_IN = 0x00080018, 0x00080060, 0x00280301
FRAME_MS, RATES = 0x00181063, (0x00180040, 0x00082144)
FASTEST_MS, USUAL_MS = 20, 100
Array = np.ndarray[Any, np.dtype[Any]]
Tick = Callable[[int], None]


def render(
    source: BinaryIO, scratch: BinaryIO, out: BinaryIO, what: tuple[str, RenderJob], tick: Tick
) -> Drawn:
    """Write the pictures of ``source`` into ``out``; what: its syntax, and how they are to be."""
    has, job = what
    file, head, has = opened(source, scratch, has)
    return draw(Film(file, head, has), out, job, tick)


def draw(film: Film, out: BinaryIO, job: RenderJob, tick: Tick) -> Drawn:
    """Write the pictures of an object that is open."""
    head = film.head
    if job.small and head.text(BURNED_IN) == "YES":
        raise UnfitError("identity may be burned into its pixels")
    frames = job.total or film.image.frames
    numbers = _numbers(head, job, frames)
    if max(numbers) >= frames:
        return Drawn(frames, 0, 0)
    pictures = _Drawer(film, job).pictures(numbers, tick)
    if job.kind == "gif":
        _write(out, _moving(list(pictures), _pause_ms(head)))
        return Drawn(frames, 1, numbers[0])
    for picture in pictures:
        _write(out, _coded(picture, job))
    return Drawn(frames, len(numbers), numbers[0])


def _numbers(head: Head, job: RenderJob, frames: int) -> Sequence[int]:
    if not job.frames:
        return range(frames)
    if job.frames != (REPRESENTATIVE,):
        return job.frames
    return (representative(head, frames),)


def _write(out: BinaryIO, picture: bytes) -> None:
    out.write(len(picture).to_bytes(8, "big"))
    out.write(picture)


class _Drawer:
    """Draws the frames of one object."""

    def __init__(self, film: Film, job: RenderJob) -> None:
        self._film = film
        self._head = film.head
        self._job = job
        self._greys = Greys(film.head, job)
        self._top = 0xFFFF if job.kind == "png16" else 0xFF
        self._state: Head | None = None
        if job.presentation is not None:
            syntax, text = job.presentation
            scratch = BytesIO(), BytesIO()
            scratch[0].write(base64.b64decode(text))
            self._state = opened(scratch[0], scratch[1], syntax)[1]

    def pictures(self, numbers: Sequence[int], tick: Tick) -> Iterator["Picture"]:
        """Yield the pictures of frames."""
        for number in numbers:
            tick(number)
            yield self._picture(number)

    def _picture(self, number: int) -> "Picture":
        from PIL import Image as Pillow

        held = self._job.held
        samples, image = self._film.samples(held.index(number) if held else number)
        state = self._state_for(number, image)
        if image.samples == 1 and image.photometric in GREYS:
            pixels = shown(samples[:, :, 0], image, self._tones(number, image, state), self._top)
            pixels = pixels if state is None else state.shuttered(pixels, self._top)
        else:
            pixels = coloured(samples, image, self._head)
        if self._job.overlays:
            pixels = overlaid(pixels, self._head, number, self._top if pixels.ndim == 2 else 0xFF)
        picture = Pillow.fromarray(np.ascontiguousarray(pixels))
        if state is not None:
            picture = state.drawn(picture)
        if self._job.view is not None:
            aspect = aspect_of(self._head)
            picture = fitted(picture, self._job.view, aspect, enlarge=self._job.enlarge)
        if self._job.annotation:
            picture = annotated(picture, self._head, self._job.annotation)
        return picture

    def _state_for(self, number: int, image: Image) -> State | None:
        if self._state is None:
            return None
        return state_of(self._state, self._head.text(INSTANCE), number, signed=image.signed)

    def _tones(self, number: int, image: Image, state: State | None) -> Tones:
        if state is not None:
            voi = state.voi
            if self._job.window is not None:
                voi = self._greys.voi(number, signed=True)
            return Tones(
                modality=state.modality,
                voi=voi,
                inverse=state.inverse,
                after=state.after,
                whole=True,
            )
        inverse = image.photometric == "MONOCHROME1" or self._greys.inverse
        return Tones(
            modality=self._greys.modality(number, image),
            voi=self._greys.voi(number, signed=True),
            inverse=inverse,
            padding=self._greys.padding(image),
        )


def _coded(picture: "Picture", job: RenderJob) -> bytes:
    out = BytesIO()
    if job.kind == "jpeg":
        # Colours of small structures stay where they are only without sub-sampling.
        options = {"subsampling": 0} if job.quality >= 95 else {}
        picture.save(out, "JPEG", quality=job.quality, **options)
    elif job.kind == "webp":
        picture.save(out, "WEBP", quality=job.quality)
    else:
        picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _moving(pictures: list["Picture"], pause_ms: int) -> bytes:
    """Return a GIF of all pictures."""
    out = BytesIO()
    more: dict[str, Any] = {}
    if len(pictures) > 1:
        more = {"save_all": True, "append_images": pictures[1:], "duration": pause_ms, "loop": 0}
    pictures[0].save(out, "GIF", **more)
    return out.getvalue()


def _pause_ms(head: Head) -> int:
    """Return how long a frame is shown."""
    said = numbers_of(head, FRAME_MS)
    if said and said[0] > 0:
        return max(FASTEST_MS, min(int(said[0]), 10_000))
    for tag in RATES:
        text = head.text(tag)
        if text.isascii() and text.isdigit() and 0 < int(text) <= 1000:
            return max(FASTEST_MS, 1000 // int(text))
    return USUAL_MS
