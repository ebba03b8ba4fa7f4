"""The elements of a data set and its items, as they came or as they are now.

Contract: see `waystation.dicom.tree`, which reads them; this module holds and writes them.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, cast

from waystation.dicom import tags
from waystation.dicom.nested import (
    EXPLICIT_BE,
    HEADERS,
    IMPLICIT_LE,
    ITEM_END,
    ITEM_HEADERS,
    ITEM_TAG,
    LENGTHS,
    SEQUENCE_END,
    UNDEFINED,
)
from waystation.dicom.splice import LENGTH_TO_END, encode_element

OPEN: Final = b"\xff\xff\xff\xff"
# Bytes, where the element begins in them, where its value begins and ends.
Span = tuple[bytes, int, int, int]
NOWHERE: Final[Span] = (b"", 0, 0, 0)


class Elem:
    """One element.  ``vr`` is what it means (the dictionary's where the data set says none or UN,
    "SQ" wherever there are items), ``written`` what its header says (None: implicit VR).
    """

    __slots__ = (
        *("_begin", "_data", "_end", "_items", "_read", "_start", "_value"),
        *("form", "tag", "vr", "written"),
    )

    def __init__(
        self,
        tag: int,
        vr: str,
        written: str | None,
        form: int,
        span: Span,
        items: "list[Tree] | Callable[[], list[Tree]] | None" = None,
    ) -> None:
        self.tag = tag
        self.vr = vr
        self.written = written
        self.form = form
        self._data, self._begin, self._start, self._end = span
        self._items = items
        # What was read from the data set; the list of items may be changed by anyone.
        self._read = tuple(items) if type(items) is list else ()
        self._value: bytes | None = None

    @classmethod
    def new(cls, tag: int, vr: str, value: bytes, form: int) -> "Elem":
        """Return an element that was never in a data set."""
        made = cls(tag, vr, vr, form, NOWHERE)
        made._value = value
        return made

    @classmethod
    def sequence(cls, tag: int, items: "list[Tree]", form: int) -> "Elem":
        """Return a new sequence, of defined length; its items must have the same form."""
        made = cls(tag, "SQ", "SQ", form, NOWHERE, items)
        made._read = _NOT_READ
        return made

    @property
    def value(self) -> bytes | None:
        """The bytes of the value as they lie in the data set, padding too; None for a sequence.

        Of encapsulated pixels: all fragments with their headers and the delimiter.
        """
        if self._value is not None:
            return self._value
        return None if self._items is not None else self._data[self._start : self._end]

    @property
    def length(self) -> int:
        """Bytes of the value; of a sequence that was read: as it came."""
        return self._end - self._start if self._value is None else len(self._value)

    @property
    def items(self) -> "list[Tree] | None":
        """The items of a sequence; the list may be changed.  None for any other element."""
        items = self._items
        if items is not None and type(items) is not list:
            items = self._items = cast("Callable[[], list[Tree]]", items)()
            self._read = tuple(items)
        return items

    @property
    def begin(self) -> int:
        """Where its bytes began."""
        return self._begin

    @property
    def end(self) -> int:
        """Where its bytes ended."""
        return self._end

    @property
    def raw(self) -> bytes:
        """The bytes it came with, header included; empty for a new element."""
        return self._data[self._begin : self._end]

    @property
    def inner_form(self) -> int:
        """The form of the items of this sequence."""
        return IMPLICIT_LE if self.written == "UN" else self.form

    @property
    def is_big_endian(self) -> bool:
        """Whether numbers in the value are big endian."""
        return self.form == EXPLICIT_BE and self.written != "UN"

    @property
    def is_encapsulated(self) -> bool:
        """Whether the value is a train of fragments."""
        return self._items is None and self._value is None and self._is_open

    @property
    def _is_open(self) -> bool:
        return self._data[self._start - 4 : self._start] == OPEN if self._start else False

    def replace(self, value: bytes, vr: str = "") -> None:
        """Give the element another value; a sequence becomes a plain element of ``vr``."""
        self._items, self._read = None, ()
        self._value = value
        self.vr = self.written = vr or self.vr

    def changed(self) -> bytes | None:
        """Return the bytes of the element if they are not those it came with."""
        if self._value is not None:
            return encode_element(self.tag, self.vr, self._value, self.form)
        items = self._items
        if type(items) is not list:
            return None
        made = [item.item_bytes() for item in items]
        if len(items) == len(self._read) and all(map(_is_untouched, items, self._read, made)):
            return None
        return self._sequence(
            [new if new is not None else old.raw for new, old in zip(made, items, strict=True)]
        )

    def _sequence(self, items: list[bytes]) -> bytes:
        """Return the sequence around ``items``."""
        content = b"".join(items)
        is_open = self._is_open
        if is_open:
            content += _mark(SEQUENCE_END, 0, self.inner_form)
        length = UNDEFINED if is_open else len(content)
        group, number = self.tag >> 16, self.tag & 0xFFFF
        if self.form == IMPLICIT_LE:
            return HEADERS[self.form].pack(group, number, length) + content
        code = b"UN" if self.written == "UN" else b"SQ"
        header = HEADERS[self.form].pack(group, number, code, 0)
        return header + LENGTHS[self.form].pack(length) + content


class Tree:
    """One data set or item.  ``charset``: Specific Character Set, inherited where not given."""

    __slots__ = ("_data", "_end", "_gone", "_index", "_start", "charset", "elements", "form")

    def __init__(self, form: int, charset: str = "", elements: Iterable[Elem] = ()) -> None:
        self.form = form
        self.charset = charset
        self.elements: list[Elem] = list(elements)
        self._index: dict[int, Elem] | None = None
        self._gone: set[int] = set()  # groups of which elements were added or removed
        self._data, self._start, self._end = b"", 0, 0  # of an item: header to delimiter

    def get(self, tag: int) -> Elem | None:
        """Return the (first) element of this tag."""
        index = self._index
        if index is None:
            index = self._index = {elem.tag: elem for elem in reversed(self.elements)}
        return index.get(tag)

    def __contains__(self, tag: int) -> bool:
        return self.get(tag) is not None

    def text(self, tag: int) -> str:
        """Return the first value as text without padding, bytes beyond ASCII as Latin-1."""
        elem = self.get(tag)
        if elem is None or not (value := elem.value):
            return ""
        return value.decode("latin-1").partition("\\")[0].strip("\0 ")

    def put(self, tag: int, vr: str, value: bytes) -> None:
        """Set or add an element; further ones of the same tag go."""
        self.place(Elem.new(tag, vr, value, self.form))

    def put_items(self, tag: int, items: "list[Tree]") -> None:
        """Set or add a sequence; further ones of the same tag go."""
        self.place(Elem.sequence(tag, items, self.form))

    def place(self, new: Elem) -> None:
        """Put ``new`` where the first element of its tag was, else before the next higher tag."""
        tag, elements = new.tag, self.elements
        if tag in self:
            at = next(at for at, elem in enumerate(elements) if elem.tag == tag)
            self.remove((tag,))
        elif not elements or elements[-1].tag < tag:
            at = len(elements)
        else:
            at = next(at for at, elem in enumerate(elements) if elem.tag > tag)
        self.elements.insert(at, new)
        self._gone.add(tag >> 16)
        if self._index is not None:
            self._index[tag] = new

    def remove(self, gone: Collection[int]) -> None:
        """Remove every element of these tags."""
        kept = [elem for elem in self.elements if elem.tag not in gone]
        if len(kept) != len(self.elements):
            self._gone.update(elem.tag >> 16 for elem in self.elements if elem.tag in gone)
            self.elements = kept
            self._index = None

    def retain(self, kept: list[Elem]) -> None:
        """Keep only these of its elements, in this order."""
        there = set(map(id, kept))
        self._gone.update(elem.tag >> 16 for elem in self.elements if id(elem) not in there)
        self.elements = kept
        self._index = None

    def sort(self) -> None:
        """Bring the elements into the order of their tags, in which repeated ones keep theirs."""
        order = [elem.tag for elem in self.elements]
        if any(map(int.__gt__, order, order[1:])):
            self.elements.sort(key=_tag)
            self._gone.update(tag >> 16 for tag in order)

    def came_as(self, data: bytes, start: int, end: int) -> None:
        """Note the bytes of an item, from its header to behind its delimiter."""
        self._data, self._start, self._end = data, start, end

    def item_bytes(self) -> bytes | None:
        """Return this item with header and delimiter; None if it is as it came."""
        content = self.content()
        if content is None:
            if self._data:
                return None
            content = b"".join(elem.raw for elem in self.elements)
        if self._data[self._start + 4 : self._start + 8] == OPEN:
            end = _mark(ITEM_END, 0, self.form)
            return _mark(ITEM_TAG, UNDEFINED, self.form) + content + end
        return _mark(ITEM_TAG, len(content), self.form) + content

    @property
    def raw(self) -> bytes:
        """The bytes the item came with, header and delimiter included."""
        return self._data[self._start : self._end]

    def content(self) -> bytes | None:
        """Return the elements; None if they are as they came."""
        made = [
            None if e._value is None and type(e._items) is not list else e.changed()
            for e in self.elements
        ]
        touched = {
            e.tag >> 16 for e, new in zip(self.elements, made, strict=True) if new is not None
        }
        touched |= self._gone
        if not touched:
            return None
        drop = {group << 16 for group in touched} | {LENGTH_TO_END}
        pieces: list[bytes] = []
        data, begin, end = b"", 0, 0
        for elem, new in zip(self.elements, made, strict=True):
            if elem.form != self.form:
                raise ValueError(f"{tags.format_tag(elem.tag)} was written in another form")
            if elem.tag in drop and elem._value is None:
                continue
            if new is None and elem._begin == end and elem._data is data:
                end = elem._end
                continue
            pieces.append(data[begin:end])
            if new is not None:
                pieces.append(new)
                begin = end
            else:
                data, begin, end = elem._data, elem._begin, elem._end
        pieces.append(data[begin:end])
        return b"".join(pieces)


_NOT_READ: Final = (Tree(0),)  # of a sequence that came from nowhere


def encode(tree: Tree) -> bytes:
    """Return the bytes of the new head, in the form the tree was read in."""
    made = tree.content()
    if made is not None:
        return made
    elements = tree.elements
    return elements[0]._data[: elements[-1]._end] if elements else b""


def _tag(elem: Elem) -> int:
    return elem.tag


def _is_untouched(item: Tree, read: Tree, made: bytes | None) -> bool:
    return item is read and made is None


def _mark(tag: int, length: int, form: int) -> bytes:
    return ITEM_HEADERS[form].pack(tag >> 16, tag & 0xFFFF, length)
