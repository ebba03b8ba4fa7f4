"""The walk that every reception makes: bytes in, a `Head` out, or a `DatasetError`.

Contract: feed() the data set as it comes, in pieces of any size; finish() when its last byte was
given.  An object is accepted only if its elements end exactly at that byte (S-1, R-5).
"""

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
