"""Private elements stay only by creator, group and offset (D-17)."""

from typing import Any

import pytest

from tests.transforms.deid.treating import Row, done, engine, head_of, said, treated, tree_of
from waystation.transforms.deid.private import STANDARD, read_safe
from waystation.transforms.deid.result import DeidFacts

SITE = "creator,group,element,note\nACME 1.0,0029,xx10,dose\nACME 1.0,0029,1020,\n"
PRIVATE: dict[str, Any] = {
    "private": {"safe": ["standard", "site.csv"]},
    "files": {"site.csv": SITE},
}
BLOCK: list[Row] = [
    (0x00290010, "LO", "OTHER"),
    (0x00290011, "LO", "ACME 1.0"),
    (0x00291010, "LO", "not ours"),
    (0x00291110, "LO", "dose 5"),
    (0x00291111, "LO", "Secret"),
    (0x00291120, "DA", "20200310"),
]


@pytest.mark.req("D-17")
def test_private_elements_go_with_their_creators() -> None:
    tree = treated(engine(), head_of(*BLOCK, (0x00082112, "SQ", [BLOCK])))
    assert not [elem.tag for elem in tree.elements if elem.tag >> 16 & 1]
    assert said(tree, 0x00082112, 0x00290011) is None


@pytest.mark.req("D-17")
def test_what_is_on_the_list_stays_wherever_its_block_lies() -> None:
    who = engine("retain_safe_private", **PRIVATE)
    result = done(who, head_of(*BLOCK))
    tree = tree_of(result, head_of(*BLOCK))
    assert [elem.tag for elem in tree.elements if elem.tag >> 16 & 1] == [0x00290011, 0x00291110]
    assert said(tree, 0x00291110) == "dose 5"
    assert result.report.private_kept == 1


@pytest.mark.req("D-17", "D-15")
def test_what_stays_is_treated_like_everything_else() -> None:
    safe = "creator,group,element\n" + "".join(f"ACME,0029,{n:02x}\n" for n in range(0x10, 0x20))
    rows: list[Row] = [
        (0x00290010, "LO", "ACME"),
        (0x00291010, "PN", "Doe^Jane"),
        (0x00291011, "DA", "20200310"),
        (0x00291012, "UI", "1.2.3.4.5.1"),
        (0x00291013, "AS", "095Y"),
        (0x00291014, "SQ", [[(0x00100010, "PN", "Doe^Jane"), (0x00291010, "LO", "no creator")]]),
        (0x00291015, "OB", bytes(5000)),
        (0x00291016, "OB", bytes(8)),
        (0x00291017, "LO", "see 1.2.3.4.5.1"),
    ]
    private: dict[str, Any] = {"private": {"safe": ["s"]}, "files": {"s": safe}}
    who = engine("retain_safe_private", "retain_modified_dates", **private)
    tree = treated(who, head_of(*rows))
    uid = said(tree, 0x00080018)
    assert said(tree, 0x00291010) is None
    assert said(tree, 0x00291011) not in (None, "20200310")
    assert said(tree, 0x00291012) == uid
    assert said(tree, 0x00291013) == "090Y"
    assert said(tree, 0x00291014, 0x00100010) == ""
    assert said(tree, 0x00291014, 0x00291010) is None
    assert said(tree, 0x00291015) is None
    assert said(tree, 0x00291016) is not None
    assert said(tree, 0x00291017) == f"see {uid}"
    plain = treated(engine("retain_safe_private", **private), head_of(*rows))
    assert said(plain, 0x00291011) is None


def declared(status: str, offsets: bytes = b"") -> Row:
    item: list[Row] = [
        (0x00080301, "US", b"\x29\0"),
        (0x00080302, "LO", "ACME 1.0"),
        (0x00080303, "CS", status),
        (0x00080304, "US", offsets),
    ]
    other: list[Row] = [(0x00080301, "US", b"\x29\0"), (0x00080302, "LO", "OTHER")]
    return (0x00080300, "SQ", [item, other])


@pytest.mark.req("D-17")
@pytest.mark.parametrize(
    ("status", "offsets", "trusted", "left"),
    [
        ("UNSAFE", b"", False, []),
        ("SAFE", b"", False, [0x00291110]),
        ("SAFE", b"", True, [0x00291110, 0x00291111]),
        ("MIXED", b"\x11\0", False, []),
        ("MIXED", b"\x11\0", True, [0x00291111]),
        ("MIXED", b"\x10\0\x11\0", False, [0x00291110]),
    ],
)
def test_an_object_may_narrow_the_list_and_widen_it_only_if_trusted(
    status: str, offsets: bytes, trusted: bool, left: list[int]
) -> None:
    who = engine("retain_safe_private", **PRIVATE)
    head = head_of(declared(status, offsets), *BLOCK[:5])
    tree = treated(who, head, DeidFacts(trusted=trusted))
    found = [elem.tag for elem in tree.elements if elem.tag >> 16 == 0x29 and elem.tag & 0xFF00]
    assert found == left
    said_of = tree.get(0x00080300)
    if not left:
        assert said_of is None
    else:
        items = said_of.items if said_of is not None else None
        assert items is not None
        assert [(one.text(0x00080302), one.text(0x00080303)) for one in items] == [
            ("ACME 1.0", "SAFE")
        ]
        assert 0x00080304 not in items[0]
    assert 0x00080300 not in treated(engine(), head)


@pytest.mark.req("D-17")
def test_the_list_of_the_standard_is_empty_until_it_was_reviewed() -> None:
    assert frozenset() == STANDARD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("creator,group\n", "line 1"),
        ("creator,group,element\n,0029,10\n", "line 2: expected a creator"),
        ("creator,group,element\nA,0029,zz\n", "line 2: expected a creator"),
        ("creator,group,element\nA,0028,10\n", "line 2: a private group is odd"),
        ('creator,group,element\n"A,0028,10\n', "no CSV"),
    ],
)
def test_a_list_that_names_no_private_element_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_safe(text)
