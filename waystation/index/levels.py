"""Which attribute belongs to which level of the information model (T-37; PS3.4 C.6.1.1, C.6.2.1).

Contract: a tag is looked up by number; what is in none of the tables belongs to the image level,
where every attribute of the head can be asked for.  Patient attributes are attributes of the
study, too: a study shows what its own objects say of the patient.
"""

from typing import Final

SPECIFIC_CHARACTER_SET: Final = 0x00080005
TIMEZONE_OFFSET: Final = 0x00080201
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021
BIRTH_DATE: Final = 0x00100030
STUDY_UID: Final = 0x0020000D
STUDY_DATE: Final = 0x00080020
STUDY_TIME: Final = 0x00080030
ACCESSION: Final = 0x00080050
STUDY_ID: Final = 0x00200010
STUDY_DESCRIPTION: Final = 0x00081030
SERIES_UID: Final = 0x0020000E
MODALITY: Final = 0x00080060
SERIES_NUMBER: Final = 0x00200011
INSTANCE_NUMBER: Final = 0x00200013
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
ANATOMIC_REGION: Final = 0x00082218

PATIENT_STUDIES: Final = 0x00201200
PATIENT_SERIES: Final = 0x00201202
PATIENT_INSTANCES: Final = 0x00201204
STUDY_SERIES: Final = 0x00201206
STUDY_INSTANCES: Final = 0x00201208
SERIES_INSTANCES: Final = 0x00201209
MODALITIES_IN_STUDY: Final = 0x00080061
CLASSES_IN_STUDY: Final = 0x00080062
REGIONS_IN_STUDY: Final = 0x00080063
AVAILABLE_SYNTAX: Final = 0x00083002

# Behind and before every number that an object or a series can have.
FAR: Final = 1 << 40

# By tag, in the order of tags; what is kept of each level.
PATIENT: Final[dict[int, str]] = {
    TIMEZONE_OFFSET: "SH",
    PATIENT_NAME: "PN",
    PATIENT_ID: "LO",
    ISSUER_OF_PATIENT_ID: "LO",
    BIRTH_DATE: "DA",
    0x00100032: "TM",
    0x00100040: "CS",
    0x00101000: "LO",
    0x00101001: "PN",
    0x00102160: "SH",
    0x00104000: "LT",
}
_OWN_OF_STUDY: Final[dict[int, str]] = {
    STUDY_DATE: "DA",
    STUDY_TIME: "TM",
    ACCESSION: "SH",
    0x00080090: "PN",
    STUDY_DESCRIPTION: "LO",
    0x00081032: "SQ",
    0x00081060: "PN",
    0x00081080: "LO",
    0x00101010: "AS",
    0x00101020: "DS",
    0x00101030: "DS",
    0x00102180: "SH",
    0x001021B0: "LT",
    STUDY_UID: "UI",
    STUDY_ID: "SH",
}
STUDY: Final[dict[int, str]] = dict(sorted({**PATIENT, **_OWN_OF_STUDY}.items()))
SERIES: Final[dict[int, str]] = {
    0x00080021: "DA",
    0x00080031: "TM",
    MODALITY: "CS",
    0x00080070: "LO",
    0x00080080: "LO",
    TIMEZONE_OFFSET: "SH",
    0x00081010: "SH",
    0x0008103E: "LO",
    0x00081050: "PN",
    0x00081070: "PN",
    0x00180015: "CS",
    0x00181030: "LO",
    SERIES_UID: "UI",
    SERIES_NUMBER: "IS",
    0x00200060: "CS",
    0x00400244: "DA",
    0x00400245: "TM",
    0x00400275: "SQ",
}
TABLES: Final = {"PATIENT": PATIENT, "STUDY": STUDY, "SERIES": SERIES}
COMPUTED: Final[dict[int, str]] = {
    PATIENT_STUDIES: "PATIENT",
    PATIENT_SERIES: "PATIENT",
    PATIENT_INSTANCES: "PATIENT",
    STUDY_SERIES: "STUDY",
    STUDY_INSTANCES: "STUDY",
    MODALITIES_IN_STUDY: "STUDY",
    CLASSES_IN_STUDY: "STUDY",
    REGIONS_IN_STUDY: "STUDY",
    SERIES_INSTANCES: "SERIES",
    AVAILABLE_SYNTAX: "IMAGE",
}
LEVELS: Final = ("PATIENT", "STUDY", "SERIES", "IMAGE")


def level_of(tag: int) -> str:
    """Return the highest level that ``tag`` is an attribute of."""
    if tag in COMPUTED:
        return COMPUTED[tag]
    if tag in PATIENT:
        return "PATIENT"
    if tag in STUDY:
        return "STUDY"
    return "SERIES" if tag in SERIES else "IMAGE"
