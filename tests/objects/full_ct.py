"""A CT image as a scanner really writes it: 258 elements, private blocks, 512 by 512 pixels.

Contract: the head is that of a public test file of pydicom (its pixels are 128 by 128), with UIDs
and an instance number of its own for each number; the pixels are noise that never changes.
"""

import struct
from functools import cache

from tests.objects.files import Stored
from tests.objects.public import EXPLICIT, public
from tests.objects.study import noise, uid_of
from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.tree import Tree, encode, parse

SIDE = 512
PIXELS = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, SIDE * SIDE * 2)
PADDING = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 126) + bytes(126)
PATIENT_ID = "1CT1"


@cache
def _source() -> Stored:
    found = public()["CT_small.dcm"]
    assert found.transfer_syntax == EXPLICIT
    return found


def _tree() -> Tree:
    found = _source()
    return parse(Head.from_bytes(found.data_set, found.transfer_syntax))


@cache
def _pixels() -> bytes:
    return PIXELS + noise(SIDE * SIDE * 2, "full ct") + PADDING


def full_ct(number: int, *, seed: object = 0) -> Stored:
    """Return the image with this number of one series; ``seed``: another study."""
    tree, sop_uid = _tree(), uid_of(seed, "instance", number)
    for tag in (0x00280010, 0x00280011):
        tree.put(tag, "US", struct.pack("<H", SIDE))
    tree.put(tags.SOP_INSTANCE_UID, "UI", sop_uid.encode())
    tree.put(tags.STUDY_INSTANCE_UID, "UI", uid_of(seed, "study").encode())
    tree.put(tags.SERIES_INSTANCE_UID, "UI", uid_of(seed, "series").encode())
    tree.put(0x00200013, "IS", str(number).encode())
    found = _source()
    return Stored(
        sop_class=found.sop_class,
        sop_instance=sop_uid,
        transfer_syntax=EXPLICIT,
        data_set=encode(tree) + _pixels(),
    )
