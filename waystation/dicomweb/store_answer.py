"""What a store request is answered with (PS3.18 sections 10.5.3 and I.2; W-95 to W-97).

Contract: pure.  `Outcome` tells what became of one part; `status_of` and `data_set_of` say it to
the sender.  A part is stored, or it has a reason; nothing stands for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from waystation.dicomweb.stow import (
    FAILED,
    FAILURE_REASON,
    INSTANCE,
    OTHERS,
    STORED,
    WARNING_REASON,
)

SOP_CLASS: Final = "00081150"
RETRIEVE_URL: Final = "00081190"
OUT_OF_RESOURCES: Final = 0xA700
MISMATCH: Final = 0xA900
UNREADABLE: Final = 0xC010
SYNTAX_NOT_SUPPORTED: Final = 0xC122
ALL_STORED, SOME_STORED, NONE_STORED, NOT_NOW = 200, 202, 409, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one part.

    reason: 0 for stored, else why not (C-STORE's statuses).  warning: of what was stored, 0 for
    none.  UIDs are empty where the part could not be read so far.
    """

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    reason: int = 0
    warning: int = 0
    comment: str = ""


def status_of(outcomes: Sequence[Outcome]) -> int:
    """Return the HTTP status; there must be at least one part."""
    failed = [one for one in outcomes if one.reason]
    if len(failed) == len(outcomes):
        full = all(one.reason & 0xFF00 == OUT_OF_RESOURCES for one in failed)
        return NOT_NOW if full else NONE_STORED
    return SOME_STORED if failed or any(one.warning for one in outcomes) else ALL_STORED


def data_set_of(outcomes: Sequence[Outcome], base: str) -> dict[str, Any]:
    """Return the answer as DICOM JSON.  base: URL of root and source prefix."""
    stored = [one for one in outcomes if not one.reason]
    named = [one for one in outcomes if one.reason and one.sop_instance_uid]
    others = [one for one in outcomes if one.reason and not one.sop_instance_uid]
    studies = {one.study_uid for one in stored}
    url = f"{base}/studies/{studies.pop()}" if len(studies) == 1 else ""
    found: dict[str, Any] = {RETRIEVE_URL: _text("UR", url)}
    for tag, items in (
        (FAILED, [_names(one) | _number(FAILURE_REASON, one.reason) for one in named]),
        (STORED, [_stored(one, base) for one in stored]),
        (OTHERS, [_number(FAILURE_REASON, one.reason) for one in others]),
    ):
        if items:
            found[tag] = {"vr": "SQ", "Value": items}
    return dict(sorted(found.items()))


def _stored(one: Outcome, base: str) -> dict[str, Any]:
    url = (
        f"{base}/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_instance_uid}"
        if one.study_uid and one.series_uid
        else ""
    )
    warning = _number(WARNING_REASON, one.warning) if one.warning else {}
    return dict(sorted((_names(one) | {RETRIEVE_URL: _text("UR", url)} | warning).items()))


def _names(one: Outcome) -> dict[str, Any]:
    return {SOP_CLASS: _text("UI", one.sop_class_uid), INSTANCE: _text("UI", one.sop_instance_uid)}


def _text(vr: str, value: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}


def _number(tag: str, value: int) -> dict[str, Any]:
    return {tag: {"vr": "US", "Value": [value]}}
