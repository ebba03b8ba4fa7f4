"""Numbers, flags, addresses and the clock against every right-side form."""

import pytest

from tests.rules.asking import FACTS, Row, ask
from waystation.rules.facts import Facts

ROWS512 = {"Rows": 512}
SPACING = {"PixelSpacing": "0.50\\1.5"}

NUMBERS: list[Row] = [
    ({"Rows": 512}, {}, False, "Rows absent"),
    ({"Rows": 512}, {"Rows": b""}, False, "Rows empty"),
    ({"Rows": 512}, ROWS512, True, "Rows 512 is 512"),
    ({"Rows": 256}, ROWS512, False, "Rows 512 is not 256"),
    ({"Rows": "512"}, ROWS512, True, "Rows 512 is 512"),
    ({"Rows": 512.0}, ROWS512, True, "Rows 512 is 512.0"),
    ({"Rows": [256, 512]}, ROWS512, True, "Rows 512 in [256, 512]"),
    ({"Rows": [256, "1..5"]}, ROWS512, False, "Rows 512 not in [256, 1..5]"),
    ({"SliceThickness": 0.5}, {}, False, "SliceThickness absent"),
    ({"SliceThickness": 0.5}, {"SliceThickness": " "}, False, "SliceThickness empty"),
    ({"SliceThickness": 0.5}, {"SliceThickness": "0.50"}, True, "SliceThickness 0.50 is 0.5"),
    ({"SliceThickness": "0.50"}, {"SliceThickness": ".5"}, True, "SliceThickness .5 is 0.50"),
    ({"SliceThickness": 0.1}, {"SliceThickness": "1e-1"}, True, "SliceThickness 1e-1 is 0.1"),
    ({"SliceThickness": 5}, {"SliceThickness": "+5.00"}, True, "SliceThickness +5.00 is 5"),
    (
        {"SliceThickness": 0.3},
        {"SliceThickness": "0.30000000000000004"},
        False,
        "SliceThickness 0.30000000000000004 is not 0.3",
    ),
    (
        {"SliceThickness": 5},
        {"SliceThickness": "five"},
        False,
        "SliceThickness five is not a number",
    ),
    ({"SliceThickness": 5}, {"SliceThickness": "NaN"}, False, "SliceThickness NaN is not a number"),
    (
        {"SliceThickness": {"ge": 1}},
        {"SliceThickness": "1e9999999"},
        False,
        "SliceThickness 1e9999999 is not a number",
    ),
    (
        {"SliceThickness": 5},
        {"SliceThickness": "5 mm"},
        False,
        "SliceThickness 5 mm is not a number",
    ),
    ({"SliceThickness": 5}, {"SliceThickness": "1_0"}, False, "SliceThickness 1_0 is not a number"),
    ({"PixelSpacing": 1.5}, SPACING, True, "PixelSpacing 0.50, 1.5 is 1.5"),
    ({"PixelSpacing": 2}, SPACING, False, "PixelSpacing 0.50, 1.5 is not 2"),
    ({"PixelSpacing": 1.5}, {"PixelSpacing": "x\\1.5"}, True, "PixelSpacing x, 1.5 is 1.5"),
    (
        {"PixelSpacing": 2},
        {"PixelSpacing": "x\\1.5"},
        False,
        "PixelSpacing x, 1.5 is not a number",
    ),
    ({"InstanceNumber": "1..5"}, {}, False, "InstanceNumber absent"),
    ({"InstanceNumber": "1..5"}, {"InstanceNumber": ""}, False, "InstanceNumber empty"),
    ({"InstanceNumber": "1..5"}, {"InstanceNumber": "1"}, True, "InstanceNumber 1 in 1..5"),
    ({"InstanceNumber": "1..5"}, {"InstanceNumber": "5"}, True, "InstanceNumber 5 in 1..5"),
    ({"InstanceNumber": "1..5"}, {"InstanceNumber": "6"}, False, "InstanceNumber 6 not in 1..5"),
    ({"InstanceNumber": "1..5"}, {"InstanceNumber": "0"}, False, "InstanceNumber 0 not in 1..5"),
    (
        {"InstanceNumber": "-3 .. -1"},
        {"InstanceNumber": "-2"},
        True,
        "InstanceNumber -2 in -3 .. -1",
    ),
    ({"InstanceNumber": "..5"}, {"InstanceNumber": "-9"}, True, "InstanceNumber -9 in ..5"),
    ({"InstanceNumber": "5.."}, {"InstanceNumber": "4"}, False, "InstanceNumber 4 not in 5.."),
    (
        {"InstanceNumber": "1..5"},
        {"InstanceNumber": "x"},
        False,
        "InstanceNumber x is not a number",
    ),
    ({"PixelSpacing": "0.1..0.6"}, SPACING, True, "PixelSpacing 0.50, 1.5 in 0.1..0.6"),
    ({"PixelSpacing": "0.6..1.4"}, SPACING, False, "PixelSpacing 0.50, 1.5 not in 0.6..1.4"),
    ({"Rows": {"ge": 512}}, {}, False, "Rows absent"),
    ({"Rows": {"ge": 512}}, {"Rows": b""}, False, "Rows empty"),
    ({"Rows": {"ge": 512}}, ROWS512, True, "Rows 512 >= 512"),
    ({"Rows": {"ge": 513}}, ROWS512, False, "Rows 512 not >= 513"),
    ({"Rows": {"gt": 511}}, ROWS512, True, "Rows 512 > 511"),
    ({"Rows": {"gt": 512}}, ROWS512, False, "Rows 512 not > 512"),
    ({"Rows": {"le": 512}}, ROWS512, True, "Rows 512 <= 512"),
    ({"Rows": {"le": 511}}, ROWS512, False, "Rows 512 not <= 511"),
    ({"Rows": {"lt": 513}}, ROWS512, True, "Rows 512 < 513"),
    ({"Rows": {"lt": 512}}, ROWS512, False, "Rows 512 not < 512"),
    ({"Rows": {"ge": 1, "lt": 600}}, ROWS512, True, "Rows 512 >= 1 and < 600"),
    ({"PixelSpacing": {"gt": 1}}, SPACING, True, "PixelSpacing 0.50, 1.5 > 1"),
    (
        {"PixelSpacing": {"gt": 0.6, "lt": 1.4}},
        SPACING,
        False,
        "PixelSpacing 0.50, 1.5 not (> 0.6 and < 1.4)",
    ),
    ({"PixelSpacing": {"gt": 1}}, {"PixelSpacing": "x"}, False, "PixelSpacing x is not a number"),
    (
        {"ReconstructionFieldOfView": 0.1},
        {"ReconstructionFieldOfView": [0.1]},
        True,
        "ReconstructionFieldOfView 0.1 is 0.1",
    ),
    (
        {"RecommendedDisplayFrameRateInFloat": 0.1},
        {"RecommendedDisplayFrameRateInFloat": [0.1]},
        True,
        "RecommendedDisplayFrameRateInFloat 0.10000000149011612 is 0.1",
    ),
    (
        {"SmallestImagePixelValue": 7},
        {"SmallestImagePixelValue": 7},
        True,
        "SmallestImagePixelValue 7 is 7",
    ),
]
PRIVATE = {"(0019,0010,LO)": "ACME 1", "(0019,1008,DS)": "4.5"}
SIEMENS = {"(0019,0010,LO)": "SIEMENS MR HEADER", "(0019,100C,IS)": "1000"}
PRIVATES: list[Row] = [
    ({"(0019,ACME 1,08)": 4.5}, {}, False, "(0019,ACME 1,08) absent"),
    ({"(0019,ACME 1,08)": 4.5}, PRIVATE, True, '(0019,ACME 1,08) "4.5" is 4.5'),
    ({"(0019,ACME 1,08)": "4.*"}, PRIVATE, True, '(0019,ACME 1,08) "4.5" ~ 4.*'),
    ({"(0019,ACME 1,08)": "1..5"}, PRIVATE, True, '(0019,ACME 1,08) "4.5" in 1..5'),
    ({"(0019,ACME 1,08)": {"gt": 5}}, PRIVATE, False, '(0019,ACME 1,08) "4.5" not > 5'),
    ({"(0019,ACME 1,09)": {"present": True}}, PRIVATE, False, "(0019,ACME 1,09) absent"),
    ({"(0019,OTHER,08)": 4.5}, PRIVATE, False, "(0019,OTHER,08) absent"),
    (
        {"(0019,SIEMENS MR HEADER,0C)": {"ge": 800}},
        SIEMENS,
        True,
        "(0019,SIEMENS MR HEADER,0C) 1000 >= 800",
    ),
]
OF_ARRIVAL: list[Row] = [
    ({"calling_ae": "CT1*"}, {}, True, 'calling_ae "CT1A" ~ CT1*'),
    ({"calling_ae": "ct1*"}, {}, False, 'calling_ae "CT1A" is not ~ ct1*'),
    ({"called_ae": "WAYSTATION"}, {}, True, 'called_ae "WAYSTATION" is "WAYSTATION"'),
    ({"peer": ["ct1", "ct2"]}, {}, True, 'peer "ct1" in [ct1, ct2]'),
    ({"way_in": "stow"}, {}, False, 'way_in "dimse" is not "stow"'),
    ({"tls": False}, {}, True, "tls false is false"),
    ({"tls": True}, {}, False, "tls false is not true"),
    ({"tls": {"not": True}}, {}, True, "tls false is not true"),
    ({"address": "10.1.2.*"}, {}, True, 'address "10.1.2.14" ~ 10.1.2.*'),
    ({"address": "10.1.2.0/24"}, {}, True, 'address "10.1.2.14" in 10.1.2.0/24'),
    ({"address": "10.1.3.0/24"}, {}, False, 'address "10.1.2.14" not in 10.1.3.0/24'),
    ({"address": "fe80::/10"}, {}, False, 'address "10.1.2.14" not in fe80::/10'),
    ({"size_bytes": {"ge": 524288}}, {}, True, "size_bytes 524288 >= 524288"),
    ({"hour": 10}, {}, True, "hour 10 is 10"),
    ({"hour": "8..9"}, {}, False, "hour 10 not in 8..9"),
    ({"weekday": "Wed"}, {}, True, "weekday Wed is Wed"),
    ({"weekday": "Mon-Fri"}, {}, True, "weekday Wed in Mon-Fri"),
    ({"weekday": "Fri-Tue"}, {}, False, "weekday Wed not in Fri-Tue"),
    ({"weekday": ["sat", "SUN"]}, {}, False, "weekday Wed not in [sat, SUN]"),
    ({"received_at": "20260401"}, {}, True, 'received_at "20260401101530+0000" is 20260401'),
    (
        {"received_at": {"lt": "20260401"}},
        {},
        False,
        'received_at "20260401101530+0000" not < 20260401',
    ),
    ({"priority": "stat"}, {}, False, 'priority "normal" is not "stat"'),
]


@pytest.mark.req("R-28")
@pytest.mark.parametrize(("when", "head", "holds", "clause"), NUMBERS + PRIVATES)
def test_numbers_hold_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


@pytest.mark.parametrize(("when", "head", "holds", "clause"), OF_ARRIVAL)
def test_facts_hold_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


def test_an_empty_fact_is_empty() -> None:
    facts = Facts(received_at=FACTS.received_at)
    assert ask({"calling_ae": "*"}, {}, facts) == (False, "calling_ae empty")
    assert ask({"calling_ae": {"not": "X"}}, {}, facts) == (True, "calling_ae empty")
