"""The dictionary gives what pydicom's own functions give, and needs nothing of pydicom."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from pydicom import datadict
from pydicom._dicom_dict import RepeatersDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary

from waystation.dicom import dictionary

REPEATED = [int(form.replace("x", digit), 16) for form in RepeatersDictionary for digit in "024"]


def test_every_entry_and_keyword_is_pydicoms() -> None:
    for keyword, tag in datadict.keyword_dict.items():
        assert dictionary.keywords()[keyword] == tag
        assert dictionary.entry_of(tag) == datadict.get_entry(tag)
    assert len(dictionary.keywords()) == len(datadict.keyword_dict)
    assert dictionary.uids() == UID_dictionary


def test_repeating_groups_are_found_by_their_mask() -> None:
    for tag in REPEATED:
        assert dictionary.entry_of(tag) == datadict.get_entry(tag)


@pytest.mark.parametrize("tag", [0x00111001, 0x00089999, 0x7FE1_0010, 0x6001_0010])
def test_a_tag_that_the_standard_does_not_know_is_a_key_error(tag: int) -> None:
    with pytest.raises(KeyError):
        dictionary.entry_of(tag)


def outcome(ask: Callable[[int, str], str], tag: int, creator: str) -> str:
    try:
        return ask(tag, creator)
    except KeyError:
        return "unknown"


def test_private_elements_have_pydicoms_vr() -> None:
    for creator, block in private_dictionaries.items():
        for form in block:
            tag = int(form.replace("x", "1"), 16)
            wanted = outcome(datadict.private_dictionary_VR, tag, creator)
            assert outcome(dictionary.private_vr, tag, creator) == wanted


@pytest.mark.parametrize("creator", ["NOBODY", "SIEMENS CSA HEADER"])
def test_a_private_element_that_nobody_knows_is_a_key_error(creator: str) -> None:
    with pytest.raises(KeyError):
        dictionary.private_vr(0x00291077, creator)


def test_reading_the_tables_imports_neither_pydicom_nor_numpy() -> None:
    program = (
        "import sys; from waystation.dicom import dictionary as d;"
        "assert d.keywords()['Modality'] == 0x00080060;"
        "assert d.entry_of(0x60000010)[0] == 'US' and d.uids() and d.private_blocks();"
        "assert not {'pydicom', 'numpy', 'pydicom._dicom_dict'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
