"""Which elements are touched: the engine beside dicom-anonymizer, on real files (D-47).

What the values become is not compared: that program draws UIDs and writes one date for all.
"""

import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pydicom
import pytest

from tests.objects.files import Stored
from tests.objects.phi.generate import subjects
from tests.objects.public import as_dataset, distinct
from tests.transforms.deid.midi import treated
from tests.transforms.deid.treating import engine
from waystation.transforms.deid.choice import NEVER
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.result import Held

SUBJECTS = 6
WHO = engine(pseudonym={"source": "empty"}, missing_id="study", documents="dummy", verify="off")
# Dates, names and UIDs are treated wherever they stand (D-15).
ANYWHERE = {"DA", "DT", "TM", "PN", "UI"}


def objects() -> Iterator[tuple[str, Stored]]:
    # A number of frames that is no number goes: no difference about tables.
    yield from (one for one in distinct().items() if one[0] != "badVR.dcm")
    for some in subjects(SUBJECTS):
        yield from ((case.name, case.stored) for case in some)


def anonymized(one: Stored) -> dict[int, tuple[str, str]] | None:
    """Return what dicom-anonymizer makes of an object; None if it fails."""
    made = as_dataset(one)
    try:
        import_module("dicomanonymizer").anonymize_dataset(made)
        return dict(said(made))
    except Exception:  # noqa: BLE001 - it has its own troubles with broken objects
        return None


def said(data_set: Any) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield tag, VR and value of each element of the data set itself, pixels excepted."""
    for tag in list(data_set.keys()):
        if tag & 0xFFFF and tag < 0x7FE00000:
            elem = data_set[tag]
            yield int(tag), (elem.VR, "" if elem.is_empty else str(elem.value))


def touched(before: dict[int, tuple[str, str]], after: dict[int, tuple[str, str]]) -> set[int]:
    """Return the tags of elements with a value that went or changed."""
    return {
        tag for tag, (_, value) in before.items() if value and after.get(tag, ("", ""))[1] != value
    }


def is_ours_alone(tag: int, vr: str) -> bool:
    """Tell whether we treat more than the rows of the table, on purpose."""
    group = tag >> 16
    return (
        vr in ANYWHERE
        or vr == "SQ"  # for what stands inside
        or tag in NEVER
        or tag == 0x00080005  # the smallest character set that fits (D-22)
        or bool(group & 1)  # private (D-17)
        or group < 8
        or group & 0xFF00 in (0x5000, 0x6000)  # D-20
        or not pydicom.datadict.keyword_for_tag(tag)  # in no dictionary (D-16)
    )


def differences(one: Stored, who: Deidentifier = WHO) -> tuple[set[int], set[int]] | None:
    """Return what only they touched, and what only we did; None if there is nothing to compare."""
    made, other = treated(one, who), anonymized(one)
    if isinstance(made, Held) or other is None:
        return None
    before = dict(said(as_dataset(one)))
    ours = touched(before, dict(said(as_dataset(made))))
    theirs = touched(before, other)
    more = {tag for tag in ours - theirs if not is_ours_alone(tag, before[tag][0])}
    return theirs - ours, more


@pytest.mark.req("D-4", "D-47")
def test_the_same_elements_are_touched() -> None:
    compared = 0
    for name, one in objects():
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            # Some of the values are wrong on purpose.
            warnings.simplefilter("ignore")
            found = differences(one)
        if found is not None:
            compared += 1
            fewer, more = ({f"{tag:08X}" for tag in some} for some in found)
            assert (fewer, more) == (set(), set()), name
    assert compared > 40


def test_an_element_that_was_forgotten_would_be_seen() -> None:
    forgets = engine(
        rule=[{"tag": "StudyDescription", "do": "keep", "loosen": "test"}],
        pseudonym={"source": "empty"},
        verify="off",
    )
    assert differences(distinct()["CT_small.dcm"], forgets) == ({0x00081030}, set())
