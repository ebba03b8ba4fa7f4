"""A structured report as a page: every value in words, every word escaped (W-67)."""

from typing import Any

import pytest

from waystation.dicomweb.report_html import DEEPEST, page

Row = dict[str, Any]


def code(meaning: str) -> Row:
    return {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": [meaning]}}]}


def item(kind: str, name: str = "Finding", **values: Any) -> Row:
    """Return a content item.  values: element (with T before it) → its values."""
    made: Row = {"0040A040": {"vr": "CS", "Value": [kind]}, "0040A043": code(name)}
    for tag, value in values.items():
        made[tag[1:]] = value if isinstance(value, dict) else {"vr": "LO", "Value": value}
    return made


def report(*items: Row, **more: Any) -> Row:
    return {**item("CONTAINER", "Report"), "0040A730": {"vr": "SQ", "Value": list(items)}, **more}


CENTIMETRES = {"00080100": {"vr": "SH", "Value": ["cm"]}}
REFERENCE = {"00081155": {"vr": "UI", "Value": ["1.2.3"]}, "00081160": {"vr": "IS", "Value": [2]}}


@pytest.mark.req("W-67")
@pytest.mark.parametrize(
    ("one", "words"),
    [
        (item("TEXT", T0040A160=["a\r\nb"]), "<b>Finding</b>: a<br>b"),
        (item("CODE", T0040A168=code("Mass")), "<b>Finding</b>: Mass"),
        (item("PNAME", T0040A123=[{"Alphabetic": "Doe^Jane"}]), "Doe Jane"),
        (item("DATE", T0040A121=["20260102"]), "20260102"),
        (item("UIDREF", T0040A124=["1.2.3"]), "1.2.3"),
        (
            item(
                "NUM",
                T0040A300={
                    "vr": "SQ",
                    "Value": [
                        {
                            "0040A30A": {"vr": "DS", "Value": [3.5]},
                            "004008EA": {"vr": "SQ", "Value": [CENTIMETRES]},
                        }
                    ],
                },
            ),
            "3.5 cm",
        ),
        (item("NUM", T0040A301=code("Not measured")), "Not measured"),
        (item("NUM"), "no value"),
        (item("IMAGE", T00081199={"vr": "SQ", "Value": [REFERENCE]}), "instance 1.2.3 frame 2"),
        (item("SCOORD", T00700023=["POINT"], T00700022=[1.0, 2.0]), "POINT of 2 numbers"),
        (item("TABLE"), "(TABLE)"),
        ({"0040DB73": {"vr": "UL", "Value": [1, 2]}}, "see item 1.2"),
        ({}, "<li></li>"),
    ],
)
def test_each_kind_of_value_is_said_in_words(one: Row, words: str) -> None:
    assert words in page(report(one))


@pytest.mark.req("W-67")
def test_nothing_of_an_object_becomes_markup() -> None:
    evil = "<script>alert(1)</script>\"'"
    made = page(
        report(
            item("TEXT", evil, T0040A160=[evil], T0040A010=[evil]),
            item("CODE", evil, T0040A168=code(evil)),
            item(evil),
            **{"00100010": {"vr": "PN", "Value": [{"Alphabetic": evil}]}, "0040A043": code(evil)},
        )
    )
    assert "<script" not in made
    assert made.count("&lt;script&gt;") >= 8


@pytest.mark.req("W-67")
def test_what_is_too_deep_is_named() -> None:
    row = item("TEXT", T0040A160=["the bottom"])
    for _ in range(DEEPEST):
        row = report(row)
    assert "the bottom" not in page(row)
    assert "nested more deeply" in page(row)
