"""What a C-GET proposes."""

import pytest

from waystation.app.holdings import Holdings, anything
from waystation.app.identifier import Identifier
from waystation.app.retrieving import contexts_of, together
from waystation.dicom.uids import (
    CT_IMAGE_STORAGE,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    MR_IMAGE_STORAGE,
    STUDY_ROOT_GET,
    storage_classes,
)
from waystation.flows.get_contexts import COMPRESSED, by_modality


def syntaxes_of(sop_class: str, holdings: Holdings) -> list[tuple[str, ...]]:
    contexts = contexts_of(STUDY_ROOT_GET, holdings)
    assert len(contexts) <= 128
    assert contexts[0].abstract_syntax == STUDY_ROOT_GET
    return [one.transfer_syntaxes for one in contexts if one.abstract_syntax == sop_class]


def test_few_classes_get_a_context_for_each_syntax() -> None:
    found = syntaxes_of(CT_IMAGE_STORAGE, Holdings([CT_IMAGE_STORAGE, MR_IMAGE_STORAGE]))
    assert found == [(one,) for one in (EXPLICIT_VR_LE, IMPLICIT_VR_LE, *COMPRESSED)]
    told = Holdings([CT_IMAGE_STORAGE], syntaxes=())
    assert syntaxes_of(CT_IMAGE_STORAGE, told) == [(EXPLICIT_VR_LE,), (IMPLICIT_VR_LE,)]


def test_many_classes_share_what_there_is_room_for() -> None:
    unknown = syntaxes_of(CT_IMAGE_STORAGE, anything())
    assert unknown == [(EXPLICIT_VR_LE,), (IMPLICIT_VR_LE,), COMPRESSED]
    every = sorted(storage_classes())
    fifty = syntaxes_of(every[0], Holdings(every[:50]))
    assert fifty == [(EXPLICIT_VR_LE, IMPLICIT_VR_LE), COMPRESSED]
    hundred = syntaxes_of(every[0], Holdings(every[:100]))
    assert hundred == [(EXPLICIT_VR_LE, IMPLICIT_VR_LE, *COMPRESSED)]


def test_a_modality_narrows_the_classes_down_and_an_unknown_one_does_not() -> None:
    assert CT_IMAGE_STORAGE in by_modality(["CT", "SR"])
    assert MR_IMAGE_STORAGE not in by_modality(["CT", "SR"])
    assert by_modality(["CT", "XYZ"]) == by_modality([]) == []


@pytest.mark.req("T-44")
def test_studies_that_would_have_to_share_a_compressed_context_go_over_several_associations() -> (
    None
):
    every = sorted(storage_classes())
    asked = [Identifier({}) for _ in range(6)]
    found = [Holdings(every[at : at + 3]) for at in (0, 3, 6, 9, 0, 1)]
    groups = together(asked, found)
    assert [len(members) for members, _ in groups] == [2, 2, 2]
    assert [one for members, _ in groups for one in members] == asked
    for members, holdings in groups:
        assert len(members) == 2
        assert len(syntaxes_of(holdings.classes[0], holdings)) == 2 + len(COMPRESSED)
    native = [Holdings(every[:3], syntaxes=())] * 6
    assert len(together(asked, native)) == 1
