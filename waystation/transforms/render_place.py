"""A picture cut, mirrored, turned and fitted into a view (PS3.18 section 8.3.5.1.3).

Contract: `fitted` keeps the aspect of what is seen: the result is as large as the view allows, and
never larger than it.  The part of the image that is asked for is cut to the image.
"""

from typing import TYPE_CHECKING

from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.render_job import View

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ASPECT = 0x00280034
LEAST, MOST = 0.05, 20.0


def aspect_of(head: Head) -> float:
    """Return how much higher than wide a pixel is (Pixel Aspect Ratio), 1.0 if unknown."""
    raw = head.raw(ASPECT) or b""
    try:
        down, across = (float(word) for word in raw.decode("ascii").strip("\0 ").split("\\"))
        ratio = down / across
    except (ValueError, ZeroDivisionError):
        return 1.0
    return ratio if LEAST <= ratio <= MOST else 1.0


def fitted(picture: "Picture", view: View, aspect: float, *, enlarge: bool) -> "Picture":
    """Return the part of ``picture`` that a view shows, in its size."""
    from PIL import Image as Pillow

    left, top = view.left or 0.0, view.top or 0.0
    across = picture.width if view.across is None else view.across
    down = picture.height if view.down is None else view.down
    right, bottom = min(left + abs(across), picture.width), min(top + abs(down), picture.height)
    if right <= left or bottom <= top:
        raise UnfitError("the viewport shows no part of the image")
    wide, tall = right - left, (bottom - top) * aspect
    scale = min(view.width / wide, view.height / tall)
    if not enlarge:
        scale = min(scale, 1.0)
    size = (max(1, int(wide * scale + 1e-6)), max(1, int(tall * scale + 1e-6)))
    box = (left, top, right, bottom)
    if size != picture.size or box != (0, 0, *picture.size):
        kind = Pillow.Resampling.BICUBIC if scale > 1 else Pillow.Resampling.BOX
        picture = picture.resize(size, kind, box=box)
    if across < 0:
        picture = picture.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    if down < 0:
        picture = picture.transpose(Pillow.Transpose.FLIP_TOP_BOTTOM)
    return picture
