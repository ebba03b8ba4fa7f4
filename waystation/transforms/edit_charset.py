"""Text into the character set of a data set, and a whole head into UTF-8 (T-26, R-66).

Contract: `encode_text` gives None rather than a substitute for what a set cannot say.  `to_utf8`
converts every text of a tree, items included, or leaves everything as it is and says why not.
An element without characters beyond ISO 646 keeps its bytes.
"""

from waystation.dicom import tags
from waystation.dicom.charsets import IN_CHARSET, CharsetError, decode, encode
from waystation.dicom.tree import Elem, Tree

UTF8 = "ISO_IR 192"
ESCAPE = 0x1B


def encode_text(text: str, vr: str, charset: str) -> bytes | None:
    """Return the bytes of a text in Specific Character Set ``charset``, None if it has no room."""
    try:
        return encode(text, charset, vr)
    except CharsetError:
        return None


def decode_strictly(raw: bytes, vr: str, charset: str) -> str | None:
    """Return the text, None if the bytes are not what the set says."""
    try:
        return decode(raw, charset, vr, strict=True)
    except CharsetError:
        return None


def is_plain(raw: bytes) -> bool:
    """Tell whether every character set reads these bytes alike."""
    return raw.isascii() and ESCAPE not in raw


def to_utf8(tree: Tree) -> str:
    """Convert all text of a tree to UTF-8; return why that cannot be, "" if it is done."""
    changes: list[tuple[Elem, bytes]] = []
    for inside in _walk(tree):
        for elem in inside.elements:
            raw = elem.value
            if elem.vr not in IN_CHARSET or not raw or is_plain(raw):
                continue
            text = decode_strictly(raw, elem.vr, inside.charset)
            if text is None:
                return f"{tags.format_tag(elem.tag)} is not in the character set that it names"
            made = text.encode()
            changes.append((elem, made))
    for elem, value in changes:
        elem.replace(value)
    for inside in _walk(tree):
        if inside is not tree:
            inside.remove({tags.SPECIFIC_CHARACTER_SET})
        inside.charset = UTF8
    tree.put(tags.SPECIFIC_CHARACTER_SET, "CS", UTF8.encode())
    return ""


def all_plain(tree: Tree) -> bool:
    """Tell whether no text of the tree needs a character set."""
    return all(
        elem.vr not in IN_CHARSET or is_plain(elem.value or b"")
        for inside in _walk(tree)
        for elem in inside.elements
    )


def _walk(tree: Tree) -> list[Tree]:
    """Return the tree and all its items."""
    found, place = [tree], 0
    while place < len(found):
        for elem in found[place].elements:
            found += elem.items or ()
        place += 1
    return found
