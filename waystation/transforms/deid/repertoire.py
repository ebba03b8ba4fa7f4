"""The character set of a treated object: the smallest that says what is left (D-22).

Contract: `settle` writes the texts that need more than ASCII, all in one character set, and
declares it at the top.  Without such texts nothing is declared: ASCII is the default (PS3.3
C.12.1.1.2).
"""

from typing import Final

from waystation.dicom.charsets import UTF_8, encode, fits
from waystation.dicom.tags import SPECIFIC_CHARACTER_SET
from waystation.dicom.tree import Elem, Tree

SINGLE: Final = tuple(
    f"ISO_IR {number}" for number in (100, 101, 109, 110, 144, 127, 126, 138, 148, 166)
)


def settle(tree: Tree, declared: str, texts: list[tuple[Elem, str]]) -> None:
    """Write ``texts``; declared: what the object declared before."""
    if not texts:
        return
    own = (declared,) if declared and "\\" not in declared else ()
    chosen = next(
        (
            term
            for term in (*own, *SINGLE)
            if all(fits(text, term, elem.vr) for elem, text in texts)
        ),
        UTF_8,
    )
    for elem, text in texts:
        elem.replace(encode(text, chosen, elem.vr))
    tree.put(SPECIFIC_CHARACTER_SET, "CS", chosen.encode("ascii"))
