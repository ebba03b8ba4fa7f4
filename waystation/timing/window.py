"""Opening hours of a lane.

Contract: `is_open` knows ``""`` and ``always`` (open) and ``never`` (shut).  Every other text
raises ValueError: no error may open a window (R-39).
"""

FIXED = {"": True, "always": True, "never": False}


def is_open(text: str, at: float) -> bool:
    """Return whether the window ``text`` is open at ``at`` (Unix seconds)."""
    if text not in FIXED:
        raise ValueError(f'unknown window "{text}": write always or never')
    return FIXED[text]
