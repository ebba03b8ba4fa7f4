"""Every row of table E.1-1 and every cell of its option columns, through the engine.

For each row an object holds its attribute with a value that gives somebody away; the engine runs,
and what is found at the tag must be what the action says.  What an action gives is written here
once more (D-8, D-12), so that a mistake in the engine's own table shows.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache

import pytest

from tests.transforms.deid.rows import (
    CODE,
    CREATOR,
    CT,
    ENHANCED_CT,
    MEANING,
    NAME,
    PRIVATE_CLASS,
    REFERENCED,
    ROWS,
    SECRETS,
    SOP_INSTANCE_UID,
    SOP_UID,
    STUDY_DATE,
    Planted,
    planted,
)
from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag
from waystation.dicom.tree import Elem, Tree, parse
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.result import Deidentified
from waystation.transforms.deid.text import TextRules
from waystation.transforms.deid_actions import UITEMS, resolve
from waystation.transforms.deid_options import COLUMNS
from waystation.transforms.deid_table import ACTIONS, row_of

PROFILE = Profile(name="cells")
KEYS = derive(bytes(range(32)), "key")
# Neither is in the table: what lies in their items is reached by the walk alone.
NESTED = (0x52009229, 0x00289145)
DUMMIES = {
    "DA": b"19000101",
    "TM": b"000000",
    "DT": b"19000101000000",
    **dict.fromkeys(("PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE"), b"REMOVED"),
    "AS": b"000Y",
    "CS": b"COERCE",  # the only row: Reason for the Attribute Modification
    "IS": b"0",
    "DS": b"0",
    **dict.fromkeys(("OB", "OW", "UN"), b"\0\0"),
}
# All its words count as telling who the patient is, so that none is left of it.
PATIENT_COMMENTS = 0x00104000
PSEUDONYMS = {0x00100010, 0x00100020}
Check = Callable[[Planted, Elem | None, Tree], None]


def treated(plant: Planted, by: Deidentifier) -> tuple[Tree, bytes]:
    """Return the object without identity, as a tree and as bytes."""
    made = by.treat(Head.from_bytes(plant.data, EXPLICIT_VR_LE))
    assert isinstance(made, Deidentified), made
    return parse(Head.from_bytes(made.head, EXPLICIT_VR_LE)), made.head


@cache
def engine(*options: str, text: str = "remove") -> Deidentifier:
    """Return a de-identifier with options; it is shared, as nodes share theirs."""
    profile = Profile(name="cells", options=options, text=TextRules(mode=text), documents="dummy")
    return Deidentifier(profile, KEYS, version="1")


def bare(elem: Elem | None) -> bytes:
    assert elem is not None
    return (elem.value or b"").rstrip(b"\0 " if elem.vr not in ("OB", "OW", "UN") else b"")


def found(plant: Planted, tree: Tree) -> Elem | None:
    """Return what is left of the attribute, wherever it lay."""
    for tag in plant.path:
        (tree,) = items(tree.get(tag))
    return tree.get(plant.tag)


def items(elem: Elem | None) -> list[Tree]:
    assert elem is not None
    return list(elem.items or ())


def removed(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    assert elem is None
    assert CREATOR not in tree


def emptied(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    assert elem is not None
    if plant.tag in PSEUDONYMS and not plant.path:
        assert bare(elem)
    else:
        assert not elem.value
        assert not elem.items


def replaced(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    if plant.vr == "SQ":
        assert items(elem)
    elif plant.vr == "UI":
        mapped(plant, elem, tree)
    elif plant.tag not in PSEUDONYMS:
        assert bare(elem) == DUMMIES[plant.vr]


def mapped(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    """The original was the SOP Instance UID too: both must have become the same."""
    assert bare(elem).startswith(b"2.25.")
    assert bare(elem) == bare(tree.get(SOP_INSTANCE_UID))


def items_with_mapped_uids(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    (item,) = items(elem)
    assert bare(item.get(REFERENCED)) == bare(tree.get(SOP_INSTANCE_UID)) != SOP_UID
    assert bare(item.get(ROWS)) == b"\7"


def kept(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    """A sequence stays, but a person in its items does not."""
    if plant.vr == "SQ":
        (item,) = items(elem)
        assert bare(item.get(ROWS)) == b"\7"
        assert b"zyxwvut" not in bare(item.get(NAME)).lower()
    else:
        assert bare(elem) == plant.value


def kept_uid(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    kept(plant, elem, tree)
    if plant.vr == "SQ":
        assert bare(items(elem)[0].get(REFERENCED)) == SOP_UID
    assert bare(tree.get(SOP_INSTANCE_UID)) == SOP_UID


def shifted(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    """All dates move by the same days as the Study Date; times stay; what is neither goes."""
    was = datetime(2020, 2, 29)
    days = datetime.strptime(tree.text(STUDY_DATE), "%Y%m%d") - was
    assert timedelta(days=-3650) <= days <= timedelta(days=-1)
    if plant.vr in ("DA", "DT"):
        moved = (was + days).strftime("%Y%m%d").encode()
        assert bare(elem) == moved + plant.value[8:]
    elif plant.vr == "TM":
        assert bare(elem) == plant.value
    else:
        gone(plant, elem, tree)


def gone(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    """Whatever the IOD asks for is there, but not the value."""
    if elem is not None:
        assert not any(secret in (elem.value or b"").lower() for secret in SECRETS)
        for item in elem.items or ():
            assert b"zyxwvut" not in (item.raw + (item.item_bytes() or b"")).lower()


def alias(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    assert 1 <= len(bare(elem)) <= 16
    gone(plant, elem, tree)


def words_left(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    if plant.tag == PATIENT_COMMENTS:
        gone(plant, elem, tree)
    elif plant.vr in ("LO", "SH", "ST", "LT", "UT", "UC"):
        assert bare(elem) == b"chest"
    else:
        gone(plant, elem, tree)


def structure_left(plant: Planted, elem: Elem | None, tree: Tree) -> None:
    for item in elem.items or () if elem else ():
        assert NAME not in item or b"zyxwvut" not in bare(item.get(NAME)).lower()
        assert bare(item.get(REFERENCED)) == bare(tree.get(SOP_INSTANCE_UID)) != SOP_UID


@cache
def under_the_basic_profile(row: int) -> Elem | None:
    plant = planted(row)
    return treated(plant, engine())[0].get(plant.tag)


CHECKS: dict[str, Check] = {
    "X": removed,
    "Z": emptied,
    "D": replaced,
    "U": mapped,
    UITEMS: items_with_mapped_uids,
}
CELLS: dict[tuple[str, str], Check] = {
    ("clean_graphics", "C"): gone,
    ("clean_structured_content", "C"): structure_left,
    ("clean_descriptors", "C"): words_left,
    ("retain_full_dates", "K"): kept,
    ("retain_modified_dates", "C"): shifted,
    ("retain_patient_characteristics", "K"): kept,
    ("retain_patient_characteristics", "C"): words_left,
    ("retain_device_identity", "K"): kept,
    ("retain_device_identity", "C"): alias,
    ("retain_uids", "K"): kept_uid,
    ("retain_safe_private", "C"): removed,
    ("retain_institution_identity", "K"): kept,
}


def leaks(data: bytes) -> list[bytes]:
    return [secret for secret in SECRETS if secret in data.lower()]


def faults(check: Check, plant: Planted, tree: Tree) -> Iterator[str]:
    """Yield what a check finds wrong, so that one run tells of all rows."""
    try:
        check(plant, found(plant, tree), tree)
    except AssertionError as error:
        yield f"{format_tag(plant.tag)} {plant.vr}: {error}"


@pytest.mark.req("D-8", "D-12")
@pytest.mark.parametrize("code", sorted(set(ACTIONS.values())))
@pytest.mark.parametrize(
    ("sop_class", "path"),
    [(CT, ()), (CT, NESTED), (ENHANCED_CT, ()), (ENHANCED_CT, NESTED), (PRIVATE_CLASS, ())],
    ids=["CT", "CT-nested", "enhanced", "enhanced-nested", "private"],
)
def test_every_row_gets_its_action_under_the_basic_profile(
    code: str, sop_class: str, path: tuple[int, ...]
) -> None:
    wrong: list[str] = []
    for row in (row for row, each in ACTIONS.items() if each == code):
        plant = planted(row, sop_class, path)
        action = resolve(code, sop_class, (*path, plant.tag))
        tree, data = treated(plant, engine())
        if action == UITEMS or not leaks(data):
            wrong += faults(CHECKS[action], plant, tree)
        else:
            wrong.append(f"{format_tag(row)} {plant.vr}: {leaks(data)} leaves by {action}")
    assert not wrong


@pytest.mark.req("D-12")
@pytest.mark.parametrize("option", COLUMNS)
def test_every_cell_of_an_option_does_what_its_column_means(option: str) -> None:
    with_option = engine(option, text="allow-list")
    wrong: list[str] = []
    for row, cell in COLUMNS[option].items():
        plant = planted(row)
        wrong += faults(CELLS[option, cell], plant, treated(plant, with_option)[0])
    assert not wrong


@pytest.mark.req("D-12")
@pytest.mark.parametrize("option", COLUMNS)
def test_an_option_does_nothing_to_the_rows_without_its_cell(option: str) -> None:
    with_option = engine(option)
    for row in ACTIONS.keys() - COLUMNS[option].keys():
        plant = planted(row)
        after, _ = treated(plant, with_option)
        left, right = under_the_basic_profile(row), after.get(plant.tag)
        assert (left is None) is (right is None), format_tag(row)
        if left is not None and right is not None and plant.vr != "SQ":
            assert left.value == right.value, format_tag(row)


@pytest.mark.req("D-7")
def test_a_row_is_treated_where_its_vr_is_written_as_unknown() -> None:
    wrong: list[str] = []
    for row, code in ACTIONS.items():
        plant = planted(row, written="UN")
        tree, data = treated(plant, engine())
        wrong += [f"{format_tag(row)}: {leaks(data)}"] if leaks(data) else []
        if code == "X":
            wrong += faults(removed, plant, tree)
    assert not wrong


@pytest.mark.req("D-7")
@pytest.mark.parametrize(
    ("code", "left"), [("X", None), ("Z", b""), ("Z/D", b""), ("D", b"\0\0"), ("U", b"2.25.")]
)
def test_a_row_that_no_dictionary_knows_is_treated_all_the_same(
    code: str, left: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = 0x00EE1234
    monkeypatch.setitem(ACTIONS, tag, code)
    row_of.cache_clear()
    try:
        tree, data = treated(planted(tag), Deidentifier(PROFILE, KEYS, version="1"))
    finally:
        row_of.cache_clear()
    elem = tree.get(tag)
    assert (elem.value or b"")[:5] == left if elem else left is None
    assert not leaks(data)


def test_the_secrets_are_in_every_object_that_goes_in() -> None:
    for row in ACTIONS:
        plant = planted(row)
        assert all(secret in plant.data.lower() for secret in (b"zyxwvut", b"20200229", b"4711"))
        assert plant.vr == "SQ" or plant.value in plant.data
        assert plant.vr != "SQ" or {CODE, MEANING} <= {
            each.tag
            for item in items(parse(Head.from_bytes(plant.data, EXPLICIT_VR_LE)).get(plant.tag))
            for each in item.elements
        }
