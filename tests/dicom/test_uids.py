import subprocess
import sys

import pynetdicom.sop_class as theirs
import pytest
from pydicom._uid_dict import UID_dictionary

from waystation.dicom import uids


@pytest.mark.req("L6")
@pytest.mark.parametrize(
    ("text", "loose", "strict"),
    [
        ("1.2.840.10008.1.1", True, True),
        ("2.25.329800735698586629295641978511506172918", True, True),
        ("1.2.003", True, False),
        ("3.1", True, False),
        ("1.40", True, False),
        ("1", True, False),
        ("1.2." + "3" * 60, True, True),
        ("1.2." + "3" * 61, False, False),
        ("", False, False),
        ("1..2", False, False),
        (".1", False, False),
        ("1.", False, False),
        ("1.2\n", False, False),
        ("1.2 ", False, False),
        ("1.2.x", False, False),
        ("1.٢", False, False),
    ],
)
def test_uid_grammar(text: str, loose: bool, strict: bool) -> None:
    assert uids.is_uid(text) is loose
    assert uids.is_uid(text, strict=True) is strict


def test_made_uids_are_legal_and_repeatable() -> None:
    for seed in (bytes(16), b"\xff" * 16, bytes(range(16))):
        uid = uids.make_uid(seed)
        assert uids.is_uid(uid, strict=True)
        assert uid == uids.make_uid(seed)
    assert uids.make_uid(bytes(16)) != uids.make_uid(b"\xff" * 16)
    with pytest.raises(ValueError):
        uids.make_uid(b"short")


def test_names_are_those_of_the_standard() -> None:
    for uid, (name, *_) in UID_dictionary.items():
        if name:
            assert uids.name_of(uid).removesuffix(" (Retired)") == name.removesuffix(" (Retired)")
    assert uids.name_of("1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("word", "uid"),
    [
        ("CTImageStorage", uids.CT_IMAGE_STORAGE),
        ("CT Image Storage", uids.CT_IMAGE_STORAGE),
        ("ct image storage", uids.CT_IMAGE_STORAGE),
        ("1.2.3", "1.2.3"),
        ("Verification SOP Class", uids.VERIFICATION),
        ("JPEG Baseline (Process 1)", uids.JPEG_BASELINE),
        ("LabelMapSegmentationStorage", "1.2.840.10008.5.1.4.1.1.66.7"),
        ("DICOM Application Context Name", uids.APPLICATION_CONTEXT),
    ],
)
def test_uids_are_found_by_keyword_name_and_number(word: str, uid: str) -> None:
    assert uids.uid_for(word) == uid


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'CTImageStorage'"):
        uids.uid_for("CTImageStorge")
    with pytest.raises(ValueError, match="no UID is called"):
        uids.uid_for("qqqqqqqq")


def test_storage_classes_are_at_least_those_of_pynetdicom() -> None:
    known = set(theirs._STORAGE_CLASSES.values()) | set(theirs._NON_PATIENT_OBJECT_CLASSES.values())
    assert known <= uids.storage_classes()
    assert set(theirs._NON_PATIENT_OBJECT_CLASSES.values()) == uids.NON_PATIENT_CLASSES
    for uid in (uids.VERIFICATION, uids.STORAGE_COMMITMENT, uids.STUDY_ROOT_FIND, "1.2.3"):
        assert not uids.is_storage_class(uid)
    assert not uids.has_study("1.2.840.10008.5.1.4.38.1")
    assert uids.has_study(uids.CT_IMAGE_STORAGE)


def test_constants_are_registered_under_their_names() -> None:
    named = {uids.DEFLATED, uids.EXPLICIT_VR_BE, uids.JPEG_2000, uids.HTJ2K_LOSSLESS}
    for uid in uids.UNCOMPRESSED | uids.DEFLATED_SYNTAXES | named:
        assert uids.is_transfer_syntax(uid)
    assert uids.name_of(uids.JPEG_LOSSLESS_SV1).startswith("JPEG Lossless")
    assert uids.name_of(uids.MODALITY_WORKLIST_FIND).startswith("Modality Worklist")
    assert uids.name_of(uids.MPPS) == "Modality Performed Procedure Step SOP Class"
    assert uids.DEFLATED not in uids.UNCOMPRESSED
    assert uids.is_uid(uids.IMPLEMENTATION_CLASS_UID, strict=True)
    assert len(uids.IMPLEMENTATION_VERSION_NAME) <= 16


def test_the_hot_path_never_imports_pydicom() -> None:
    program = (
        "import sys, waystation.dicom.walk, waystation.dicom.part10, waystation.dicom.splice;"
        "from waystation.dicom import uids; uids.name_of(uids.CT_IMAGE_STORAGE);"
        "sys.exit(any(name in sys.modules for name in ('pydicom', 'numpy', 'difflib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
