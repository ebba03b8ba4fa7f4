"""A small data set made of values: identifiers of queries, event information, file lists.

Contract: `compose` writes elements in ascending order, texts through the encoder that the caller
gives, sequences and items with defined lengths.  Bytes are written as they are, padded to an even
length (PS3.5 section 7).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Union

from waystation.dicom.nested import ITEM_HEADERS, ITEM_TAG
from waystation.dicom.scan import form_of
from waystation.dicom.splice import encode_element

Items = Sequence["Elements"]
# tag → (VR, value): text, encoded bytes, or the items of a sequence.
Elements = Mapping[int, tuple[str, Union[str, bytes, "Items"]]]
Encoder = Callable[[str, str], bytes]


def ascii_only(text: str, _vr: str) -> bytes:
    """Encode text that needs no character set.  Raises UnicodeEncodeError for any other."""
    return text.encode("ascii")


def compose(elements: Elements, transfer_syntax_uid: str, encode: Encoder = ascii_only) -> bytes:
    """Return the data set.  encode: (text, VR) → bytes in the set that (0008,0005) names."""
    form = form_of(transfer_syntax_uid)
    parts: list[bytes] = []
    for tag in sorted(elements):
        vr, value = elements[tag]
        if isinstance(value, str):
            raw = encode(value, vr)
        elif isinstance(value, bytes):
            raw = value
        else:
            raw = b"".join(_item(item, transfer_syntax_uid, encode) for item in value)
        parts.append(encode_element(tag, vr, raw, form))
    return b"".join(parts)


def _item(elements: Elements, transfer_syntax_uid: str, encode: Encoder) -> bytes:
    content = compose(elements, transfer_syntax_uid, encode)
    header = ITEM_HEADERS[form_of(transfer_syntax_uid)]
    return header.pack(ITEM_TAG >> 16, ITEM_TAG & 0xFFFF, len(content)) + content
