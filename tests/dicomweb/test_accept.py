"""Accept, as clients write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.dicomweb.accept import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    JSON,
    MULTIPART,
    OCTETS,
    Offer,
    choices,
)

AS_JSON = Offer(DICOM_JSON, aliases=(JSON,))
AS_XML = Offer(DICOM_XML, MULTIPART)
SEARCH = (AS_JSON, AS_XML)
PARTS = Offer(DICOM, MULTIPART)
BULK = Offer(OCTETS, MULTIPART)
RETRIEVE = (PARTS, BULK, Offer(DICOM))
XML = 'multipart/related; type="application/dicom+xml"'


@pytest.mark.req("W-9", "W-10", "WT-4")
@pytest.mark.parametrize(
    ("header", "first"),
    [
        (None, DICOM_JSON),
        ("", DICOM_JSON),
        ("*/*", DICOM_JSON),
        ("application/*", DICOM_JSON),
        ("application/json", DICOM_JSON),
        ("Application/DICOM+JSON", DICOM_JSON),
        ("application/dicom+json; charset=utf-8", DICOM_JSON),
        (XML, DICOM_XML),
        ("multipart/related; type=application/dicom+xml", DICOM_XML),
        ("multipart/related; charset=utf-8; type=application/dicom+xml; q=1.0", DICOM_XML),
        ("multipart/*", DICOM_XML),
        ("multipart/related", DICOM_XML),
        (f"application/json;q=0.2, {XML};q=0.9", DICOM_XML),
        (f"application/json, {XML}", DICOM_XML),
        (f"{XML};q=0.5, application/json;q=0.5, */*;q=0.1", DICOM_XML),
        ("application/dicom+json;q=0, */*", DICOM_XML),
        ("text/html, application/xhtml+xml, */*;q=0.8", DICOM_JSON),
        ("text/weird; a=b, ;;;, nonsense, application/json", DICOM_JSON),
        ('multipart/related; type="application/dicom+xml"; type="text/html"', DICOM_XML),
        ("text/html", None),
        ("application/dicom+xml", None),
        ("multipart/related; type=application/dicom", None),
        ("application/json;q=0", None),
        ("application/json;q=2", None),
    ],
)
def test_the_representation_is_the_one_that_is_asked_for(
    header: str | None, first: str | None
) -> None:
    found = choices(SEARCH, header)
    assert (found[0].offer.media if found else None) == first


@pytest.mark.req("W-9")
def test_the_query_parameter_comes_before_the_header() -> None:
    assert choices(SEARCH, XML, "application/json")[0].offer is AS_JSON
    assert choices(SEARCH, "text/html", "application/dicom json")[0].offer is AS_JSON
    assert choices(SEARCH, XML, "text/html")[0].offer is AS_XML
    assert choices(SEARCH, None, "text/html") == []


@pytest.mark.req("W-9")
def test_what_a_range_says_of_the_transfer_syntax_is_handed_on() -> None:
    header = (
        "multipart/related; type=application/octet-stream; transfer-syntax=*,"
        ' multipart/related; transfer-syntax="1.2.840.10008.1.2.4.80"; type="application/dicom"'
    )
    found = [(one.offer, one.transfer_syntax) for one in choices(RETRIEVE, header)]
    assert found == [(BULK, "*"), (PARTS, "1.2.840.10008.1.2.4.80")]


@pytest.mark.req("W-10")
@given(st.text(max_size=200))
def test_no_text_is_an_error(text: str) -> None:
    found = choices(SEARCH, text)
    assert found or text.strip()


@given(st.text(alphabet='application/dicom+json;=q"*, .05\\', max_size=300))
def test_no_text_of_its_own_letters_is_an_error(text: str) -> None:
    assert {one.offer for one in choices(SEARCH, text, text)} <= set(SEARCH)


def test_a_long_header_is_read_in_linear_time_and_only_so_far() -> None:
    assert choices(SEARCH, 'text/html; a="' * 20_000) == []
    assert choices(SEARCH, "text/html," * 100 + "application/json") == []
