"""Edits of single files that no rule needs: a new item, and a value that lies in a file (T-77).

Contract: as in `waystation.transforms.edit`; both refuse what no edit may touch.
"""

from dataclasses import dataclass

from waystation.dicom.tree import Tree
from waystation.transforms.edit import Work
from waystation.transforms.edit_limits import path_refusal, refusal
from waystation.transforms.edit_paths import reach
from waystation.transforms.edit_values import name_of
from waystation.transforms.held import misfit

TEXTS = frozenset({"LT", "ST", "UC", "UR", "UT", "LO", "SH", "PN", "CS", "AE", "AS", "IS", "DS"})
BYTES = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertItem:
    """Add an empty item at the end of a sequence, which is made if it is missing."""

    path: str

    def __post_init__(self) -> None:
        if why := path_refusal(self.path):
            raise ValueError(why)

    def apply(self, work: Work) -> None:
        """Carry it out."""
        for place in reach(work.tree, self.path):
            if place.vr != "SQ":
                raise misfit(f"{name_of(place.tag)} is no sequence")
            elem = place.tree.get(place.tag)
            items = elem.items if elem is not None else None
            if items is None:
                place.tree.put_items(place.tag, [])
                elem = place.tree.get(place.tag)
                items = elem.items if elem is not None else None
            assert elem is not None
            assert items is not None
            items.append(Tree(elem.inner_form, place.tree.charset))
            work.note(self.path, place.top, (), (f"<{len(items)} items>",))


@dataclass(frozen=True, slots=True, kw_only=True)
class PutContent:
    """Give an element the content of a file: text in UTF-8, or bytes as they are."""

    path: str
    content: bytes

    def __post_init__(self) -> None:
        if why := path_refusal(self.path):
            raise ValueError(why)

    def apply(self, work: Work) -> None:
        """Carry it out."""
        for place in reach(work.tree, self.path):
            if why := refusal(place.tag):
                raise misfit(why)
            if place.vr in BYTES:
                self._put(work, place.tree, place.tag, (place.vr, place.top))
            elif place.vr in TEXTS:
                try:
                    text = self.content.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise misfit(f"{name_of(place.tag)}: the file is not UTF-8 text") from error
                work.write(place, self.path, [text.rstrip("\r\n")])
            else:
                raise misfit(f"{name_of(place.tag)}: {place.vr} is not read from a file")

    def _put(self, work: Work, tree: Tree, tag: int, what: tuple[str, int]) -> None:
        vr, top = what
        elem = tree.get(tag)
        before = f"<{elem.length} bytes>" if elem is not None else ""
        tree.put(tag, vr, self.content + b"\0" * (len(self.content) % 2))
        work.note(self.path, top, (before,), (f"<{len(self.content)} bytes>",))
