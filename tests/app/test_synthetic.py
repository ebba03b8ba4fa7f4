"""The simulated modality's images: plausible, deterministic, and accepted by a real decoder."""

import io

import pydicom
import pytest

from waystation.app.synthetic import Study, row_of
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import EXPLICIT_VR_LE as EXPLICIT


def study(seed: str = "7", size_bytes: int = 12_000, series: int = 2) -> Study:
    return Study(seed=seed, number=3, series=series, images=4, size_bytes=size_bytes)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_other_uids() -> None:
    first = [(image.sop_instance, image.sha256) for image in study()]
    assert first == [(image.sop_instance, image.sha256) for image in study()]
    assert not {uid for uid, _ in first} & {image.sop_instance for image in study("8")}
    assert len(set(first)) == 8


@pytest.mark.parametrize(("size_bytes", "modality"), [(12_000, "MR"), (512_000, "CT"), (100, "MR")])
def test_every_image_is_a_whole_object_of_about_the_size(size_bytes: int, modality: str) -> None:
    for image in study(size_bytes=size_bytes, series=1):
        meta = file_meta(image.sop_class, image.sop_instance, image.transfer_syntax)
        found = pydicom.dcmread(io.BytesIO(meta + image.data))
        assert found.Modality == modality
        assert found.SOPInstanceUID == image.sop_instance
        assert str(found.PatientName).startswith("SYNTHETIC")
        assert found.pixel_array.shape == (found.Rows, found.Columns)
        assert abs(len(image.data) - max(size_bytes, 1200)) < 2000


def test_the_images_of_a_series_lie_one_behind_the_other() -> None:
    first_series = list(study(series=1))
    heights = []
    for image in first_series:
        meta = file_meta(image.sop_class, image.sop_instance, image.transfer_syntax)
        found = pydicom.dcmread(io.BytesIO(meta + image.data), stop_before_pixels=True)
        heights.append(float(found.ImagePositionPatient[2]))
    assert heights == sorted(set(heights))


def test_elements_can_be_given() -> None:
    rows = tuple(map(row_of, ("PatientID=4711", "PatientName=Muster^Erika", "StudyDate=20260310")))
    (image, *_) = Study(seed="7", number=1, series=1, images=1, size_bytes=400, values=rows)
    found = pydicom.dcmread(io.BytesIO(file_meta(image.sop_class, "1.2", EXPLICIT) + image.data))
    assert (found.PatientID, str(found.PatientName), found.StudyDate) == (
        *("4711", "Muster^Erika"),
        "20260310",
    )
    assert found.Modality == "MR"


def test_the_study_may_be_the_one_that_a_worklist_entry_names() -> None:
    rows = (row_of("StudyInstanceUID=1.2.826.0.1"),)
    (image,) = Study(seed="7", number=1, series=1, images=1, size_bytes=400, values=rows)
    found = pydicom.dcmread(io.BytesIO(file_meta(image.sop_class, "1.2", EXPLICIT) + image.data))
    assert found.StudyInstanceUID == "1.2.826.0.1"


@pytest.mark.parametrize(
    "text",
    [
        "PatientID",
        "Rows=3",
        "PatientIdd=3",
        "PatientName=M\u00fcller",
        "PixelData=1",
        "StudyInstanceUID=1.x",
        "SOPInstanceUID=1.2.3",
    ],
)
def test_what_cannot_be_given_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        row_of(text)
