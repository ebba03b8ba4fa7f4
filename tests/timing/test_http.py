"""The HTTP half of the status table (`docs/spec/routing.md` section 7)."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.model.outcome import Fault
from waystation.timing.http import classify_http, rest_asked

NOW = 1_800_000_000.0


@pytest.mark.req("RT-9", "O3", "S-21")
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 599])
def test_what_may_pass_by_itself_lets_the_lane_wait(status: int) -> None:
    assert classify_http(status).fault is Fault.TRANSIENT


@pytest.mark.req("RT-9", "O5", "S-21")
@pytest.mark.parametrize("status", [400, 409, 413, 415, 422, 402, 418, 451, 499, 600, 199, 226])
def test_what_is_listed_for_the_object_and_what_is_not_listed_charges_it(status: int) -> None:
    assert classify_http(status).fault is Fault.OBJECT


@pytest.mark.req("RT-9", "O7", "S-21")
@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 410, 301, 302, 303, 307, 308])
def test_what_no_object_can_help_blocks_the_destination(status: int) -> None:
    assert classify_http(status).fault is Fault.PEER


@pytest.mark.req("S-63")
def test_a_redirect_says_that_it_is_not_followed() -> None:
    assert classify_http(302).why == (
        "HTTP 302 Found; redirects are not followed, write the new address"
    )


@pytest.mark.req("R-55")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("9" * 40, 999_999_999.0),
        ("\u0663", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 99 Nov 1994 08:49:37 GMT", 0.0),
    ],
)
def test_retry_after_in_seconds(text: str, seconds: float) -> None:
    assert rest_asked(text, NOW) == seconds


@pytest.mark.req("R-55")
@pytest.mark.parametrize("usegmt", [True, False])
def test_retry_after_as_a_date(usegmt: bool) -> None:
    at = datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=10)
    text = format_datetime(at, usegmt=usegmt)
    assert rest_asked(text, NOW) == 600.0
    assert classify_http(503, text, now=NOW).rest_s == 600.0


@pytest.mark.req("R-55", "S-21")
@given(st.integers(), st.text(max_size=40))
def test_any_answer_is_classified_and_none_is_success(status: int, retry_after: str) -> None:
    outcome = classify_http(status, retry_after, now=NOW)
    assert outcome.fault in (Fault.TRANSIENT, Fault.OBJECT, Fault.PEER)
    assert outcome.rest_s >= 0.0
