"""The last look at pixels that are to leave: nothing may be written in them (D-36).

Contract: `no_text` returns if nothing was read, and raises `HeldError` for everything else: text,
a program that failed or took too long, one that is not there.  Nothing quotes what was read.
It is a further check: no rule of the profile does less because of it.
"""

from collections.abc import AsyncIterator

from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.text import TextReader
from waystation.model.delivery import HoldReason
from waystation.transforms.deid_step import TEXT_LEFT
from waystation.transforms.held import HeldError


async def no_text(
    reader: TextReader | None,
    source: bytes | AsyncIterator[bytes],
    *,
    digest: str,
    syntax: str,
) -> None:
    """Look at the frames of a data set as it is to leave.

    digest: SHA-256 of the object as it was received.  Raises `HeldError`, and whatever ``source``
    raises.
    """
    if reader is None:
        raise HeldError(HoldReason.DEID_FAILED, "text in pixels is not looked for here")
    try:
        frame = await reader.frame_with_text(source, digest=digest, syntax=syntax)
    except CodecError as error:
        why = f"text in its pixels could not be looked for: {error}"
        raise HeldError(HoldReason.DEID_FAILED, why) from error
    except WorkroomError as error:
        raise HeldError(HoldReason.DEID_FAILED, str(error), transient=True) from error
    if frame is not None:
        raise HeldError(HoldReason.DEID_FAILED, f"{TEXT_LEFT} (frame {frame})")
