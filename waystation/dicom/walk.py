"""The walk that every reception makes: bytes in, a `Head` out, or a `DatasetError`.

Contract: feed() the data set as it comes, in pieces of any size; finish() when its last byte was
given.  An object is accepted only if its elements end exactly at that byte (S-1, R-5).
`read_head` is for objects that were accepted before: it takes no more pieces than the head needs.
"""

from collections.abc import Iterable

from waystation.dicom.head import Head
from waystation.dicom.limits import DEFAULT_LIMITS, WalkLimits
from waystation.dicom.scan import Scanner


class Walker(Scanner):
    __slots__ = ("_syntax",)

    def __init__(self, transfer_syntax_uid: str, *, limits: WalkLimits = DEFAULT_LIMITS) -> None:
        super().__init__(transfer_syntax_uid, limits=limits)
        self._syntax = transfer_syntax_uid

    def finish(self) -> Head:
        """Return the head; DatasetError if the data set ends inside an element."""
        self.close()
        return Head(self, self._syntax, self._limits)


def read_head(pieces: Iterable[bytes | memoryview], transfer_syntax_uid: str) -> Head:
    """Return the head of the data set that ``pieces`` make up."""
    scan = Scanner(transfer_syntax_uid)
    for piece in pieces:
        scan.feed(piece)
        if scan.tail >= 0:
            break
    scan.close(tail_missing=True)
    return Head(scan, transfer_syntax_uid, DEFAULT_LIMITS)
