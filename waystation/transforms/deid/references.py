"""The list of referenced instances follows the references (PS3.3 section C.12.2).

Contract: `settle` takes away Referenced Series Sequence and Studies Containing Other Referenced
Instances where they only list what the object refers to elsewhere, and the walk has removed the
last such reference: without one they must not be there.  Where the sequence is itself the
reference, as in presentation states, it stays.
"""

from typing import Final

from waystation.dicom import tags
from waystation.dicom.tree import Tree
from waystation.transforms.iod_types import type_of

SERIES: Final = 0x00081115
LISTS: Final = (SERIES, 0x00081200)
REFERENCED: Final = 0x00081155


def lists_references(tree: Tree) -> bool:
    """Tell, before the walk, whether an object lists references that it has elsewhere."""
    if not any(tag in tree for tag in LISTS):
        return False
    return type_of(tree.text(tags.SOP_CLASS_UID), (SERIES,)) == "1C" and refers(tree)


def settle(tree: Tree) -> bool:
    """After the walk: remove the lists if nothing that they list is left; tell whether so."""
    if refers(tree):
        return False
    tree.remove(LISTS)
    return True


def refers(tree: Tree) -> bool:
    """Tell whether there is a referenced instance outside of the lists."""
    for elem in tree.elements:
        if elem.tag == REFERENCED and elem.value:
            return True
        if elem.tag not in LISTS and any(map(refers, elem.items or ())):
            return True
    return False
