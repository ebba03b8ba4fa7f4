"""How the worklist pages say what a step says.  Pure."""

from typing import Final

from waystation.dicom import tags
from waystation.model.step import StepState

STATE_WORDS: Final = {
    StepState.SCHEDULED: "Scheduled",
    StepState.ARRIVED: "Patient is here",
    StepState.READY: "Ready",
    StepState.STARTED: "Being scanned",
    StepState.COMPLETED: "Completed",
    StepState.DISCONTINUED: "Discontinued",
    StepState.CANCELLED: "Cancelled",
    StepState.EXPIRED: "Expired",
}
TONES: Final = {
    StepState.SCHEDULED: "none",
    StepState.ARRIVED: "clock",
    StepState.READY: "clock",
    StepState.STARTED: "warn",
    StepState.COMPLETED: "good",
    StepState.DISCONTINUED: "rest",
    StepState.CANCELLED: "rest",
    StepState.EXPIRED: "rest",
}
_SHORT: Final = {
    "StudyInstanceUID": "study UID",
    "RequestedProcedureID": "procedure ID",
    "RequestedProcedureDescription": "procedure description or code",
    "PatientName": "patient name",
    "PatientID": "patient ID",
    "ScheduledStationAETitle": "station",
    "ScheduledProcedureStepStartDate": "date",
    "ScheduledProcedureStepStartTime": "time",
    "Modality": "modality",
    "ScheduledProcedureStepID": "step ID",
    "ScheduledProcedureStepDescription": "step description or protocol code",
}


def field_words(keyword: str) -> str:
    """Return the words for an attribute."""
    known = _SHORT.get(keyword)
    if known:
        return known
    try:
        return tags.name_of(tags.tag_for(keyword)).lower() or keyword
    except ValueError:
        return keyword


def day_text(text: str) -> str:
    """Return a DA as people write it, what is none as it is."""
    plain = len(text) == 8 and text.isascii() and text.isdigit()
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if plain else text


def time_text(text: str) -> str:
    """Return a TM to the minute, what is none as it is."""
    plain = len(text) >= 4 and text[:4].isascii() and text[:4].isdigit()
    return f"{text[:2]}:{text[2:4]}" if plain else text


def name_text(text: str) -> tuple[str, str]:
    """Return a PN as people read it (PS3.5 6.2.1): the alphabetic group, and the others."""
    groups = [_group(one) for one in text.split("=")]
    known = [one for one in groups if one]
    return (known[0] if known else "", " · ".join(known[1:]))


def _group(text: str) -> str:
    family, given, middle, prefix, suffix = [*text.split("^"), "", "", "", "", ""][:5]
    rest = " ".join(filter(None, (prefix, given, middle, suffix)))
    return ", ".join(filter(None, (family.strip(), rest.strip())))
