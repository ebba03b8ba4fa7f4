"""Paths below a root."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.dicomweb import paths
from waystation.dicomweb.paths import Routes, bad_uid, segments


@pytest.fixture
def routes() -> Routes[str]:
    made: Routes[str] = Routes()
    for template in ("/", "/studies", paths.STUDY, paths.SERIES + "/instances", paths.INSTANCE):
        made.add(template, template)
    made.add(paths.INSTANCE + "/bulkdata/{bulk*}", "bulk")
    return made


@pytest.mark.req("W-4")
@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("", "/"),
        ("/", "/"),
        ("/studies", "/studies"),
        ("//studies///", "/studies"),
        ("/studies/1.2/", paths.STUDY),
        ("/studies/1.2/series/3/instances", paths.SERIES + "/instances"),
        ("/studies/1.2/series/3/instances/4", paths.INSTANCE),
        ("/studies/1.2/series/3/instances/4/bulkdata/a/0/b", "bulk"),
        ("/studies/1.2/series", None),
        ("/Studies", None),
        ("/studies/1/2/3", None),
    ],
)
def test_a_path_means_its_template(routes: Routes[str], path: str, template: str | None) -> None:
    found = routes.find(segments(path))
    assert (found and found[0]) == template


def test_the_values_of_a_path_are_handed_on(routes: Routes[str]) -> None:
    found = routes.find(segments("/studies/1/series/2/instances/3/bulkdata/7FE00010/x"))
    assert found is not None
    assert found[1] == {"study": "1", "series": "2", "instance": "3", "bulk": "7FE00010/x"}


@pytest.mark.req("W-11")
@pytest.mark.parametrize("uid", ["", "1..2", ".1", "1.", "a", "..", "1" * 65, "1.2%00", "٣"])
def test_what_is_no_uid_is_named(uid: str) -> None:
    assert bad_uid({"study": "1.2", "series": uid}) == "series"
    assert bad_uid({"study": "1.2", "frames": uid}) == ""


@given(st.text(max_size=100))
def test_any_path_is_found_or_not(text: str) -> None:
    made: Routes[str] = Routes()
    made.add(paths.STUDY, "x")
    found = made.find(segments(text))
    assert (found is not None) == (len(segments(text)) == 2 and segments(text)[0] == "studies")
