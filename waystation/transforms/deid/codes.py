"""Coded entries: which say what everybody knows, and which are of one place only (D-12).

Contract: an entry of a registered coding scheme may stay; those of private schemes (``99...``,
``L``, and any that is not registered) go, since codes and meanings of a place are free text.
PS3.16 chapter 8, PS3.3 section 8.
"""

from typing import Final

from waystation.dicom.tree import Tree

VALUES: Final = (0x00080100, 0x00080119, 0x00080120)  # code value, long one, URN
SCHEME: Final = 0x00080102
MEANING: Final = 0x00080104
SCHEME_VERSION: Final = 0x00080103
REMOVED: Final = b"REMOVED"
NO_SCHEME: Final = b"99REMOVED"
_SCHEMES = """
ACR ASTM-sigpurpose BARI BI C4 C5 CD2 CS_1 DC DCM DCMUID FDDC FMA HPC HPX I10 I10P I11 I9 I9C
IBSI ICDO3 ICD-10-CM IHEITI ISO3166_1 ISO639_1 ISO639_2 ISO_9 ITIS_TSN LN MA MDC MDNS MSH MVX
NCDR NCIt NDC NEU NICIP NYUMCCG PATHLEX POS RADELEMENT RADLEX RFC3066 RFC5646 RXNORM SCT SNM3
SRT UBERON UCUM UMLS UNS UPC
"""
SCHEMES: Final = frozenset(_SCHEMES.split())
# Concepts of the scheme DCM whose value is a person, a place, an identifier or a birth date.
_IDENTIFYING = """
110190 111700 111705 111706 111724 113511 113513 113514 113516 113870 113871 113872 113873 121008
121009 121022 121029 121030 121031 121036 121040 121041 121043 121081 121114 121152 121173 121434
125010 128774 128775
"""
_DEVICES = """
110119 113877 113878 113879 113880 121013 121014 121015 121016 121017 121148 121149 121193 121194
121195 121196 121197
"""
IDENTIFYING: Final = frozenset(_IDENTIFYING.split())
DEVICES: Final = frozenset(_DEVICES.split())
CHARACTERISTICS: Final = frozenset({"121032", "121033"})  # sex, age
AGE: Final = "121033"


def code_of(item: Tree) -> tuple[str, str] | None:
    """Return ``(scheme, value)`` of a coded entry; None if the item is none."""
    value = next((text for tag in VALUES if (text := item.text(tag))), "")
    scheme = item.text(SCHEME)
    if value and not scheme and 0x00080120 in item:
        scheme = "URN"
    return (scheme, value) if value or scheme else None


def is_registered(code: tuple[str, str]) -> bool:
    """Tell whether the scheme is one that everybody has."""
    return code[0] in SCHEMES


def hide(item: Tree) -> bool:
    """Make a dummy of a coded entry, which may name a person or an institution; tell if it is one.

    D-8: what stands in for a sequence tells no more than what stands in for a text.
    """
    if code_of(item) is None and MEANING not in item:
        return False
    item.remove({*VALUES, SCHEME_VERSION})
    item.put(VALUES[0], "SH", REMOVED)
    item.put(SCHEME, "SH", NO_SCHEME)
    item.put(MEANING, "LO", REMOVED)
    return True
