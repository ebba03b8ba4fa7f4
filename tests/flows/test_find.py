"""C-FIND asked of a node: statuses, negotiation, rights, cancel and limits."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest

from tests.flows.asking import (
    LEVEL,
    SERIES,
    STUDY,
    ask,
    heads,
    identifier,
    open_call,
    study_of,
)
from tests.flows.rig import Rig
from tests.objects.samples import study
from waystation.dicom.uids import EXPLICIT_VR_LE, STUDY_ROOT_FIND
from waystation.flows import find, hierarchy
from waystation.model.errors import UnreachableError
from waystation.model.peer import Remote
from waystation.model.query import Query, Record, Row
from waystation.wire.commands import C_FIND_RQ
from waystation.wire.items import Extended

ONE, TWO = study(3, "one"), study(2, "two")
AREA = '[archive.area.teaching]\nae_title = "TEACH"\n'


async def filled(rig: Rig, config: str = "", dicom: str = "") -> None:
    await rig.start(config, dicom=dicom)
    await rig.send(*ONE)
    await rig.send(*TWO)
    await rig.node.router.settled()


def searching_by(rig: Rig, search: Callable[[Query, str], AsyncGenerator[Record, None]]) -> None:
    """Put another search in the place of the index's."""
    finding = rig.node.queries.services[STUDY_ROOT_FIND]
    assert isinstance(finding, find.Finding)
    finding.catalogue = replace(finding.catalogue, search=search)


@pytest.mark.req("T-37", "T-40")
async def test_answers_say_where_to_retrieve_and_that_it_is_there(rig: Rig) -> None:
    await filled(rig)
    answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: "", 0x00201208: ""})
    assert [answer.status for answer in answers] == [0xFF00, 0xFF00, 0x0000]
    found = {head.text(STUDY): head for head in heads(answers)}
    assert set(found) == {study_of(ONE[0]), study_of(TWO[0])}
    for head in found.values():
        assert head.text(LEVEL) == "STUDY"
        assert head.text(hierarchy.RETRIEVE_AE) == "WAYSTATION"
        assert head.text(hierarchy.AVAILABILITY) == "ONLINE"
    assert found[study_of(ONE[0])].values("NumberOfStudyRelatedInstances") == ["3"]


@pytest.mark.req("T-38", "T-40", "T-14")
async def test_bad_identifiers_name_their_key(rig: Rig) -> None:
    await filled(rig)
    cases = [
        ("SERIES", {SERIES: ""}, STUDY),
        ("BANANA", {STUDY: ""}, LEVEL),
        ("STUDY", {0x00080020: "2020-01-01"}, 0x00080020),
    ]
    for level, keys, element in cases:
        (answer,) = await ask(rig, C_FIND_RQ, level, keys)
        assert answer.status == 0xA900
        assert answer.command.offending_elements == (element,)
        assert answer.command.error_comment
        assert "2020" not in answer.command.error_comment


@pytest.mark.req("T-14")
async def test_a_peer_that_gives_up_at_a900_may_hear_that_nothing_matches(rig: Rig) -> None:
    await filled(rig, '[peer.old]\nae_title = "ASKER"\nbad_values = "no-match"\n')
    (answer,) = await ask(rig, C_FIND_RQ, "STUDY", {0x00080020: "2020-01-01"})
    assert answer.status == 0
    (answer,) = await ask(rig, C_FIND_RQ, "SERIES", {SERIES: ""})
    assert answer.status == 0xA900


@pytest.mark.req("T-15", "T-40")
async def test_unknown_keys_turn_pending_into_ff01(rig: Rig) -> None:
    await filled(rig)
    answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: study_of(ONE[0]), 0x00091001: ""})
    assert [answer.status for answer in answers] == [0xFF01, 0]
    strict = '[archive]\nidentifiers = "strict"\n'
    await rig.restart(strict)
    (answer,) = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: study_of(ONE[0]), 0x00091001: ""})
    assert answer.status == 0xA900


@pytest.mark.req("T-39")
@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        (bytes((1, 1, 1, 1, 1, 1, 1)), bytes((1, 1, 1, 1, 0, 1, 1))),
        (bytes((1, 0, 1)), bytes((1, 0, 1))),
        (bytes((0, 1)), bytes((0, 1))),
        (bytes((1,) * 9), bytes((1, 1, 1, 1, 0, 1, 1))),
    ],
)
async def test_extended_negotiation_is_answered_byte_by_byte(
    rig: Rig, asked: bytes, accepted: bytes
) -> None:
    await rig.start()
    call = await open_call(rig.remote(), STUDY_ROOT_FIND, options=asked)
    assert call.accepted is not None
    assert call.accepted.extended == (Extended(STUDY_ROOT_FIND, accepted),)
    await call.release()
    plain = await open_call(rig.remote(), STUDY_ROOT_FIND)
    assert plain.accepted is not None
    assert plain.accepted.extended == ()
    await plain.release()


@pytest.mark.req("T-38", "T-39")
async def test_only_what_was_negotiated_or_configured_is_relational(rig: Rig) -> None:
    await filled(rig)
    keys = {SERIES: "", 0x00100010: ""}
    (refused,) = await ask(rig, C_FIND_RQ, "SERIES", keys)
    assert refused.status == 0xA900
    answers = await ask(rig, C_FIND_RQ, "SERIES", keys, options=b"\1")
    assert [answer.status for answer in answers] == [0xFF00, 0xFF00, 0]
    await rig.restart('[archive]\nrelational = "always"\n')
    assert (await ask(rig, C_FIND_RQ, "SERIES", keys))[-1].status == 0
    await rig.restart('[archive]\nrelational = "never"\n')
    (refused,) = await ask(rig, C_FIND_RQ, "SERIES", keys, options=b"\1")
    assert refused.status == 0xA900
    old = '[archive]\nrelational = "never"\n[peer.old]\nae_title = "ASKER"\nrelational = true\n'
    await rig.restart(old)
    assert (await ask(rig, C_FIND_RQ, "SERIES", keys))[-1].status == 0


@pytest.mark.req("S-45", "T-69")
async def test_a_peer_without_the_right_is_refused(rig: Rig) -> None:
    await filled(rig, '[peer.ct]\nae_title = "ASKER"\nrights = ["store", "echo"]\n')
    (answer,) = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: ""})
    assert answer.status == 0x0124
    config = '[peer.ct]\nae_title = "CT1"\nrights = ["find"]\n'
    await rig.restart(config)
    (stored,) = await rig.send(study(1, "three")[0])
    assert stored.status == 0x0124


@pytest.mark.req("T-36", "T-69")
async def test_an_area_shows_its_part_to_its_peers(rig: Rig) -> None:
    one = study_of(ONE[0])
    peers = '[peer.a]\nae_title = "ASKER"\n[peer.b]\nae_title = "OTHER"\n'
    when = f'peers = ["a"]\nrights = ["find"]\nwhen = {{ StudyInstanceUID = "{one}" }}\n'
    await filled(rig, AREA + when + peers)
    remote = rig.remote("ASKER")

    def through(called: str, calling: str) -> Remote:
        return replace(remote, ae_title=called, calling_ae=calling)

    for level, keys in (("STUDY", {STUDY: ""}), ("SERIES", {STUDY: one, SERIES: ""})):
        answers = await ask(rig, C_FIND_RQ, level, keys, remote=through("TEACH", "ASKER"))
        assert [head.text(STUDY) for head in heads(answers)] == [one]
    hidden = {STUDY: study_of(TWO[0]), SERIES: ""}
    answers = await ask(rig, C_FIND_RQ, "SERIES", hidden, remote=through("TEACH", "ASKER"))
    assert [answer.status for answer in answers] == [0]
    for called, calling, reason in (("TEACH", "OTHER", "1/1/3"), ("NOWHERE", "ASKER", "1/1/7")):
        with pytest.raises(UnreachableError, match=reason):
            await open_call(through(called, calling), STUDY_ROOT_FIND)


@pytest.mark.req("T-18", "T-40")
async def test_a_search_that_finds_nothing_for_long_is_cancelled_at_once(rig: Rig) -> None:
    await rig.start()
    ended = asyncio.Event()

    async def endless(_query: Query, _title: str) -> AsyncGenerator[Record, None]:
        try:
            yield Row({STUDY: ("1.2",)})
            await asyncio.sleep(60)
        finally:
            ended.set()

    searching_by(rig, endless)
    call = await open_call(rig.remote(), STUDY_ROOT_FIND)
    context = call.context_of(STUDY_ROOT_FIND)
    statuses = []
    async for answer in call.find(context, identifier("STUDY", {STUDY: ""})):
        statuses.append(answer.status)
        if len(statuses) == 1:
            call.cancel()
    assert statuses == [0xFF00, 0xFE00]
    assert ended.is_set()
    ended.clear()
    # Whoever leaves without a word frees the search, too.
    asked = call.find(context, identifier("STUDY", {STUDY: ""}))
    await anext(asked)
    call.abort()
    async with asyncio.timeout(30):
        await ended.wait()
    await asked.aclose()


@pytest.mark.req("T-18", "T-40")
async def test_too_many_matches_end_with_a700_and_no_success(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MOST", 1)
    await filled(rig)
    answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: ""})
    assert [answer.status for answer in answers] == [0xFF00, 0xA700]
    assert "narrow the query" in answers[-1].command.error_comment


@pytest.mark.req("T-40")
async def test_a_search_that_breaks_is_a_failure_and_no_end(rig: Rig) -> None:
    await rig.start()

    async def broken(_query: Query, _title: str) -> AsyncGenerator[Record, None]:
        yield Row({STUDY: ("1.2",)})
        raise OSError("the index is out of reach")

    searching_by(rig, broken)
    answers = await ask(rig, C_FIND_RQ, "STUDY", {STUDY: ""})
    assert [answer.status for answer in answers] == [0xFF00, 0xC000]
    assert answers[-1].command.error_comment == "internal failure"


@pytest.mark.req("T-40")
async def test_an_identifier_beyond_its_limit_is_refused_and_the_association_lives(
    rig: Rig,
) -> None:
    await filled(rig)
    call = await open_call(rig.remote(), STUDY_ROOT_FIND)
    context = call.context_of(STUDY_ROOT_FIND)
    long = identifier("STUDY", {STUDY: ""}) + bytes(2 << 20)
    assert [answer.status async for answer in call.find(context, long)] == [0xA700]
    short = identifier("STUDY", {STUDY: study_of(ONE[0])})
    assert [answer.status async for answer in call.find(context, short)] == [0xFF00, 0]
    assert call.contexts[context.id].transfer_syntax == EXPLICIT_VR_LE
    await call.release()


@pytest.mark.req("T-40")
async def test_the_next_request_may_follow_the_final_response_at_once(rig: Rig) -> None:
    await filled(rig)
    call = await open_call(rig.remote(), STUDY_ROOT_FIND)
    context = call.context_of(STUDY_ROOT_FIND)
    asked = identifier("STUDY", {STUDY: study_of(ONE[0])})
    for _ in range(50):
        assert [answer.status async for answer in call.find(context, asked)] == [0xFF00, 0]
    await call.release()
