"""What was probably meant by a text that is no schedule.

Contract: `advice` always returns words that tell what to write; a spelling that it proposes is
one that can be read.  It only ever speaks: no guess is put in force (R-39).
"""

import re
from collections.abc import Callable

EXAMPLES = 'write for example "always", "never", "19:00-06:59", "Mon-Fri 08:00-11:59" or "m10<5"'
DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－"), "-")
SIGNS = {**DASHES, ord("："): ":", ord("，"): ",", ord("；"): ";", ord("＜"): "<", ord("…"): ".."}
DAY_WORDS = {
    "mo": "Mon",
    "tu": "Tue",
    "we": "Wed",
    "th": "Thu",
    "fr": "Fri",
    "sa": "Sat",
    "su": "Sun",
}

Repair = Callable[[str], str]


def _signs(text: str) -> str:
    return text.translate(SIGNS).replace('"', "").replace("'", "")


def _comment(text: str) -> str:
    return re.sub(r"\s*(?:#|//|;[^0-9]*$).*", "", text, flags=re.DOTALL)


def _case(text: str) -> str:
    return text.lower() if text.strip().lower() in {"always", "never"} else text


def _cyclic(text: str) -> str:
    """Repair a text like ``M10 <= 5``: it is a cyclic schedule, whatever is wrong with it."""
    found = re.match(r"\s*m+\s*-?\s*0*([1-9][0-9]*)\s*(<=?)\s*-?\s*([0-9]+)(?!.*[:,;])", text, re.I)
    if found is None:
        return text
    return f"m{found[1]}<{int(found[3]) + (found[2] == '<=')}"


def _day_names(text: str) -> str:
    text = re.sub(r"\bweekdays?\b", "Mon-Fri", text, flags=re.I)
    text = re.sub(r"\bweekends?\b", "Sat-Sun", text, flags=re.I)
    text = re.sub(r"\b(?:daily|every ?day)\b", "", text, flags=re.I)
    text = re.sub(r"\bholidays\b", "holiday", text, flags=re.I)
    return re.sub(
        r"\b(mo|tu|we|th|fr|sa|su)[a-z]*\b\.?",
        lambda found: DAY_WORDS[found[1].lower()],
        text,
        flags=re.I,
    )


def _clock(text: str) -> str:
    """``08.00`` and ``08h00`` and ``0800`` and ``08:00:00``."""
    text = re.sub(r"(?<![0-9.])([0-9]{1,2})[.hH]([0-9]{2})(?![0-9.])", r"\1:\2", text)
    text = re.sub(r"(?<![0-9:.-])([0-9]{2})([0-9]{2})-([0-9]{2})([0-9]{2})\b", r"\1:\2-\3:\4", text)
    return re.sub(r"([0-9]{1,2}:[0-9]{2}):[0-9]{2}(?![0-9:])", r"\1", text)


def _twelve_hours(text: str) -> str:
    """``8am-5:30pm``."""

    def spelled(found: re.Match[str]) -> str:
        hour = int(found[1]) % 12 + (12 if found[3].lower() == "p" else 0)
        return f"{hour:02}{found[2] or ':00'}"

    return re.sub(r"\b([0-9]{1,2})(:[0-9]{2})?\s*([ap])\.?m\b\.?", spelled, text, flags=re.I)


def _bare_hours(text: str) -> str:
    """``8-12``: hours without minutes."""

    def spelled(found: re.Match[str]) -> str:
        if int(found[1]) > 23 or int(found[3]) > 24:
            return found[0]
        return f"{int(found[1]):02}{found[2] or ':00'}-{int(found[3]):02}{found[4] or ':00'}"

    hour = r"([0-9]{1,2})(:[0-9]{1,2})?h?"
    return re.sub(rf"(?<![0-9:.-]){hour}\s*-\s*{hour}(?![0-9:.-])", spelled, text)


def _start_of_day(text: str) -> str:
    return re.sub(r"\b24:00(?=\s*-)", "00:00", text)


def _commas(text: str) -> str:
    text = re.sub(r"\s*(?:\band\b|&|\+)\s*", ", ", text)
    text = re.sub(r"([,;])(?:\s*[,;])+", r"\1", text)
    return text.strip(" \t\r\n,;")


def _days_first(text: str) -> str:
    """``08:00-12:00 Mon-Fri``."""
    found = re.fullmatch(r"\s*([0-9:,\s-]+?)\s+([A-Za-z][A-Za-z,\s-]*)", text)
    return f"{found[2]} {found[1]}" if found else text


def _groups(text: str) -> str:
    """A day after hours begins a group."""
    return re.sub(r"(:[0-9]{1,2})\s*,?\s*(?=[A-Za-z]|[0-9]{4}-|[0-9]{2}-[0-9]{2}\s)", r"\1; ", text)


def _whole_days(text: str) -> str:
    """Days without hours."""
    if not text.strip():
        return text
    groups = [group.strip() for group in text.split(";")]
    return "; ".join(group if ":" in group else f"{group} 00:00-24:00" for group in groups)


REPAIRS: tuple[Repair, ...] = (
    _signs,
    _comment,
    _case,
    _cyclic,
    _day_names,
    _clock,
    _twelve_hours,
    _commas,
    _bare_hours,
    _start_of_day,
    _days_first,
    _groups,
    _whole_days,
)


def corrected(text: str, readable: Callable[[str], bool]) -> str:
    """Return the nearest spelling that can be read, or ""."""
    for repair in REPAIRS:
        text = repair(text)
        if text.strip() and readable(text):
            return " ".join(text.split())
    return ""


def advice(text: str, readable: Callable[[str], bool]) -> str:
    """Return what to write instead of ``text``."""
    parts = [part.strip() for part in re.split("[,;]", text)]
    if len(parts) > 1 and any("<" in part for part in parts) and all(map(readable, parts)):
        return "write " + " or ".join(f'"{part}"' for part in parts)
    meant = corrected(text[:200], readable)
    return f'write "{meant}"' if meant else EXAMPLES
