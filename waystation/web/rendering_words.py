"""The query parameters of rendered resources (PS3.18 section 8.3.5.1; W-87, W-88).

Contract: a value that cannot be used is a `Refusal` 400 with a sentence that says what to write;
a parameter or a word that means nothing here is left out with a warning.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from waystation.transforms.render_job import (
    ANNOTATIONS,
    QUALITY,
    RenderJob,
    View,
    quality_of,
    view_of,
    window_of,
)
from waystation.web.asked import Asked, Refusal

PARAMETERS: Final = ("window", "viewport", "quality", "annotation", "iccprofile", "accept")
SMALL_PARAMETERS: Final = ("viewport", "accept")
USUAL: Final = View(256, 256)
T = TypeVar("T")


def job_of(asked: Asked) -> RenderJob:
    """Return how pictures are to be drawn."""
    _warn_of_others(asked, PARAMETERS)
    profile = asked.one("iccprofile")
    if profile not in (None, "no"):
        asked.warn("Colour profiles are not put into pictures; iccprofile was left out")
    words = [word.strip() for word in (asked.one("annotation") or "").split(",") if word.strip()]
    for word in words:
        if word not in ANNOTATIONS:
            asked.warn(f"The annotation {word} is not known and was left out")
    return RenderJob(
        window=_read(asked, "window", window_of),
        view=_read(asked, "viewport", view_of),
        quality=_read(asked, "quality", quality_of) or QUALITY,
        annotation=tuple(word for word in ANNOTATIONS if word in words),
    )


def small_view_of(asked: Asked) -> View:
    """Return the size of a thumbnail."""
    _warn_of_others(asked, SMALL_PARAMETERS)
    return _read(asked, "viewport", lambda text: view_of(text, part=False)) or USUAL


def _warn_of_others(asked: Asked, known: tuple[str, ...]) -> None:
    for name, _ in asked.params:
        if name not in known:
            asked.warn(f"The parameter {name} means nothing here and was left out")


def _read(asked: Asked, name: str, read: Callable[[str], T]) -> T | None:
    text = asked.one(name)
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise Refusal(400, "The request is not understood", f"{name}: {error}") from None
