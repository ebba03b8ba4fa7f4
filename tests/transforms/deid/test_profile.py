"""Profiles: what contradicts itself is refused, what decides is hashed (D-11, D-38)."""

from typing import Any

import pytest

from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.profile_read import ProfileError, read_profile

FILES = {
    "words": "Leber Niere",
    "safe": "creator,group,element\nACME,0029,10\n",
    "rules": '[[device]]\nname = "x"\nmodality = "US"\nrectangles = [[0, 0, 9, 9]]\n',
    "broken": "not = [toml",
}
FULL: dict[str, Any] = {
    "edition": "2026c",
    "project": {"id": "lung-2027"},
    "options": [
        *("retain_modified_dates", "retain_patient_characteristics", "clean_descriptors"),
        *("retain_safe_private", "clean_pixel_data"),
    ],
    "pseudonym": {"source": "hmac", "prefix": "LUNG-"},
    "dates": {"range": "1d..3650d", "keep_weekday": True},
    "text": {"mode": "allow-list", "words": ["words"]},
    "private": {"safe": ["standard", "safe"]},
    "pixels": {"rules": ["rules"], "unknown": "hold"},
    "documents": "hold",
    "unlisted": "keep",
    "verify": "hold",
    "sample": 0.02,
    "public": False,
    "rule": [
        {"tag": "(0018,1030)", "do": "keep", "loosen": "reviewed 2027-01"},
        {"tag": "SeriesDescription", "do": "remove"},
    ],
}


def read(**changes: Any) -> Profile:
    return read_profile("research", FULL | changes, FILES)


@pytest.mark.req("D-38")
def test_the_example_of_the_specification_is_read() -> None:
    profile = read()
    assert profile.project == "lung-2027"
    assert profile.options[0] == "clean_pixel_data"
    assert profile.shift.keep_weekday
    assert "leber" in profile.text.words
    assert profile.safe_private == {("ACME", 0x29, 0x10)}
    assert profile.pixels.rules[0].name == "x"
    assert dict(profile.rules)[0x00181030].loosen == "reviewed 2027-01"
    assert profile.sample == 0.02


@pytest.mark.req("D-38")
@pytest.mark.parametrize(
    "change",
    [
        {"options": FULL["options"][:4], "pixels": {}},
        {"pseudonym": {"prefix": "L-"}},
        {"dates": {"range": "2d..3650d"}},
        {"text": {"mode": "allow-list"}},
        {"private": {}},
        {"pixels": {"rules": []}},
        {"documents": "dummy"},
        {"unlisted": "clean"},
        {"missing_id": "study"},
        {"identity": {"case": "fold"}},
        {"rule": []},
        {"public": True},
    ],
)
def test_everything_that_decides_is_in_the_hash(change: dict[str, Any]) -> None:
    assert read(**change).digest != read().digest
    assert read(**change).digest == read(**change).digest
    assert len(read().digest) == 64


@pytest.mark.req("D-38")
def test_the_order_of_options_and_rules_is_no_difference() -> None:
    turned = read(options=FULL["options"][::-1], rule=FULL["rule"][::-1])
    assert turned.digest == read().digest


@pytest.mark.req("D-11", "D-38")
@pytest.mark.parametrize(
    ("change", "path", "why"),
    [
        ({"edition": "2024e"}, ("edition",), "2026c"),
        ({"options": ["keep_all"]}, ("options", 0), "expected one of"),
        (
            {"options": ["retain_full_dates", "retain_modified_dates"]},
            ("options",),
            "contradict each other",
        ),
        ({"dates": {"range": "a year"}}, ("dates", "range"), "1d..3650d"),
        ({"dates": {"range": "9d..1d"}}, ("dates", "range"), "expected a range"),
        ({"options": [], "dates": {"keep_weekday": True}}, ("dates",), "no effect"),
        ({"pseudonym": {"prefix": "A\\B"}}, ("pseudonym", "prefix"), "plain ASCII"),
        ({"pseudonym": {"prefix": "A" * 41}}, ("pseudonym", "prefix"), "plain ASCII"),
        ({"pseudonym": {"also": ["name"]}}, ("pseudonym", "also", 0), "subject"),
        ({"text": {"words": ["words"]}}, ("text", "words"), "allow-list"),
        ({"private": {"safe": ["words"]}}, ("private", "safe", 0), "line 1"),
        ({"pixels": {"rules": ["broken"]}}, ("pixels", "rules", 0), "line 1"),
        ({"pixels": {"risk": ["XX"]}}, ("pixels", "risk"), "expected some of"),
        ({"rule": [{"do": "keep"}]}, ("rule", 0), "either tag or sop_class"),
        ({"rule": [{"tag": "PatientNam", "do": "keep"}]}, ("rule", 0, "tag"), "PatientName"),
        ({"rule": [{"tag": "(0009,1001)", "do": "remove"}]}, ("rule", 0, "tag"), "private.safe"),
        ({"rule": [{"tag": "(0400,0561)", "do": "keep"}]}, ("rule", 0, "tag"), "never leaves"),
        ({"rule": [{"tag": "PatientID", "do": "hide"}]}, ("rule", 0, "do"), "expected one of"),
        ({"rule": [{"tag": "PatientSex", "do": "keep"}]}, None, ""),
        ({"rule": [{"tag": "StudyDate", "do": "keep"}]}, ("rule", 0), "less strict"),
        ({"rule": [{"tag": "StudyID", "do": "clean"}]}, ("rule", 0), "less strict"),
        (
            {"rule": [{"tag": "StudyID", "do": "remove", "value": "x"}]},
            ("rule", 0, "value"),
            "dummy",
        ),
        (
            {"rule": [{"tag": "StudyID", "do": "empty"}, {"tag": "(0020,0010)", "do": "empty"}]},
            ("rule", 1, "tag"),
            "already",
        ),
        ({"rule": [{"sop_class": "1.2", "do": "keep"}]}, ("rule", 0), "loosen"),
        (
            {"rule": [{"sop_class": "Films", "do": "keep", "loosen": "x"}]},
            ("rule", 0, "sop_class"),
            "SOP class",
        ),
        ({"public": True, "reidentify": {"recipients": ["c"]}}, ("reidentify",), "public"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(
    change: dict[str, Any], path: tuple[str | int, ...] | None, why: str
) -> None:
    if path is None:
        read(**change)
        return
    with pytest.raises(ProfileError, match=why) as found:
        read(**change)
    assert found.value.path == path


@pytest.mark.req("D-11")
def test_uids_are_not_retained_and_mapped_at_once() -> None:
    table: dict[str, Any] = {
        "options": ["retain_uids"],
        "rule": [{"tag": "DeviceUID", "do": "uid"}],
    }
    with pytest.raises(ProfileError, match="contradict"):
        read_profile("x", table, {})


@pytest.mark.req("D-11")
def test_without_an_option_what_it_would_need_is_refused() -> None:
    for key, table in (("private", {"safe": []}), ("pixels", {"unknown": "hold"})):
        with pytest.raises(ProfileError, match="no effect"):
            read_profile("x", {key: table}, {})


@pytest.mark.req("D-39")
def test_an_unknown_option_or_edition_makes_no_profile() -> None:
    with pytest.raises(ValueError, match="no option"):
        Profile(name="x", options=("keep_all",))
    with pytest.raises(ValueError, match="no edition"):
        Profile(name="x", edition="2020a")


@pytest.mark.parametrize("name", ["", "two words", "a" * 33, "a\\b"])
def test_a_name_that_does_not_fit_a_mark_is_refused(name: str) -> None:
    with pytest.raises(ProfileError, match="letters, digits"):
        read_profile(name, {}, {})
