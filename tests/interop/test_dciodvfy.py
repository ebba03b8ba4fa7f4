"""dciodvfy finds nothing in de-identified objects that it does not find in the originals (D-47)."""

from functools import cache

import pytest

from tests.objects.files import Stored
from tests.objects.phi.generate import subjects
from tests.objects.phi.kinds import device_rules
from tests.objects.public import distinct
from tests.peers.dciodvfy import error_kinds
from tests.transforms.deid.midi import deidentifier, treated
from tests.transforms.deid.treating import engine
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.result import Held

pytestmark = pytest.mark.peer
SUBJECTS = 6
RETAINING = (
    *("retain_full_dates", "retain_patient_characteristics", "retain_device_identity"),
    *("retain_uids", "retain_institution_identity", "clean_descriptors"),
    *("clean_structured_content", "clean_graphics", "clean_pixel_data"),
)
# Not coded as its transfer syntax says: dciodvfy reads nothing of it, before or afterwards.
UNREAD = "Tag read failed"
# What the Standard's own tables want of each other, or what dciodvfy wants of two modules at once.
NOT_OURS = {
    # Table E.1-1 removes it (X), the presentation state wants it (type 1).
    "PresentationCreationDate(0070,0082)> - Missing attribute",
    # Type 2C, zero or more items, of an ophthalmic image, and type 3, one or more, of any image.
    "SourceImageSequence(0008,2112)> - Bad",
}


@cache
def profile(name: str) -> Deidentifier:
    """Return a de-identifier: the table alone; a research profile; all that can be retained."""
    if name == "research":
        return deidentifier()
    if name == "basic":
        return engine(missing_id="study", documents="dummy")
    pixels = {"rules": ["devices.toml"]}
    files = {"devices.toml": device_rules()}
    return engine(*RETAINING, missing_id="study", documents="dummy", pixels=pixels, files=files)


@cache
def planted() -> dict[str, Stored]:
    """Return the objects of some subjects of the test set: every kind of object."""
    return {case.name: case.stored for some in subjects(SUBJECTS) for case in some}


@cache
def found_before(name: str) -> frozenset[str]:
    return frozenset(error_kinds((planted() | distinct())[name]))


def added(objects: dict[str, Stored], who: Deidentifier) -> tuple[int, list[str]]:
    """Return how many objects were not held, and the new kinds of errors in them."""
    looked_at, found = 0, []
    for name, one in objects.items():
        made = treated(one, who)
        if isinstance(made, Held) or any(UNREAD in kind for kind in found_before(name)):
            continue
        looked_at += 1
        new = error_kinds(made) - found_before(name)
        found += [f"{name}: {kind}" for kind in new if not any(k in kind for k in NOT_OURS)]
    return looked_at, found


@pytest.mark.req("D-9", "D-47")
@pytest.mark.parametrize("name", ["basic", "research", "retaining"])
def test_no_error_is_added_to_the_test_set(name: str) -> None:
    looked_at, found = added(planted(), profile(name))
    assert looked_at > len(planted()) // 2
    assert found == []


@pytest.mark.req("D-9", "D-47")
@pytest.mark.parametrize("name", ["basic", "retaining"])
def test_no_error_is_added_to_objects_of_real_makers(name: str) -> None:
    looked_at, found = added(distinct(), profile(name))
    assert looked_at > len(distinct()) // 4
    assert found == []


def test_an_error_of_ours_would_be_seen() -> None:
    whole = distinct()["CT_small.dcm"]
    assert not error_kinds(whole)
    without = engine(rule=[{"tag": "Rows", "do": "remove"}])
    _, found = added({"CT_small.dcm": whole}, without)
    assert any("Rows(0028,0010)> - Missing attribute for Type 1" in kind for kind in found)
