"""Where an edit applies: paths through a tree, private blocks by creator, patterns of groups.

Contract: `find` gives the places that a path leads to and that are there; `reach` makes missing
sequences, a first item and a private block on the way, so that an element can be set.  Patterns
(`(0019,*)`, `(60xx,3000)`, `(0029,SIEMENS CSA HEADER,*)`, ``private``) name elements at any depth.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from waystation.dicom import tags
from waystation.dicom.paths import Step, parse_path
from waystation.dicom.tree import Tree
from waystation.transforms.held import misfit

PRIVATE = "private"
FIRST_BLOCK, LAST_BLOCK = 0x10, 0xFF
_MASK = re.compile(r"\(([0-9A-Fa-fxX]{4}),(\*|[0-9A-Fa-fxX]{4})\)")
_BLOCK = re.compile(r"\(([0-9A-Fa-f]{4}),([^()]{1,64}),\*\)")


class Place(NamedTuple):
    """One element of one data set or item.  top: the tag at the outermost level on the way.

    creator: of a private element.
    """

    tree: Tree
    tag: int
    creator: str
    top: int

    @property
    def vr(self) -> str:
        """The VR that an element here has, or would have; LO for an unknown private one."""
        there = self.tree.get(self.tag)
        known = tags.vr_of(self.tag, self.creator or None)
        if known == "UN" and tags.is_private(self.tag):
            known = "LO"
        return there.vr if there is not None and there.vr != "UN" else known


def find(tree: Tree, path: str) -> list[Place]:
    """Return the places that are there."""
    steps = parse_path(path)
    found = [(tree, -1)]
    for step in steps[:-1]:
        below: list[tuple[Tree, int]] = []
        for inside, top in found:
            tag = _tag(inside, step)
            elem = inside.get(tag) if tag >= 0 else None
            for number, item in enumerate(elem.items or () if elem is not None else ()):
                if step.number is None or step.number == number:
                    below.append((item, tag if top < 0 else top))
        found = below
    last = steps[-1]
    places = []
    for inside, top in found:
        tag = _tag(inside, last)
        if tag >= 0 and inside.get(tag) is not None:
            places.append(Place(inside, tag, last.creator, tag if top < 0 else top))
    return places


def reach(tree: Tree, path: str) -> list[Place]:
    """Return the places to set, made where they are missing.

    Raises `HeldError` where a number names an item that is not there.
    """
    steps = parse_path(path)
    found = [(tree, -1)]
    for step in steps[:-1]:
        below: list[tuple[Tree, int]] = []
        for inside, top in found:
            tag = _made_tag(inside, step)
            items = _made_items(inside, tag, step)
            if step.number is not None:
                if step.number >= len(items):
                    raise misfit(f"{path}: there is no item {step.number}")
                items = [items[step.number]]
            below += [(item, tag if top < 0 else top) for item in items]
        found = below
    last = steps[-1]
    places = []
    for inside, top in found:
        tag = _made_tag(inside, last)
        places.append(Place(inside, tag, last.creator, tag if top < 0 else top))
    return places


def _made_items(inside: Tree, tag: int, step: Step) -> list[Tree]:
    elem = inside.get(tag)
    if elem is not None and elem.vr != "SQ":
        raise misfit(f"{tags.format_tag(tag)} is no sequence in this object")
    if elem is None or not elem.items:
        if step.number not in (None, 0):
            return []
        inside.put_items(tag, [Tree(inside.form, inside.charset)])
        elem = inside.get(tag)
    assert elem is not None
    return elem.items or []


def _tag(tree: Tree, step: Step) -> int:
    """Return the tag that a step means here, -1 if its private block is not here."""
    if not step.creator:
        return step.tag
    block = _block(tree, step.tag >> 16, step.creator)
    return -1 if block is None else (step.tag & 0xFFFF00FF) | block << 8


def _block(tree: Tree, group: int, creator: str) -> int | None:
    for block in range(FIRST_BLOCK, LAST_BLOCK + 1):
        if tree.text(group << 16 | block) == creator:
            return block
    return None


def _made_tag(tree: Tree, step: Step) -> int:
    tag = _tag(tree, step)
    if tag >= 0:
        return tag
    group = step.tag >> 16
    for block in range(FIRST_BLOCK, LAST_BLOCK + 1):
        if group << 16 | block not in tree and not _is_used(tree, group, block):
            tree.put(group << 16 | block, "LO", step.creator.encode("ascii", "strict"))
            return (step.tag & 0xFFFF00FF) | block << 8
    raise misfit(f"group {group:04X} has no room for another private block")


def _is_used(tree: Tree, group: int, block: int) -> bool:
    first = group << 16 | block << 8
    return any(first <= elem.tag <= first | 0xFF for elem in tree.elements)


Matches = Callable[[Tree, int], bool]


def is_pattern(text: str) -> bool:
    """Tell whether a text names elements by pattern, not one path."""
    return (
        text == PRIVATE
        or bool(_MASK.fullmatch(text) and re.search("[*xX]", text))
        or bool(_BLOCK.fullmatch(text))
    )


def pattern(text: str) -> Matches:
    """Return the test of a pattern.  Raises ValueError if it is none."""
    if text == PRIVATE:
        return lambda _tree, tag: bool(tag >> 16 & 1)
    if block := _BLOCK.fullmatch(text):
        return _of_block(int(block[1], 16), block[2].strip())
    mask = _MASK.fullmatch(text)
    if mask is None:
        raise ValueError(f"{text!r} is no pattern like (0019,*) or (60xx,3000)")
    group, number = mask[1].upper(), mask[2].upper()
    wanted = group + ("XXXX" if number == "*" else number)

    def matches(_tree: Tree, tag: int) -> bool:
        return all(w in ("X", t) for w, t in zip(wanted, f"{tag:08X}", strict=True))

    return matches


def _of_block(group: int, creator: str) -> Matches:
    if not group & 1:
        raise ValueError("a private block lies in an odd group")

    def matches(tree: Tree, tag: int) -> bool:
        if tag >> 16 != group:
            return False
        number = tag & 0xFFFF
        block = number if number <= LAST_BLOCK else number >> 8
        return number >= FIRST_BLOCK and tree.text(group << 16 | block) == creator

    return matches


def matching(tree: Tree, matches: Matches) -> Iterator[tuple[Tree, list[int], int]]:
    """Yield each data set or item with the tags in it that match, and the outermost tag.

    The outermost tag is -1 for the data set itself.  Inside what matches nothing is looked for.
    """
    waiting = [(tree, -1)]
    while waiting:
        inside, top = waiting.pop()
        found = [elem.tag for elem in inside.elements if matches(inside, elem.tag)]
        gone = set(found)
        for elem in inside.elements:
            if elem.tag not in gone:
                outer = elem.tag if top < 0 else top
                waiting += [(item, outer) for item in elem.items or ()]
        if found:
            yield inside, found, top
