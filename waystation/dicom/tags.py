"""Tags: numbers, keywords, and the VR that the dictionary gives them.

Contract: a tag is an int, ``group << 16 | element``.  The constants here are those of the hot
paths, with their VRs, so that ordinary work never asks the dictionary, whose tables take a moment
to read; everything else does.
"""

import re
from functools import cache, lru_cache
from typing import Final

from waystation.dicom import dictionary

TRANSFER_SYNTAX_UID: Final = 0x00020010
SPECIFIC_CHARACTER_SET: Final = 0x00080005
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
STUDY_DATE: Final = 0x00080020
ACCESSION_NUMBER: Final = 0x00080050
MODALITY: Final = 0x00080060
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
ACQUISITION_NUMBER: Final = 0x00200012
INSTANCE_NUMBER: Final = 0x00200013
IMAGES_IN_ACQUISITION: Final = 0x00201002
NUMBER_OF_STUDY_RELATED_INSTANCES: Final = 0x00201208
NUMBER_OF_SERIES_RELATED_INSTANCES: Final = 0x00201209
PIXEL_REPRESENTATION: Final = 0x00280103
PIXEL_DATA: Final = 0x7FE00010

_COMMON = """
00080005 CS SpecificCharacterSet | 00080008 CS ImageType | 00080016 UI SOPClassUID
00080018 UI SOPInstanceUID | 00080020 DA StudyDate | 00080021 DA SeriesDate
00080022 DA AcquisitionDate | 00080023 DA ContentDate | 00080030 TM StudyTime
00080031 TM SeriesTime | 00080050 SH AccessionNumber | 00080060 CS Modality
00080061 CS ModalitiesInStudy | 00080064 CS ConversionType | 00080068 CS PresentationIntentType
00080070 LO Manufacturer | 00080080 LO InstitutionName | 00080090 PN ReferringPhysicianName
00081010 SH StationName | 00081030 LO StudyDescription | 0008103E LO SeriesDescription
00081040 LO InstitutionalDepartmentName | 00081050 PN PerformingPhysicianName
00081090 LO ManufacturerModelName | 00100010 PN PatientName | 00100020 LO PatientID
00100021 LO IssuerOfPatientID | 00100030 DA PatientBirthDate | 00100040 CS PatientSex
00101010 AS PatientAge | 00180015 CS BodyPartExamined | 00180050 DS SliceThickness
00181000 LO DeviceSerialNumber | 00181020 LO SoftwareVersions | 00181030 LO ProtocolName
0020000D UI StudyInstanceUID | 0020000E UI SeriesInstanceUID | 00200010 SH StudyID
00200011 IS SeriesNumber | 00200013 IS InstanceNumber | 00280002 US SamplesPerPixel
00280004 CS PhotometricInterpretation | 00280008 IS NumberOfFrames | 00280010 US Rows
00280011 US Columns | 00280100 US BitsAllocated | 00280103 US PixelRepresentation
00280301 CS BurnedInAnnotation | 00321060 LO RequestedProcedureDescription
00400009 SH ScheduledProcedureStepID | 00400254 LO PerformedProcedureStepDescription
00400275 SQ RequestAttributesSequence | 00401001 SH RequestedProcedureID
00080201 SH TimezoneOffsetFromUTC | 00083002 UI AvailableTransferSyntaxUID
00201206 IS NumberOfStudyRelatedSeries | 00201208 IS NumberOfStudyRelatedInstances
00201209 IS NumberOfSeriesRelatedInstances | 00400244 DA PerformedProcedureStepStartDate
00400245 TM PerformedProcedureStepStartTime
""".replace("\n", " | ")

_FORM = re.compile(r"\(?([0-9A-Fa-f]{4}),?\s?([0-9A-Fa-f]{4})\)?")


@cache
def _common() -> tuple[dict[str, int], dict[int, str]]:
    rows = [entry.split() for entry in _COMMON.split("|") if entry.strip()]
    tags = {word: int(number, 16) for number, _, word in rows}
    return tags, {int(number, 16): vr for number, vr, _ in rows}


def tag_for(word: str) -> int:
    """Return the tag of a keyword, ``(gggg,eeee)``, ``gggg,eeee`` or ``ggggeeee``.

    Raises ValueError, with a suggestion where a keyword is near.
    """
    found = _common()[0].get(word)
    if found is not None:
        return found
    form = _FORM.fullmatch(word.strip())
    if form:
        return int(form[1] + form[2], 16)
    tag = dictionary.keywords().get(word) if word else None
    if tag is None:
        raise ValueError(f"no element is called {word!r}{_near(word)}")
    return tag


def _near(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, dictionary.keywords(), 1, 0.7)
    return f" (did you mean {near[0]}?)" if near else ""


@lru_cache(maxsize=4096)
def keyword_of(tag: int) -> str:
    """Return the keyword of ``tag``, or ``""`` if the dictionary has none."""
    try:
        return dictionary.entry_of(tag)[4]
    except KeyError:
        return ""


def name_of(tag: int) -> str:
    """Return the name of ``tag`` in words, or ``""`` if the dictionary has none."""
    return dictionary.entry_of(tag)[2] if keyword_of(tag) else ""


def vr_of(tag: int, creator: str | None = None) -> str:
    """Return the VR that the dictionary gives, "UN" if it has none.

    Where it gives a choice the first is returned.  ``creator``: that of a private block.
    """
    common = _common()[1].get(tag)
    if common:
        return common
    number = tag & 0xFFFF
    if number == 0:
        return "UL"
    try:
        if tag >> 16 & 1:
            if 0x10 <= number <= 0xFF:
                return "LO"
            return dictionary.private_vr(tag, creator) if creator else "UN"
        return dictionary.entry_of(tag)[0][:2]
    except KeyError:
        return "UN"


def holds_several(tag: int) -> bool:
    """Tell whether the dictionary allows an element more than one value."""
    try:
        return dictionary.entry_of(tag)[1] not in ("1", "0")
    except KeyError:
        return True


def format_tag(tag: int) -> str:
    """Return ``(gggg,eeee)``, upper case."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def is_private(tag: int) -> bool:
    """Tell whether the tag lies in an odd group."""
    return bool(tag >> 16 & 1)
