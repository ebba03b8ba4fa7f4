"""Character sets as settings name them: terms of Specific Character Set (0008,0005)."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from waystation.app.settings_base import Name, _as_tuple, complaint
from waystation.dicom.charset_terms import Charset, Fault


def _known(text: str) -> str:
    faults = Charset.parse(text).faults & {Fault.UNKNOWN_TERM, Fault.NOT_EXTENSIBLE}
    if faults or not text.strip():
        raise complaint(
            f'{text!r} is no term of Specific Character Set; write one like "ISO_IR 192"'
        )
    return text


def _answer(text: str) -> str:
    if text in ("stored", "request"):
        return text
    faults = Charset.parse(text).faults & {Fault.UNKNOWN_TERM, Fault.NOT_EXTENSIBLE}
    if faults or not text.strip():
        raise complaint(
            'expected "stored", "request" or terms of Specific Character Set, like "ISO_IR 192"'
        )
    return text


AnswerCharset = Annotated[Name, AfterValidator(_answer)]
Charsets = Annotated[
    tuple[Annotated[Name, AfterValidator(_known)], ...], BeforeValidator(_as_tuple)
]
