"""Windows that cannot be read are an error, never open."""

import pytest

from waystation.timing.window import is_open


@pytest.mark.parametrize(("text", "open_"), [("", True), ("always", True), ("never", False)])
def test_the_fixed_windows(text: str, open_: bool) -> None:
    assert is_open(text, 0.0) is open_


@pytest.mark.parametrize("text", ["Always", " ", "19:00-07:00", "m10 < 5", "allways"])
def test_an_unknown_window_opens_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="unknown window"):
        is_open(text, 0.0)
