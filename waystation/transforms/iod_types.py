"""Types of attributes: which an IOD requires, and where (PS3.3, edition 2020).

Contract: `type_of` answers for a SOP class and a path: the tags of the sequences from the data
set down, then the tag of the attribute.  Of several modules that name an attribute the strictest
counts, whether the object uses the module or not: its types say what the attribute must be where
it is present.  A place that the tables do not know has the strictest type that the attribute has
anywhere in the IOD, and 3 if it has none: an IOD may be extended by any standard attribute
(PS3.2 section 3.11.2).  The tables are generated; they are read when first asked for.
"""

from functools import cache, lru_cache
from typing import Final

from waystation.transforms import (
    iod_types_classes,
    iod_types_nodes_1,
    iod_types_nodes_2,
    iod_types_nodes_3,
)

_ROOT: Final = "1.2.840.10008."
_TYPES: Final = {"1": "1", "a": "1C", "2": "2", "b": "2C", "3": "3"}
# The items of the shared and of the per-frame functional groups hold the macros of the IOD.
_FUNCTIONAL_GROUPS: Final = (0x52009229, 0x52009230)
# Curves and overlays: one row of the tables stands for every group.
_REPEATING: Final = (0x50, 0x60)

_Node = dict[int, tuple[str, int | None]]
_Modules = tuple[int, ...]


def type_of(sop_class_uid: str, path: tuple[int, ...]) -> str | None:
    """Return 1, 1C, 2, 2C or 3; None for a SOP class that the tables do not know.

    Retired, private and newer classes than the edition are not known.
    """
    iod = _iod_of().get(sop_class_uid)
    return None if iod is None else _type_in(iod, path)


def known(sop_class_uid: str) -> bool:
    """Tell whether the tables know the IOD of a SOP class."""
    return sop_class_uid in _iod_of()


@lru_cache(maxsize=65536)
def _type_in(iod: str, path: tuple[int, ...]) -> str:
    modules, groups = _iods()[iod]
    nodes: _Modules = modules
    last = 0
    for tag in map(_unrepeated, path[:-1]):
        below = _below(nodes, tag)
        if len(path) > 1 and nodes is modules and tag in _FUNCTIONAL_GROUPS:
            below += groups
        # A sequence within itself, such as that of a content tree, has the same items again.
        nodes = below or (nodes if tag == last else ())
        last = tag
    tag = _unrepeated(path[-1])
    found = [_node(node)[tag][0] for node in nodes if tag in _node(node)]
    return _strictest(found) or _anywhere(iod).get(tag, "3")


def _below(nodes: _Modules, tag: int) -> _Modules:
    entries = (_node(node).get(tag, ("", None)) for node in nodes)
    return tuple(below for _, below in entries if below is not None)


def _strictest(types: list[str]) -> str:
    """Return the strictest of the types; they happen to sort that way."""
    return min((each for each in types if each), default="")


def _unrepeated(tag: int) -> int:
    return tag & 0xFF00FFFF if tag >> 24 in _REPEATING else tag


@cache
def _iod_of() -> dict[str, str]:
    entries = (entry.split() for entry in iod_types_classes.CLASSES.split(";") if entry.strip())
    return {_ROOT + suffix: iod for suffix, iod in entries}


@cache
def _iods() -> dict[str, tuple[_Modules, _Modules]]:
    """Return the nodes of the modules and of the functional group macros of each IOD."""
    found = {}
    for entry in iod_types_classes.IODS.split(";")[:-1]:
        own, _, groups = entry.partition("|")
        name, *modules = own.split()
        found[name] = (tuple(map(int, modules)), tuple(map(int, groups.split())))
    return found


@cache
def _texts() -> list[str]:
    parts = (iod_types_nodes_1, iod_types_nodes_2, iod_types_nodes_3)
    return [text for part in parts for text in part.NODES.split(";")[:-1]]


@cache
def _node(number: int) -> _Node:
    """Return tag -> (type, the node of its items) of one node; type '' where there is none."""
    found: _Node = {}
    group = 0
    for word in _texts()[number].split():
        if len(word) == 4:
            group = int(word, 16) << 16
        else:
            below = int(word[5:]) if len(word) > 5 else None
            found[group | int(word[:4], 16)] = (_TYPES.get(word[4], ""), below)
    return found


@cache
def _anywhere(iod: str) -> dict[int, str]:
    """Return the strictest type that each attribute has at any depth of an IOD."""
    modules, groups = _iods()[iod]
    todo, seen = [*modules, *groups], set[int]()
    found: dict[int, str] = {}
    while todo:
        number = todo.pop()
        if number in seen:
            continue
        seen.add(number)
        for tag, (kind, below) in _node(number).items():
            found[tag] = _strictest([kind, found.get(tag, "")])
            if below is not None:
                todo.append(below)
    return {tag: kind for tag, kind in found.items() if kind}
