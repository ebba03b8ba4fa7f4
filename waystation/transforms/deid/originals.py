"""The original values of what was replaced, sealed for whoever has the key (D-31).

Contract: `originals_of` gives one data set in Explicit VR Little Endian with the single item of
Modified Attributes (0400,0550), which `seal` of the caller encrypts (CMS EnvelopedData, PS3.15
E.3.1 and PS3.3 C.12.1.1.4.1); `attach` puts the envelope into the object, `restore` puts opened
originals back.  Nothing here encrypts or decrypts.
"""

from collections.abc import Callable
from typing import Final

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_LE
from waystation.dicom.tree import Elem, Tree, encode, parse
from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_LE
from waystation.transforms.deid.choice import CHARSET, MARKS, NEVER
from waystation.transforms.errors import UnfitError
from waystation.transforms.syntax import Way, recode
from waystation.transforms.vrs import Scope

Seal = Callable[[bytes], bytes]
ENCRYPTED, SYNTAX, CONTENT = 0x04000500, 0x04000510, 0x04000520
MODIFIED: Final = 0x04000550
IDENTITY_REMOVED: Final = 0x00120062


def originals_of(before: list[Elem], tree: Tree) -> bytes:
    """Return what was changed or removed, as it was.

    before: the top-level elements as they came, some changed since.  tree: what is left.
    Raises `UnfitError` where an original cannot be written in the other form.
    """
    left = {id(elem) for elem in tree.elements}
    gone = [
        elem
        for elem in before
        if elem.tag & 0xFFFF
        and elem.tag not in NEVER
        and (id(elem) not in left or elem.changed() is not None or elem.tag == CHARSET)
    ]
    raw = b"".join(elem.raw for elem in gone)
    scope = Scope(signed=tree.text(tags.PIXEL_REPRESENTATION) == "\1")
    values = recode(raw, Way(tree.form, EXPLICIT_LE), scope)
    item = parse(Head.from_bytes(values, EXPLICIT_VR_LE))
    whole = Tree(EXPLICIT_LE)
    whole.put_items(MODIFIED, [item])
    return encode(whole)


def attach(tree: Tree, envelope: bytes) -> None:
    """Put an envelope into Encrypted Attributes (0400,0500)."""
    form = tree.form
    rows = [
        Elem.new(SYNTAX, "UI", EXPLICIT_VR_LE.encode("ascii"), form),
        Elem.new(CONTENT, "OB", envelope, form),
    ]
    tree.put_items(ENCRYPTED, [Tree(form, elements=rows)])


def envelopes_of(head: Head) -> list[bytes]:
    """Return the envelopes that an object carries, none of them opened."""
    elem = parse(head).get(ENCRYPTED)
    found = [item.get(CONTENT) for item in (elem.items if elem else None) or ()]
    return [one.value for one in found if one is not None and one.value]


def restore(head: Head, opened: bytes) -> bytes:
    """Return the head with the originals of an opened envelope in their places.

    Patient Identity Removed becomes NO.  Raises `UnfitError` if the bytes are no such originals.
    """
    elem = parse(Head.from_bytes(opened, EXPLICIT_VR_LE)).get(MODIFIED)
    items = elem.items if elem is not None else None
    if not items or len(items) != 1:
        raise UnfitError("the envelope does not hold one item of original attributes")
    tree = parse(head)
    raw = b"".join(one.raw for one in items[0].elements)
    back = recode(raw, Way(EXPLICIT_LE, tree.form), Scope())
    tree.remove({ENCRYPTED, CHARSET, *MARKS})
    for one in parse(Head.from_bytes(back, head_syntax(head))).elements:
        tree.place(one)
    tree.put(IDENTITY_REMOVED, "CS", b"NO")
    return encode(tree)


def head_syntax(head: Head) -> str:
    """Return a syntax in which pieces of a head can be read by themselves."""
    return (
        EXPLICIT_VR_LE
        if head.transfer_syntax_uid in DEFLATED_SYNTAXES
        else head.transfer_syntax_uid
    )
