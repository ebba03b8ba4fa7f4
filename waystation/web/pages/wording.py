"""Numbers as people read them.  Pure."""

from typing import Final

_AGES: Final = (("d", 86_400), ("h", 3600), ("min", 60))
_SIZES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def age_text(seconds: float | None) -> str:
    """Return an age in its largest fitting unit, "" for none."""
    if seconds is None:
        return ""
    for unit, size in _AGES:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def size_text(size_bytes: float | None) -> str:
    """Return a number of bytes with three digits or fewer before its unit, "" for none."""
    if size_bytes is None:
        return ""
    size = float(size_bytes)
    for unit in _SIZES:
        if abs(size) < 999.5 or unit == _SIZES[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"


def count_text(number: int) -> str:
    """Return a count with narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
