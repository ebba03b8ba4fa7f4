"""Person names: component groups, case, components, the multi-byte character sets (R-26)."""

import pytest

from tests.rules.asking import Row, ask, faults_of

DOE = {"PatientName": "Doe^John^^^"}
TWO = {"OtherPatientNames": "Doe^John\\Roe^Jane"}
JIS = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046"
HANGUL = "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9"
JAPANESE = {
    "SpecificCharacterSet": "\\ISO 2022 IR 87",
    # PS3.5 annex H, example 1.
    "PatientName": b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B="
    b"\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
}
KOREAN = {
    "SpecificCharacterSet": "\\ISO 2022 IR 149",
    # PS3.5 annex I, example 1.
    "PatientName": b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7="
    b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
}

ROWS: list[Row] = [
    ({"PatientName": "DOE^JOHN"}, {}, False, "PatientName absent"),
    ({"PatientName": "DOE^JOHN"}, {"PatientName": ""}, False, "PatientName empty"),
    ({"PatientName": "DOE^JOHN"}, DOE, True, 'PatientName "Doe^John^^^" is "DOE^JOHN"'),
    ({"PatientName": "doe^john^^"}, DOE, True, 'PatientName "Doe^John^^^" is "doe^john^^"'),
    (
        {"PatientName": "DOE^JOHN"},
        {"PatientName": "Doe^Johnny"},
        False,
        'PatientName "Doe^Johnny" is not "DOE^JOHN"',
    ),
    ({"PatientName": "DOE"}, DOE, False, 'PatientName "Doe^John^^^" is not "DOE"'),
    ({"PatientName": "DOE*"}, DOE, True, 'PatientName "Doe^John^^^" is "DOE*"'),
    ({"PatientName": "*^J?HN"}, DOE, True, 'PatientName "Doe^John^^^" is "*^J?HN"'),
    (
        {"PatientName": "DOE^JOHN"},
        {"PatientName": "Doe ^ John "},
        True,
        'PatientName "Doe ^ John" is "DOE^JOHN"',
    ),
    ({"PatientName": "*"}, {"PatientName": "^^^"}, False, 'PatientName "^^^" is not a person name'),
    (
        {"OtherPatientNames": "ROE^JANE"},
        TWO,
        True,
        'OtherPatientNames "Doe^John", "Roe^Jane" is "ROE^JANE"',
    ),
    (
        {"OtherPatientNames": "POE^*"},
        TWO,
        False,
        'OtherPatientNames "Doe^John", "Roe^Jane" is not "POE^*"',
    ),
    ({"PatientName": ["ROE*", "DOE*"]}, DOE, True, 'PatientName "Doe^John^^^" in [ROE*, DOE*]'),
    ({"PatientName": {"is": "doe^john"}}, DOE, True, 'PatientName "Doe^John^^^" is "doe^john"'),
    ({"PatientName": {"is": "DOE*"}}, DOE, False, 'PatientName "Doe^John^^^" is not "DOE*"'),
    ({"PatientName": {"contains": "OE^J"}}, DOE, True, 'PatientName "Doe^John^^^" contains "OE^J"'),
    ({"PatientName": {"contains": "x"}}, DOE, False, 'PatientName "Doe^John^^^" without "x"'),
    ({"PatientName": {"regex": "DOE.J.*"}}, DOE, True, 'PatientName "Doe^John^^^" ~ /DOE.J.*/'),
    ({"PatientName": {"regex": "J.*"}}, DOE, False, 'PatientName "Doe^John^^^" is not ~ /J.*/'),
    ({"PatientName": {"family": "DOE"}}, {}, False, "PatientName absent"),
    ({"PatientName": {"family": "DOE"}}, {"PatientName": ""}, False, "PatientName empty"),
    ({"PatientName": {"family": "DOE"}}, DOE, True, 'PatientName "Doe^John^^^" has family "DOE"'),
    (
        {"PatientName": {"given": "DOE"}},
        DOE,
        False,
        'PatientName "Doe^John^^^" has not given "DOE"',
    ),
    ({"PatientName": {"given": "J*"}}, DOE, True, 'PatientName "Doe^John^^^" has given "J*"'),
    (
        {"PatientName": {"family": "DOE", "given": "J*"}},
        DOE,
        True,
        'PatientName "Doe^John^^^" has family "DOE" and has given "J*"',
    ),
    (
        {"OtherPatientNames": {"family": "DOE", "given": "JANE"}},
        TWO,
        False,
        'OtherPatientNames "Doe^John", "Roe^Jane" not (family "DOE" and given "JANE")',
    ),
    (
        {"PatientName": {"middle": "Q"}},
        {"PatientName": "A^B^Q^Dr^III"},
        True,
        'PatientName "A^B^Q^Dr^III" has middle "Q"',
    ),
    (
        {"PatientName": {"prefix": "dr"}},
        {"PatientName": "A^B^Q^Dr^III"},
        True,
        'PatientName "A^B^Q^Dr^III" has prefix "dr"',
    ),
    (
        {"PatientName": {"suffix": "I??"}},
        {"PatientName": "A^B^Q^Dr^III"},
        True,
        'PatientName "A^B^Q^Dr^III" has suffix "I??"',
    ),
    (
        {"PatientName": {"suffix": "*"}},
        DOE,
        False,
        'PatientName "Doe^John^^^" has not suffix "*"',
    ),
    ({"PatientName": "YAMADA^TAROU"}, JAPANESE, True, f'PatientName "{JIS}" is "YAMADA^TAROU"'),
    (
        {"PatientName": "\u5c71\u7530^*"},
        JAPANESE,
        True,
        f'PatientName "{JIS}" is "\u5c71\u7530^*"',
    ),
    (
        {"PatientName": {"given": "\u305f\u308d\u3046"}},
        JAPANESE,
        True,
        f'PatientName "{JIS}" has given "\u305f\u308d\u3046"',
    ),
    (
        {"PatientName": "\u7530\u5c71^*"},
        JAPANESE,
        False,
        f'PatientName "{JIS}" is not "\u7530\u5c71^*"',
    ),
    (
        {"PatientName": {"family": "\ud64d"}},
        KOREAN,
        True,
        f'PatientName "{HANGUL}" has family "\ud64d"',
    ),
    (
        {"PatientName": "\u6d2a^\u5409\u6d1e"},
        KOREAN,
        True,
        f'PatientName "{HANGUL}" is "\u6d2a^\u5409\u6d1e"',
    ),
]


@pytest.mark.req("R-26")
@pytest.mark.parametrize(("when", "head", "holds", "clause"), ROWS)
def test_names_hold_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


@pytest.mark.req("R-26")
def test_a_pattern_names_one_component_group() -> None:
    assert faults_of({"PatientName": "A^B=C^D"}) == [
        "when.PatientName: write one component group of a name, without ="
    ]
