"""Durations, sizes and shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from waystation.app.quantities import (
    duration_text,
    percent_text,
    read_duration,
    read_percent,
    read_size,
    size_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("90s", 90.0), ("15m", 900.0), ("12h", 43_200.0), ("7d", 604_800.0)],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert read_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 * 2**20), ("2GiB", 2**31), ("5GB", 5 * 10**9), ("1.5kB", 1500), ("9B", 9)],
)
def test_a_size_is_bytes(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["90 %", "90%", " 90.0 % "])
def test_a_share_is_per_cent(text: str) -> None:
    assert read_percent(text) == 90.0


@pytest.mark.parametrize("value", [30, 30.0, True, "30", "", "s", "-5s", "5 weeks", "1h30m", None])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="number with its unit"):
        read_duration(value)


@pytest.mark.parametrize("value", [1024, "1024", "5gb", "5GiB/s", [], "ten MB"])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="number with its unit"):
        read_size(value)


@pytest.mark.parametrize("value", [0.9, "0.9", "101 %", "-1 %"])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="from 0 to 100"):
        read_percent(value)


@given(st.integers(0, 10**9))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert read_duration(duration_text(seconds)) == pytest.approx(seconds)


@given(st.integers(0, 2**53))
def test_a_size_reads_back_as_it_was_written(size: int) -> None:
    assert read_size(size_text(size)) == size


def test_a_share_reads_back_as_it_was_written() -> None:
    assert read_percent(percent_text(92.5)) == 92.5
