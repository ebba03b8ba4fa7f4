"""The picture that stands for what cannot be drawn: the kind of object in letters on grey (W-88).

Contract: `icon` shows nothing of an object but what its SOP class says.
"""

from io import BytesIO

PREFIX = "1.2.840.10008.5.1.4.1.1."
KINDS = {
    "1": "CR",
    "1.1": "DX",
    "1.2": "MG",
    "2": "CT",
    "3": "US",
    "4": "MR",
    "6": "US",
    "7": "SC",
    "9": "ECG",
    "11": "PR",
    "12": "XA",
    "20": "NM",
    "66": "RAW",
    "66.4": "SEG",
    "77": "VL",
    "88": "SR",
    "88.59": "KO",
    "104": "DOC",
    "104.1": "PDF",
    "128": "PT",
    "130": "PT",
    "481": "RT",
}
# What has no pixels whatever its head says.
NO_IMAGES = tuple(
    PREFIX + one + "."
    for one in (
        *("9", "11", "66.1", "66.2", "66.3", "66.5", "67", "88", "104"),
        *("481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9"),
    )
)
GREY, SHADE = 58, 190


def is_image(sop_class_uid: str) -> bool:
    """Tell whether objects of a SOP class may have pixels."""
    return not (sop_class_uid + ".").startswith(NO_IMAGES) and sop_class_uid != PREFIX + "66"


def label(sop_class_uid: str) -> str:
    """Return a few letters for a SOP class."""
    words = sop_class_uid.removeprefix(PREFIX).split(".")
    if not sop_class_uid.startswith(PREFIX):
        return "?"
    for end in range(len(words), 0, -1):
        found = KINDS.get(".".join(words[:end]))
        if found:
            return found
    return "?"


def icon(sop_class_uid: str, width: int, height: int, kind: str) -> bytes:
    """Return a picture, ``JPEG`` or ``PNG``, that fits into width and height."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    side = min(width, height)
    picture = Pillow.new("L", (side, side), GREY)
    text, font = label(sop_class_uid), ImageFont.load_default(max(8, side // 3))
    ImageDraw.Draw(picture).text((side / 2, side / 2), text, SHADE, font, anchor="mm")
    out = BytesIO()
    picture.save(out, kind)
    return out.getvalue()
