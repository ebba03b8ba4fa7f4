"""Paths: how a person names a value inside a data set.

    path = step { "." step }          step = name [ "[" number "]" ]
    name = keyword | "(gggg,eeee)" | "(gggg,CREATOR,ee)"

Every step but the last goes through a sequence: any item, or the one whose number (from 0) is
given; a number after the last step picks one value.  A private element is named by its creator,
since the block it lies in differs from object to object (PS3.5 section 7.8).
"""

import re
from functools import lru_cache
from typing import NamedTuple

from waystation.dicom.tags import tag_for

_STEP = re.compile(
    r"(?:\((?P<group>[0-9A-Fa-f]{4}),(?P<creator>[^()]{1,64}),(?P<offset>[0-9A-Fa-f]{2})\)"
    r"|(?P<word>\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)|[A-Za-z0-9]+))(?:\[(?P<number>[0-9]{1,9})\])?"
)


class Step(NamedTuple):
    """One element on the way; ``creator`` is empty for one that is not private.

    For a private element the tag is that of the first block: ``gggg00ee``.
    """

    tag: int
    creator: str
    number: int | None


@lru_cache(maxsize=4096)
def parse_path(path: str) -> tuple[Step, ...]:
    """Return the steps of ``path``; ValueError says what is wrong with it."""
    steps: list[Step] = []
    at = 0
    while True:
        found = _STEP.match(path, at)
        if found is None:
            raise ValueError(f"{path!r} is no path: a keyword or (gggg,eeee) belongs at {at}")
        number = int(found["number"]) if found["number"] else None
        if found["word"]:
            steps.append(Step(tag_for(found["word"]), "", number))
        else:
            tag = int(found["group"], 16) << 16 | int(found["offset"], 16)
            if not tag >> 16 & 1:
                raise ValueError(f"{path!r}: a private element lies in an odd group")
            steps.append(Step(tag, found["creator"].strip(), number))
        at = found.end()
        if at == len(path):
            return tuple(steps)
        if path[at] != ".":
            raise ValueError(f"{path!r} is no path: a dot belongs at {at}")
        at += 1
