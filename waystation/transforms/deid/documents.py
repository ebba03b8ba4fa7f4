"""The text inside documents that an object carries, as far as it is deflated there (D-42).

Contract: `inside` yields what the streams of PDF documents, and of other values that hold zlib
data in the same way, inflate to.  Bounded: a document that would grow beyond `MOST` gives what
came until then.  Nothing is interpreted.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from waystation.dicom.tree import Tree
from waystation.transforms.deid.traces import leaves

DOCUMENT: Final = 0x00420011
MOST: Final = 64 << 20
SMALLEST: Final = 64
_STREAM: Final = b"stream"
PDF: Final = b"%PDF"


def inside(tree: Tree) -> Iterator[bytes]:
    """Yield the inflated streams of the documents in a data set."""
    for elem, _, _ in leaves(tree):
        if elem.length >= SMALLEST and (elem.tag == DOCUMENT or elem.vr in ("OB", "UN")):
            value = elem.value or b""
            if value.startswith(PDF):
                yield from streams(value)


def streams(document: bytes) -> Iterator[bytes]:
    """Yield what is deflated in a PDF document (ISO 32000-1 7.3.8)."""
    left, at = MOST, 0
    while left > 0 and (at := document.find(_STREAM, at)) >= 0:
        at += len(_STREAM)
        begin = at + (document[at : at + 1] == b"\r")
        begin += document[begin : begin + 1] == b"\n"
        try:
            text = zlib.decompressobj().decompress(document[begin:], left)
        except zlib.error:
            continue
        left -= len(text)
        yield text
