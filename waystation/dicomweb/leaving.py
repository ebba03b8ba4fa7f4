"""In which transfer syntax an object leaves over HTTP (PS3.18 section 8.7.3; W-19, W-69 to W-72).

Contract: pure.  Implicit VR and big endian never leave.  Nothing is ever compressed with loss on
its way; what was stored with loss, or cannot be decoded here, goes as it is stored unless the
caller names another syntax.  "" means that it cannot be had as it was asked for: 406.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from waystation.dicom.uids import (
    DEFLATED,
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_VR_LE,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR,
    RLE_LOSSLESS,
)

ANY: Final = "*"
NATIVE: Final = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED})
NEVER_SENT: Final = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_BE})
# Decoded only on demand: what they lost is lost, and every decoder makes something else of it.
LOSSY: Final = frozenset({JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_NEAR, JPEG_2000, HTJ2K})
# Table 8.7.3-5: media types of single frames; the default syntax of each stands first.
FRAME_TYPES: Final = {
    "image/jpeg": (JPEG_LOSSLESS_SV1, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS),
    "image/jls": (JPEG_LS_LOSSLESS, JPEG_LS_NEAR),
    "image/jp2": (JPEG_2000_LOSSLESS, JPEG_2000),
    "image/jphc": (HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K),
    "image/dicom-rle": (RLE_LOSSLESS,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Codecs:
    """What can be done here: compressed syntaxes that are decoded, and that are written."""

    reads: Collection[str]
    writes: Collection[str]


def stored_form(stored: str) -> str:
    """Return the syntax of what is sent as it is stored."""
    return EXPLICIT_VR_LE if stored in NEVER_SENT else stored


def leaving(stored: str, asked: str | None, codecs: Codecs) -> str:
    """Return the syntax in which an object leaves, "" if it cannot be had so.

    asked: the parameter ``transfer-syntax``, None where it is not given.
    """
    if asked == ANY:
        return stored_form(stored)
    if not asked:
        decodes = stored in codecs.reads and stored not in LOSSY
        return EXPLICIT_VR_LE if stored in NATIVE or decodes else stored
    if asked in NEVER_SENT:
        return ""
    if asked == stored:
        return stored
    readable = stored in NATIVE or stored in codecs.reads
    if asked == EXPLICIT_VR_LE:
        return asked if readable else ""
    if asked == DEFLATED:
        return asked if stored in NATIVE else ""
    return asked if readable and asked in codecs.writes and asked not in LOSSY else ""


def frame_leaving(stored: str, asked: str | None, codecs: Codecs) -> str:
    """Return the syntax of single frames as octets, "" if they cannot be had so (W-72)."""
    if asked == ANY:
        return EXPLICIT_VR_LE if stored in NATIVE else stored
    readable = stored in NATIVE or stored in codecs.reads
    if not asked:
        return EXPLICIT_VR_LE if readable else stored
    found = leaving(stored, asked, codecs)
    return EXPLICIT_VR_LE if found == DEFLATED else found


def image_leaving(media: str, stored: str, asked: str | None, codecs: Codecs) -> str:
    """Return the syntax of frames as images of ``media``, "" if they cannot be had so."""
    family = FRAME_TYPES[media]
    if not asked or asked == ANY:
        if stored in family:
            return stored
        return leaving(stored, family[0], codecs)
    return leaving(stored, asked, codecs) if asked in family else ""
