"""STOW-RS: the reasons of C-STORE for classes, syntaxes and sizes, and why nothing is coerced."""

from dataclasses import replace

import pytest

from tests.app.conftest import Complain, faults, read
from tests.flows.conftest import rig
from tests.flows.rig import CT, TINY, Rig, destination, rule
from tests.objects.files import Stored
from tests.objects.samples import as_file, study
from tests.web.living import Living, path_of
from tests.web.test_store import reason, stow
from waystation.dicomweb.store_answer import Outcome, data_set_of, status_of
from waystation.dicomweb.stow import read_answer

__all__ = ("faults", "read", "rig")

WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
MR = "1.2.840.10008.5.1.4.1.1.4"
PRIVATE = "1.2.276.0.99.7"
EDITED = 'edit = [ { set = "InstitutionName", to = "St Mary" } ]\n'


async def start(rig: Rig, config: str = "", dicom: str = "") -> Living:
    await rig.start(config, dicom=dicom)
    return Living(rig)


def of_class(stored: Stored, sop_class: str) -> Stored:
    """Return an object as one of another class, whose UID is no longer."""
    room = len(stored.sop_class) + len(stored.sop_class) % 2
    old, new = (uid.encode().ljust(room, b"\0") for uid in (stored.sop_class, sop_class))
    assert stored.data_set.count(old) == 1
    assert len(old) == len(new)
    return replace(stored, sop_class=sop_class, data_set=stored.data_set.replace(old, new))


@pytest.mark.req("W-97", "E10")
async def test_classes_that_an_association_would_not_take_are_refused_with_0122(rig: Rig) -> None:
    web = await start(rig, dicom=f'refuse = ["{CT.sop_class}"]\nunknown_classes = false')
    images = study(3, seed="classes")
    classes = (WORKLIST_FIND, PRIVATE, MR)
    *odd, kept = (of_class(one, uid) for one, uid in zip(images, classes, strict=True))
    answer = await stow(web, *map(as_file, [CT, *odd, kept]))
    assert answer.status_code == 202
    assert reason(answer) == dict.fromkeys([one.sop_instance for one in (CT, *odd)], 0x0122)
    assert "0122 this SOP class is not stored here" in answer.headers["warning"]
    told = read_answer(answer.content)
    assert told is not None
    assert set(told.stored) == {kept.sop_instance}


@pytest.mark.req("W-97")
async def test_a_transfer_syntax_that_is_no_uid_is_c122(rig: Rig) -> None:
    web = await start(rig)
    answer = await stow(web, as_file(replace(TINY, transfer_syntax="1.2.x")), as_file(CT))
    told = read_answer(answer.content)
    assert told is not None
    assert (told.failed, set(told.stored)) == ({TINY.sop_instance: 0xC122}, {CT.sop_instance})


@pytest.mark.req("W-94", "L23")
async def test_a_part_is_as_large_as_an_object_may_be_and_no_larger(rig: Rig) -> None:
    web = await start(rig, dicom=f'max_object = "{len(CT.data_set)}B"')
    assert (await stow(web, as_file(CT))).status_code == 200
    larger = replace(CT, data_set=CT.data_set + b"\xfc\xff\xfc\xffOB\0\0\0\0\0\0")
    answer = await stow(web, as_file(larger), as_file(TINY))
    assert (answer.status_code, reason(answer)) == (202, {CT.sop_instance: 0xC010})


@pytest.mark.req("W-97", "W-93")
async def test_what_rules_edit_on_its_way_is_kept_as_it_came_and_needs_no_warning(
    rig: Rig, faults: Complain
) -> None:
    # B000, B006 and B007 tell of an object that is kept otherwise than it was sent.
    sink = await rig.sink()
    both = rule("a") + EDITED + rule("archive")
    web = await start(rig, destination("a", sink.port) + both)
    answer = await stow(web, as_file(CT))
    assert answer.status_code == 200
    told = read_answer(answer.content)
    assert told is not None
    assert told.stored == {CT.sop_instance: 0}
    await rig.wait_for({"done": 2})
    got = await web.ask(path_of(CT), accept="application/dicom; transfer-syntax=*")
    assert got.content.endswith(CT.data_set)
    assert sink.objects[0].data_set != CT.data_set
    said = faults(f'[[rule]]\nname = "r"\nsend = ["archive"]\n{EDITED}')
    assert any("the archive keeps objects as they came" in one for one in said)


@pytest.mark.req("W-96", "W-97")
@pytest.mark.parametrize("warning", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_told_beside_what_is_stored(warning: int) -> None:
    one = Outcome(sop_class_uid="1.2", sop_instance_uid="1.3", warning=warning)
    assert status_of([one]) == 202
    (item,) = data_set_of([one], "http://x")["00081199"]["Value"]
    assert item["00081196"] == {"vr": "US", "Value": [warning]}
    assert "00081198" not in data_set_of([one], "http://x")
