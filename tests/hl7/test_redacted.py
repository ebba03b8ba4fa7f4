"""What of a message may be shown to whoever must not see patient data (T-60)."""

import pytest

from tests.hl7.building import message, msh, pid
from waystation.hl7.redacted import redacted


@pytest.mark.req("T-60")
def test_segments_that_are_not_known_show_their_name_alone() -> None:
    lines = redacted(
        message(
            msh("ADT^A40"),
            pid("P1"),
            "MRG|SECRET-ID^^^HOSP",
            "ZPI|Secret^Name|Secret",
            "NK1|Secret^Relative",
            "ORC|NW|PL1",
        )
    )
    assert lines[1].startswith("PID|1||...")
    assert lines[2:] == ["MRG|...", "ZPI|...|...", "NK1|...", "ORC|NW|PL1"]


@pytest.mark.req("T-60")
def test_a_line_that_is_no_segment_is_not_shown() -> None:
    lines = redacted(message(msh(), pid(), "OBX|1|TX|C|1|Long text", "by Secret Person|of 1970"))
    assert lines[-1] == "..."
    assert "Secret" not in " ".join(lines)
