"""Types by SOP class and path, and the single action that a code with a choice becomes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.transforms.generators import committed, generator
from waystation.transforms.deid_actions import UITEMS, resolve
from waystation.transforms.deid_table import ACTIONS
from waystation.transforms.iod_types import known, type_of

STORAGE = "1.2.840.10008.5.1.4.1.1."
CT, MR, ENHANCED_CT, US = STORAGE + "2", STORAGE + "4", STORAGE + "2.1", STORAGE + "6.1"
SR, SEG, STRUCTURES = STORAGE + "88.33", STORAGE + "66.4", STORAGE + "481.3"
GRAYSCALE_STATE, CAPTURE, PDF = STORAGE + "11.1", STORAGE + "7", STORAGE + "104.1"
PRIVATE_CLASS = "1.2.276.0.7230010.3.1.0.1"
CLASSES = (CT, MR, ENHANCED_CT, US, SR, SEG, STRUCTURES, GRAYSCALE_STATE, CAPTURE, PRIVATE_CLASS)
# One column for each of CLASSES; I stands for UITEMS.
ACTIONS_BY_CLASS = """
00080012 X X X X X X X X X D   00080013 X X X X X X X X X D   00080021 X X X X X X X X X D
00080022 X X X X X X X X X Z   00080023 Z Z D Z D D Z Z Z D   0008002A X X D D X X X X X D
00080031 X X X X X X X X X D   00080032 X X X X X X X X X Z   00080033 Z Z D Z D D Z Z Z D
00080080 X X X X X X X X X D   00080082 D D D D D D D D D D   00081010 X X X X X X X X X D
00081070 X X X X X X Z X X D   00081072 X X X X X X X X X D   00081110 X X X X X X X X X Z
00081111 X X D X Z D X X X D   00081140 X X Z X X X X I X I   00082112 X X Z X X X X X X I
00100020 Z Z Z Z Z Z Z Z Z D   00102203 Z Z Z Z Z Z Z Z Z Z   00180010 Z Z Z Z Z Z Z Z Z D
00181000 X X D X X D X X X D   00181030 X X X X X X X X X D   00181400 X X X X X X X X X D
0018700A X X X X X X X X X D   0018700C X X X X X X X X X D   0018700E X X X X X X X X X D
00189516 X X X X X X X X X D   00189517 X X X X X X X X X D   00189919 Z Z Z Z Z Z Z Z Z D
00321060 X X X X Z X X X X Z   00400555 X X Z X X X X X X Z   0040A032 X X X X D X X X X D
0040B020 X X X X X X X X X D   00700084 Z Z Z Z Z Z Z Z Z D   22000002 X X X X X X X X X Z
22000005 X X X X X X X X X Z   30080054 X X X X X X X X X D   30080056 X X X X X X X X X D
30080105 X X X X X X X X X Z   30080250 X X X X X X X X X D   30080251 X X X X X X X X X D
300A0006 X X X X X X X X X D   300A0007 X X X X X X X X X D   300A00B2 X X X X X X X X X Z
300E0008 X X X X X X Z X X Z   3010004C X X X X X X X X X D   3010004D X X X X X X X X X D
30100056 X X X X X X X X X D   30100077 X X X X X X X X X D
"""


def expected() -> dict[int, list[str]]:
    words = ACTIONS_BY_CLASS.split()
    width = 1 + len(CLASSES)
    rows = [words[start : start + width] for start in range(0, len(words), width)]
    return {int(row[0], 16): [UITEMS if word == "I" else word for word in row[1:]] for row in rows}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Every attribute of every module, with its path, as the Standard's tables have it."""
    found: list[dict[str, Any]] = generator("standard_sources").standard(
        "module_to_attributes.json"
    )
    return found


@pytest.mark.req("D-8", "D-9")
@pytest.mark.parametrize("sop_class", CLASSES)
def test_every_code_with_a_choice_becomes_one_action_in_this_iod(sop_class: str) -> None:
    column = CLASSES.index(sop_class)
    wanted = {row: actions[column] for row, actions in expected().items()}
    choices = {row: code for row, code in ACTIONS.items() if "/" in code}
    assert {row: resolve(code, sop_class, (row,)) for row, code in choices.items()} == wanted


@pytest.mark.parametrize(
    ("sop_class", "path", "kind"),
    [
        (CT, (0x00100010,), "2"),
        (CT, (0x0020000D,), "1"),
        (CT, (0x00080080,), "3"),
        (CT, (0x00280010,), "1"),
        (ENHANCED_CT, (0x00181000,), "1"),
        (CT, (0x00400275, 0x00321060), "3"),
        (CT, (0x00400275, 0x00401001), "1C"),
        (CT, (0x00081032, 0x00080104), "1"),
        (SR, (0x0040A073, 0x0040A075), "1"),
        (SR, (0x0040A073, 0x0040A088), "2"),
        (SR, (0x0040A730, 0x0040A040), "1"),
        (ENHANCED_CT, (0x52009230, 0x00209111, 0x00189074), "1C"),
        (ENHANCED_CT, (0x52009229, 0x00289110, 0x00280030), "1C"),
        (CT, (0x60003000,), "1"),
        (CT, (0x60063000,), "1"),
        (STRUCTURES, (0x30060020, 0x30060026), "2"),
        (PDF, (0x00420011,), "1"),
    ],
)
def test_the_type_is_that_of_the_module_or_macro_at_the_path(
    sop_class: str, path: tuple[int, ...], kind: str
) -> None:
    assert type_of(sop_class, path) == kind


@pytest.mark.req("D-9")
def test_a_content_tree_has_the_same_types_at_every_depth() -> None:
    for depth in (1, 2, 7):
        assert type_of(SR, (0x0040A730,) * depth + (0x0040A123,)) == "1C"
        assert type_of(SR, (*(0x0040A730,) * depth, 0x0040A043, 0x00080104)) == "1"


@pytest.mark.req("D-9")
def test_an_unknown_path_has_the_strictest_type_of_the_attribute_in_the_iod() -> None:
    unknown = 0x00EE1234
    assert type_of(CT, (unknown, 0x00080104)) == "1"
    assert type_of(CT, (unknown, 0x00081155)) == "1"
    assert type_of(CT, (unknown, 0x00100010)) == "2"
    assert type_of(ENHANCED_CT, (unknown, 0x00181000)) == "1"


def test_an_attribute_that_the_iod_does_not_have_extends_it() -> None:
    assert type_of(CT, (0x30080250,)) == "3"
    assert type_of(CT, (0x00091001,)) == "3"


@pytest.mark.req("D-9")
@pytest.mark.parametrize("sop_class", [PRIVATE_CLASS, "", "1.2", STORAGE + "6", "not a UID"])
def test_an_unknown_class_gets_the_rightmost_action(sop_class: str) -> None:
    assert not known(sop_class)
    assert type_of(sop_class, (0x00100010,)) is None
    codes = {"Z/D": "D", "X/D": "D", "X/Z/D": "D", "X/Z": "Z", "X/Z/U*": UITEMS}
    assert {code: resolve(code, sop_class, (0x00080082,)) for code in codes} == codes


@pytest.mark.req("D-8")
@pytest.mark.parametrize(
    ("path", "actions"),
    [
        ((0x0020000D,), {"Z/D": "D", "X/D": "D", "X/Z/D": "D", "X/Z/U*": UITEMS}),
        ((0x00401101, 0x00080082), {"Z/D": "D", "X/D": "D", "X/Z/D": "D"}),
        ((0x00100010,), {"Z/D": "Z", "X/Z": "Z", "X/D": "D", "X/Z/D": "Z", "X/Z/U*": "Z"}),
        ((0x00102203,), {"Z/D": "Z", "X/Z": "Z", "X/Z/D": "Z", "X/Z/U*": "Z"}),
        ((0x00081030,), {"Z/D": "Z", "X/Z": "X", "X/D": "X", "X/Z/D": "X", "X/Z/U*": "X"}),
    ],
    ids=["1", "1C", "2", "2C", "3"],
)
def test_the_leftmost_action_that_keeps_the_object_valid_is_taken(
    path: tuple[int, ...], actions: dict[str, str]
) -> None:
    assert {code: resolve(code, CT, path) for code in actions} == actions


@pytest.mark.parametrize("code", ["X", "Z", "D", "U", "K", "C"])
def test_a_code_without_a_choice_stays(code: str) -> None:
    assert resolve(code, CT, (0x0020000D,)) == code
    assert resolve(code, PRIVATE_CLASS, (0x0020000D,)) == code


@pytest.mark.req("D-9")
@pytest.mark.parametrize("sop_class", [each for each in CLASSES if each != PRIVATE_CLASS])
def test_every_path_of_the_standard_has_the_strictest_type_its_modules_give(
    sop_class: str, rows: list[dict[str, Any]]
) -> None:
    wanted: dict[tuple[int, ...], str] = {}
    for path, kind in typed_paths(sop_class, rows):
        wanted[path] = min(kind, wanted.get(path, kind))
    assert len(wanted) > 300
    wrong = {path: kind for path, kind in wanted.items() if type_of(sop_class, path) != kind}
    assert not wrong


def typed_paths(
    sop_class: str, rows: list[dict[str, Any]]
) -> Iterator[tuple[tuple[int, ...], str]]:
    tool = generator("standard_sources")
    name = next(each["ciod"] for each in tool.standard("sops.json") if each["id"] == sop_class)
    iod = next(each["id"] for each in tool.standard("ciods.json") if each["name"] == name)
    modules = {
        each["moduleId"] for each in tool.standard("ciod_to_modules.json") if each["ciodId"] == iod
    }
    for row in rows:
        if row["moduleId"] in modules and row["type"] != "None":
            tags = row["path"].replace("x", "0").split(":")[1:]
            yield tuple(int(tag, 16) for tag in tags), row["type"]


@pytest.mark.req("D-9")
def test_the_committed_files_are_what_the_generator_writes() -> None:
    files = generator("iod_types").files()
    assert sum(map(len, files.values())) < 400_000
    for name, text in files.items():
        assert committed(name) == text, name
