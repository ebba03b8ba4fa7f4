"""Why a message is not taken: where it lies, and a sentence for whoever sent it."""

from typing import Final

# HL7 table 0357: what kind of error it is.
SEGMENT_MISSING: Final = 100
FIELD_MISSING: Final = 101
WRONG_TYPE: Final = 102
VALUE_UNKNOWN: Final = 103
TYPE_NOT_SERVED: Final = 200
EVENT_NOT_SERVED: Final = 201
VERSION_NOT_SERVED: Final = 203
UNKNOWN_KEY: Final = 204
DUPLICATE_KEY: Final = 205
APPLICATION_ERROR: Final = 207


class Hl7Error(Exception):
    """A message that is refused.

    where: path of the field, like "PID-7", "" if it is about the whole.  text: ASCII, no patient
    data.  code: of table 0357.  rejected: AR (not for us) instead of AE (something is wrong in it).
    """

    def __init__(
        self, where: str, text: str, code: int = APPLICATION_ERROR, *, rejected: bool = False
    ) -> None:
        super().__init__(f"{where}: {text}" if where else text)
        self.where = where
        self.text = text
        self.code = code
        self.rejected = rejected
