"""Lists of referenced instances stay only as long as something is referenced."""

import pytest

from tests.transforms.deid.treating import Row, engine, head_of, said, treated

SERIES, IMAGES, OTHER = 0x00081115, 0x00081140, 0x0008114A
ITEM: list[Row] = [(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), (0x00081155, "UI", "1.2.3.9")]
LIST: Row = (SERIES, "SQ", [[(0x0020000E, "UI", "1.2.3.8"), (OTHER, "SQ", [ITEM])]])
PRESENTATION = "1.2.840.10008.5.1.4.1.1.11.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.mark.req("D-9")
def test_a_list_goes_with_the_last_reference() -> None:
    tree = treated(engine(), head_of((IMAGES, "SQ", [ITEM]), LIST))
    assert IMAGES not in tree
    assert SERIES not in tree


@pytest.mark.req("D-23")
def test_a_list_stays_with_a_reference_and_names_the_same_uid() -> None:
    tree = treated(engine(), head_of((IMAGES, "SQ", [ITEM]), LIST, (OTHER, "SQ", [ITEM])))
    listed = said(tree, SERIES, OTHER, 0x00081155)
    assert listed == said(tree, OTHER, 0x00081155)
    assert listed is not None
    assert listed.startswith("2.25.")


def test_a_list_without_references_was_so_before_and_stays() -> None:
    assert SERIES in treated(engine(), head_of(LIST))


def test_what_a_presentation_state_shows_is_no_mere_list() -> None:
    tree = treated(engine(), head_of((IMAGES, "SQ", [ITEM]), LIST, sop_class=PRESENTATION))
    assert SERIES in tree


@pytest.mark.req("D-9", "D-23")
def test_source_images_of_a_segmentation_stay_as_they_are_listed() -> None:
    source: Row = (0x00082112, "SQ", [ITEM])
    groups: Row = (0x52009230, "SQ", [[(0x00089124, "SQ", [[source]])]])
    tree = treated(engine(), head_of(LIST, groups, sop_class=SEGMENTATION))
    listed = said(tree, SERIES, OTHER, 0x00081155)
    assert said(tree, 0x52009230, 0x00089124, 0x00082112, 0x00081155) == listed
    assert listed not in (None, "1.2.3.9")
