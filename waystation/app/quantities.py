"""Durations, sizes, rates, shares as an operator writes them: ``"90s"``, ``"64MiB"``, ``"90 %"``.

Contract: text in, seconds, bytes or per cent out, and back again without loss of meaning.
A bare number is refused, because nobody can tell what its unit was meant to be.
"""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,6})?)\s*([A-Za-z%]+)")
DURATION_HELP = 'a duration is a number with its unit, like "500ms", "90s", "15m", "12h" or "7d"'
SIZE_HELP = 'a size is a number with its unit, like "512KiB", "64MiB", "2GiB" or "5GB"'
RATE_HELP = 'a rate is a size per second, like "512KiB/s", "2MiB/s" or "20MB/s"'
PERCENT_HELP = 'a share is written like "90 %", from 0 to 100'


def _split(value: object, units: dict[str, float] | dict[str, int], advice: str) -> float:
    found = QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or found[2] not in units:
        raise PydanticCustomError("sentence", "{text}", {"text": advice})
    return float(found[1]) * units[found[2]]


def read_duration(value: object) -> float:
    """Return seconds."""
    return _split(value, DURATION_UNITS, DURATION_HELP)


def read_size(value: object) -> int:
    """Return bytes."""
    return int(_split(value, SIZE_UNITS, SIZE_HELP))


def read_rate(value: object) -> int:
    """Return bytes per second, at least one."""
    size, mark, second = value.rpartition("/") if isinstance(value, str) else ("", "", "")
    if not mark or second.strip() != "s":
        raise PydanticCustomError("sentence", "{text}", {"text": RATE_HELP})
    rate = int(_split(size, SIZE_UNITS, RATE_HELP))
    if rate < 1:
        raise PydanticCustomError("sentence", "{text}", {"text": RATE_HELP})
    return rate


def read_percent(value: object) -> float:
    """Return per cent, 0.0 to 100.0."""
    share = _split(value, {"%": 1}, PERCENT_HELP)
    if share > 100:
        raise PydanticCustomError("sentence", "{text}", {"text": PERCENT_HELP})
    return share


def duration_text(seconds: float) -> str:
    """Return ``seconds`` in the largest unit that divides them."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % DURATION_UNITS[unit] == 0:
            return f"{seconds / DURATION_UNITS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.6f}".rstrip("0").rstrip(".") + "ms" if seconds else "0s"


def size_text(size: int) -> str:
    """Return ``size`` bytes in the largest unit that divides them."""
    for unit, factor in sorted(SIZE_UNITS.items(), key=lambda item: -item[1]):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return "0B"


def rate_text(rate: int) -> str:
    """Return ``rate`` bytes per second as they are written."""
    return f"{size_text(rate)}/s"


def percent_text(share: float) -> str:
    return f"{share:g} %"


Duration = Annotated[
    float,
    BeforeValidator(read_duration),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,18}(\.\d{1,6})?\s*(ms|s|m|h|d)$"}),
]
Size = Annotated[
    int,
    BeforeValidator(read_size),
    PlainSerializer(size_text, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d{1,18}(\.\d{1,6})?\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$"}
    ),
]
Rate = Annotated[
    int,
    BeforeValidator(read_rate),
    PlainSerializer(rate_text, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,18}(\.\d{1,6})?\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*/\s*s$",
        }
    ),
]
Percent = Annotated[
    float,
    BeforeValidator(read_percent),
    PlainSerializer(percent_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,18}(\.\d{1,6})?\s*%$"}),
]
