"""From one form to the entries of an order: further steps, codes, length and further days (T-62).

Contract: pure.  `plan` gives the entries of each day; those of a day share one order, and every
further day is an order of its own, with ids of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from waystation.model.step import Values
from waystation.web.pages.worklist_fields import OWN, FormField

MOST_STEPS: Final = 10
MOST_DAYS: Final = 60
LONGEST_MIN: Final = 24 * 60
CODE: Final = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
START: Final = ("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime")
END: Final = ("ScheduledProcedureStepEndDate", "ScheduledProcedureStepEndTime")
EVERY: Final = (("1", "A day"), ("7", "A week"), ("14", "Two weeks"), ("28", "Four weeks"))
# What only a new entry is asked, and what a template of a procedure may say of it.
CODES: Final = FormField(
    name="codes",
    label="Protocol codes",
    kind="area",
    hint="One a line: code, scheme, meaning. As: CTTHOR, 99LOCAL, CT thorax",
    longest=4000,
)
MINUTES: Final = FormField(name="minutes", label="Length in minutes", longest=4)
MORE_STEPS: Final = FormField(
    name="more_steps",
    label="Further steps of the same procedure",
    kind="area",
    hint="One a line: what is to be done. Each becomes an entry of its own under the same study.",
    longest=1000,
)
REPEATS: Final = FormField(
    name="repeats",
    label="Repeat on further days",
    longest=2,
    hint="How often; each day gets a study and ids of its own",
)
EXTRAS: Final = (MORE_STEPS, CODES, MINUTES, REPEATS)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that say something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def faults_of(extras: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong by field.  extras: texts of `EXTRAS`."""
    found: dict[str, str] = {}
    if len(lines_of(extras.get("more_steps", ""))) > MOST_STEPS:
        found["more_steps"] = f"At most {MOST_STEPS} further steps can be added at once"
    codes = [_code(line) for line in lines_of(extras.get("codes", ""))]
    wrong = [number for number, one in enumerate(codes, 1) if one is None]
    if wrong:
        found["codes"] = f"Protocol codes: line {wrong[0]} is none; write code, scheme, meaning"
    for field, most in ((MINUTES, LONGEST_MIN), (REPEATS, MOST_DAYS)):
        text = extras.get(field.name, "").strip()
        if text and not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
            found[field.name] = f"{field.label}: write a whole number from 1 to {most}"
    return found


def _code(line: str) -> dict[str, str] | None:
    parts = [part.strip() for part in line.split(",", 2)]
    fits = len(parts) == 3 and all(parts) and len(parts[0]) <= 16 and len(parts[1]) <= 16
    return dict(zip(CODE, parts, strict=True)) if fits and len(parts[2]) <= 64 else None


def plan(values: Mapping[str, str], extras: Mapping[str, str]) -> list[list[Values]]:
    """Return the entries by day.  values: of one entry; extras: without faults."""
    whole: dict[str, Any] = dict(values)
    codes = [_code(line) for line in lines_of(extras.get("codes", ""))]
    if codes:
        whole["ScheduledProtocolCodeSequence"] = codes
    days = range(int(extras.get("repeats", "").strip() or 0) + 1)
    apart = int(extras["every"]) if extras.get("every") in dict(EVERY) else 1
    return [_of_day(whole, extras, number * apart) for number in days]


def _of_day(whole: Mapping[str, Any], extras: Mapping[str, str], later: int) -> list[Values]:
    values = dict(whole)
    if later:
        values |= dict.fromkeys(OWN, "")
        values[START[0]] = _day_after(str(values.get(START[0], "")), later)
    minutes = extras.get("minutes", "").strip()
    started = _instant(values.get(START[0], ""), values.get(START[1], ""))
    if minutes and started is not None:
        values |= _said(END, started + timedelta(minutes=int(minutes)))
    further = [
        {**values, "ScheduledProcedureStepDescription": line, "ScheduledProcedureStepID": ""}
        for line in lines_of(extras.get("more_steps", ""))
    ]
    return [values, *further]


def _day_after(text: str, days: int) -> str:
    found = _instant(text, "0000")
    return text if found is None else f"{found + timedelta(days=days):%Y%m%d}"


def _instant(day: str, time: str) -> datetime | None:
    try:
        return datetime.strptime(f"{day} {time[:4]}", "%Y%m%d %H%M")
    except ValueError:
        return None


def _said(keywords: Sequence[str], at: datetime) -> dict[str, str]:
    return {keywords[0]: f"{at:%Y%m%d}", keywords[1]: f"{at:%H%M}"}


def moved_end(said: Mapping[str, Sequence[str]], changed: Mapping[str, str]) -> dict[str, str]:
    """Return the end of a step whose start is changed; it stays as long as it was.

    said: the texts of the step.  {} if it has no end, or its start stays.
    """
    if not set(START) & set(changed):
        return {}

    def first(keyword: str) -> str:
        return next(iter(said.get(keyword, ())), "")

    before = _instant(first(START[0]), first(START[1]))
    until = _instant(first(END[0]), first(END[1]))
    after = _instant(*(changed.get(keyword, first(keyword)) for keyword in START))
    if before is None or until is None or after is None:
        return {}
    return _said(END, after + (until - before))
