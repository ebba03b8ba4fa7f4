"""Text of every character set through a whole node: received, archived, found, edited, sent."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, el
from tests.flows.asking import STUDY, ask, heads, open_call
from tests.flows.rig import Rig, destination
from tests.net.sink import Sink
from tests.objects.files import Stored
from waystation.dicom.charset_doubts import warning_of
from waystation.dicom.charsets import decode, encode
from waystation.dicom.head import Head
from waystation.dicom.uids import STUDY_ROOT_FIND
from waystation.dicom.value_bytes import value_bytes
from waystation.index.proof import Proof
from waystation.wire.commands import C_FIND_RQ

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
INSTITUTION, NAME, DESCRIPTION = 0x00080080, 0x00100010, 0x00081030
RULES = """
[[rule]]
name = "as it is"
send = ["archive", "a"]
[[rule]]
name = "edited"
send = ["b"]
edit = [ { set = "InstitutionName", to = "St Mary" } ]
"""
Case = dict[str, Any]


def cases(golden: Path) -> list[Case]:
    text = (golden / "charset" / "cases.json").read_text(encoding="utf-8")
    return list(json.loads(text)["cases"])


def uid_of(number: int, *, named: bool) -> str:
    return f"1.2.36.{number}.{int(named)}"


def made(elements: dict[int, tuple[str, bytes]], charset: str, uid: str) -> Stored:
    """Return a small object with these elements."""
    whole = elements | {
        0x00080016: ("UI", SECONDARY_CAPTURE.encode()),
        0x00080018: ("UI", f"{uid}.3".encode()),
        STUDY: ("UI", uid.encode()),
        0x0020000E: ("UI", f"{uid}.2".encode()),
        0x00100020: ("LO", uid.encode()),
    }
    if charset:
        whole[0x00080005] = ("CS", charset.encode())
    return Stored(
        sop_class=SECONDARY_CAPTURE,
        sop_instance=f"{uid}.3",
        transfer_syntax=EXPLICIT,
        data_set=b"".join(
            el(tag, vr, raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2))
            for tag, (vr, raw) in sorted(whole.items())
        ),
    )


def elements_of(case: Case) -> dict[int, tuple[str, bytes]]:
    return {int(one["tag"], 16): (one["vr"], bytes.fromhex(one["hex"])) for one in case["elements"]}


def by_uid(sink: Sink) -> dict[str, bytes]:
    return {one.sop_instance: one.data_set for one in sink.objects}


async def found(rig: Rig, keys: dict[int, str], charset: str) -> list[Head]:
    """Ask for studies by texts, written in a character set; return the answers."""
    call = await open_call(rig.remote("ASKER"), STUDY_ROOT_FIND)
    asked: dict[int, tuple[str, bytes]] = {
        0x00080005: ("CS", charset.encode()),
        0x00080052: ("CS", b"STUDY "),
        STUDY: ("UI", b""),
        NAME: ("PN", b""),
        DESCRIPTION: ("LO", b""),
    }
    asked |= {
        tag: (vr, value_bytes([text], vr, charset))
        for tag, text in keys.items()
        for vr in [asked[tag][0]]
    }
    data = b"".join(
        el(tag, vr, raw + b" " * (len(raw) % 2)) for tag, (vr, raw) in sorted(asked.items())
    )
    answers = [answer async for answer in call.find(call.context_of(STUDY_ROOT_FIND), data)]
    await call.release()
    assert answers[-1].status == 0
    return heads(answers)


@pytest.mark.req("TT-19", "TT-20", "T-25", "T-26", "T-27", "T-2")
async def test_every_golden_case_is_kept_byte_for_byte_and_found_as_text(
    golden: Path, rig: Rig
) -> None:
    known = cases(golden)
    sent = {
        uid_of(number, named=named): made(
            elements_of(case),
            case["SpecificCharacterSet"] if named else "",
            uid_of(number, named=named),
        )
        for number, case in enumerate(known)
        for named in (True, False)
    }
    plain, edited = await rig.sink(), await rig.sink()
    await rig.start(destination("a", plain.port) + destination("b", edited.port) + RULES)
    await rig.accepted(*sent.values())
    await rig.wait_for({"done": 3 * len(sent)})  # the archive is a destination too
    as_it_is, after_edit = by_uid(plain), by_uid(edited)
    for uid, stored in sent.items():
        assert as_it_is[f"{uid}.3"] == stored.data_set
        before = Head.from_bytes(stored.data_set, EXPLICIT)
        after = Head.from_bytes(after_edit[f"{uid}.3"], EXPLICIT)
        assert after.raw(INSTITUTION) == b"St Mary "
        assert {tag: before.raw(tag) for tag in before.elements} == {
            tag: after.raw(tag) for tag in after.elements if tag != INSTITUTION
        }
    for number, case in enumerate(known):
        if case["class"] != "P":
            await _is_found(rig, case, uid_of(number, named=True))


async def _is_found(rig: Rig, case: Case, uid: str) -> None:
    """Ask in UTF-8 and in the set of the case; the answer says the same text, and names its set."""
    elements, declared = elements_of(case), case["SpecificCharacterSet"]
    tag = NAME if NAME in elements else DESCRIPTION
    vr, raw = elements[tag]
    text = decode(raw, declared, vr)
    assert decode(encode(text, "ISO_IR 192", vr), "ISO_IR 192", vr) == text
    for charset in ("ISO_IR 192", declared):
        answers = await found(rig, {tag: text}, charset)
        (own,) = [head for head in answers if head.text(STUDY) == uid]
        said = own.values(f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        assert [str(one).rstrip(" =") for one in said or ()] == [text.rstrip(" =")], case["name"]
        assert text.isascii() or own.charset(""), case["name"]


@pytest.mark.req("TT-21", "T-24")
async def test_one_value_that_cannot_be_read_spoils_no_other(rig: Rig) -> None:
    elements = {
        NAME: ("PN", "Müller^Jörg".encode()),
        DESCRIPTION: ("LO", b"CT \xff\xfe head"),
        0x00104000: ("LT", "größer".encode()),
    }
    stored = made(elements, "ISO_IR 192", "1.2.36.99")
    assert warning_of(Head.from_bytes(stored.data_set, EXPLICIT)) == (
        "character set: StudyDescription: it holds bytes that its character set does not have"
    )
    sink = await rig.sink()
    rules = '[[rule]]\nname = "all"\nwhen = { PatientName = "Müller*" }\nsend = ["archive", "a"]\n'
    await rig.start(destination("a", sink.port) + rules)
    await rig.accepted(stored)
    await rig.wait_for({"done": 2})
    (got,) = sink.objects
    assert got.data_set == stored.data_set
    (answer,) = await found(rig, {NAME: "müller^j*"}, "ISO_IR 192")
    assert answer.values("PatientName") == ["Müller^Jörg"]
    assert answer.values("StudyDescription") == ["CT \ufffd\ufffd head"]


@pytest.mark.req("T-25")
async def test_bytes_that_nobody_named_are_read_by_the_guesses_of_the_peer(rig: Rig) -> None:
    peer = '[peer.old]\nae_title = "ASKER"\ncharset_guess = ["ISO_IR 144"]\n'
    await rig.start(peer, dicom='peers = "any"')
    await rig.accepted(made({NAME: ("PN", "Ж".encode("iso8859-5"))}, "ISO_IR 144", "1.2.36.98"))
    call = await open_call(rig.remote("ASKER"), STUDY_ROOT_FIND)
    asked = el(0x00080052, "CS", b"STUDY ") + el(NAME, "PN", b"\xb6 ") + el(STUDY, "UI", b"")
    answers = [answer async for answer in call.find(call.context_of(STUDY_ROOT_FIND), asked)]
    await call.release()
    (head,) = heads(answers)
    assert head.values("PatientName") == ["Ж"]


@pytest.mark.req("T-25", "T-35")
@pytest.mark.parametrize("way", ["at once", "by its lane"])
async def test_objects_that_name_no_set_are_found_by_the_guesses_of_their_sender(
    rig: Rig, way: str
) -> None:
    peer = '[peer.old]\nae_title = "CT1"\ncharset_guess = ["ISO_IR 192", "ISO_IR 144"]\n'
    await rig.start(peer, dicom='peers = "any"')
    if way == "by its lane":
        await rig.node.pause_lane("archive", "me")
    comment = 0x00204000
    elements = {
        NAME: ("PN", "Иванов^Пётр".encode("iso8859-5")),
        DESCRIPTION: ("LO", b"HEAD"),
        comment: ("LT", "снимок".encode("iso8859-5")),
    }
    stored = made(elements, "", "1.2.36.97")
    await rig.accepted(stored)
    if way == "by its lane":
        await rig.node.resume_lane("archive")
        await rig.wait_for({"done": 1})
    await rig.node.router.settled()
    for name in ("иванов*", "Иванов^Пётр"):
        (answer,) = await found(rig, {NAME: name}, "ISO_IR 192")
        assert answer.values("PatientName") == ["Иванов^Пётр"]
        assert answer.charset("") == "ISO_IR 144"
    keys = {STUDY: "1.2.36.97", 0x0020000E: "1.2.36.97.2", 0x00080018: "", comment: ""}
    (image,) = heads(await ask(rig, C_FIND_RQ, "IMAGE", keys))
    assert image.values("ImageComments") == ["снимок"]
    # Nothing of the object is another, and an index that is made anew says the same.
    (row,) = await rig.rows("SELECT sha256 FROM arrival")
    assert bytes(row[0]) == hashlib.sha256(stored.data_set).digest()
    proof = Proof(rig.node.database, rig.node.archivist.heads)
    assert [finding async for finding in proof.run()] == []
