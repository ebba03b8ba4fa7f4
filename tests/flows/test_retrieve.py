"""C-MOVE and C-GET asked of a node: destinations, counts, failures, cancel, bytes as stored."""

from collections.abc import Mapping, Sequence

import pytest

from tests.flows.asking import (
    IMAGE,
    SERIES,
    STUDY,
    Taken,
    ask,
    counts,
    failed_uids,
    identifier,
    open_call,
    study_of,
)
from tests.flows.rig import Rig
from tests.net.sink import ABORT, OPEN_GATE, Answer, Sink, until
from tests.objects.files import Stored
from tests.objects.samples import compressed, reencoded, study
from waystation.app.people import People
from waystation.app.view_retrieves import retrieves
from waystation.dicom.uids import (
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    JPEG_BASELINE,
    PATIENT_ROOT_GET,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from waystation.journal import audit
from waystation.model.errors import LostError
from waystation.net.query_call import Answer as Response
from waystation.net.query_call import QueryCall
from waystation.web.view import RetrieveView
from waystation.wire.commands import C_MOVE_RQ, Command

PICTURES = study(6, "one")
UID = study_of(PICTURES[0])
OTHER = study(2, "two")


def peer(name: str, title: str, port: int, extra: str = "") -> str:
    place = f'store_at = {{ host = "127.0.0.1", port = {port} }}\n' if port else ""
    return f'[peer.{name}]\nae_title = "{title}"\n{place}{extra}'


async def filled(rig: Rig, config: str = "", *more: Stored) -> None:
    await rig.start(config)
    await rig.send(*PICTURES)
    await rig.send(*OTHER)
    for one in more:
        await rig.send(one)
    await rig.node.router.settled()


async def move(rig: Rig, to: str = "SINK", level: str = "STUDY", **keys: str) -> list[Response]:
    tags = {"study": STUDY, "series": SERIES, "image": IMAGE}
    named = {tags[word]: text for word, text in (keys or {"study": UID}).items()}
    return await ask(rig, C_MOVE_RQ, level, named, to=to)


async def get(
    rig: Rig,
    taken: Taken,
    keys: dict[int, str],
    storage: Sequence[tuple[str, Sequence[str]]],
    level: str = "STUDY",
) -> Response:
    """Return the final answer to one C-GET."""
    call = await open_call(rig.remote("ASKER"), STUDY_ROOT_GET, storage=storage)
    call.attendant = taken
    context = call.context_of(STUDY_ROOT_GET)
    answers = [one async for one in call.get(context, identifier(level, keys))]
    await call.release()
    return answers[-1]


def pairs(*stored: Stored) -> list[tuple[str, Sequence[str]]]:
    return [(one.sop_class, [one.transfer_syntax]) for one in stored]


@pytest.mark.req("T-42", "T-43", "T-45", "S-47")
async def test_a_move_sends_what_is_stored_in_order_and_tells_who_asked(rig: Rig) -> None:
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port))
    commands: list[Command] = []

    def noted(command: Command) -> Answer:
        commands.append(command)
        return 0

    sink.script = noted
    answers = await move(rig)
    assert (answers[-1].status, counts(answers[-1])) == (0, (None, 6, 0, 0))
    assert [one.data_set for one in sink.objects] == [one.data_set for one in PICTURES]
    assert sink.associations == 1
    assert {command.move_originator_ae for command in commands} == {"ASKER"}
    assert {command.move_originator_message_id for command in commands} == {1}
    assert sink.objects[0].calling_ae == "WAYSTATION"


@pytest.mark.req("T-41", "TT-1")
@pytest.mark.parametrize("uid", [None, "", "*", "1.2.*", "   "])
async def test_a_unique_key_without_a_value_moves_nothing(rig: Rig, uid: str | None) -> None:
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port))
    (answer,) = await ask(
        rig, C_MOVE_RQ, "STUDY", {} if uid is None else {STUDY: uid}, to="SINK", options=b"\1"
    )
    assert answer.status == 0xA900
    assert answer.command.offending_elements == (STUDY,)
    taken = Taken()
    refused = await get(rig, taken, {} if uid is None else {STUDY: uid}, pairs(PICTURES[0]))
    assert refused.status == 0xA900
    assert (sink.objects, taken.objects, sink.associations) == ([], [], 0)


@pytest.mark.req("T-41")
async def test_levels_below_need_every_key_above(rig: Rig) -> None:
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port))
    (answer,) = await move(rig, level="IMAGE", image=PICTURES[0].sop_instance)
    assert (answer.status, answer.command.offending_elements) == (0xA900, (STUDY,))
    image = {IMAGE: f"{PICTURES[1].sop_instance}\\{PICTURES[0].sop_instance}\\1.2.3"}
    found = await ask(rig, C_MOVE_RQ, "IMAGE", image, to="SINK", options=b"\1")
    assert (found[-1].status, counts(found[-1])) == (0, (None, 2, 0, 0))
    both = await move(rig, study=f"{UID}\\{study_of(OTHER[0])}")
    assert counts(both[-1]) == (None, 8, 0, 0)
    nothing = await move(rig, study="1.2.3")
    assert (nothing[-1].status, counts(nothing[-1])) == (0, (None, 0, 0, 0))
    assert nothing[-1].command.error_comment == "no such study"


@pytest.mark.req("T-42", "S-47")
@pytest.mark.parametrize(
    ("policy", "caller", "to", "allowed"),
    [
        ("peers", "", "SINK", True),
        ("peers", "", "NOWHERE", False),
        ("peers", "", "ASKER", False),
        ("same-ae", "", "SINK", False),
        ("same-host", "", "SINK", True),
        ("same-group", 'group = "radiology"\n', "SINK", True),
        ("same-group", 'group = "elsewhere"\n', "SINK", False),
        ("same-group", "", "SINK", False),
    ],
)
async def test_a_move_goes_only_where_the_configuration_lets_it(
    rig: Rig, policy: str, caller: str, to: str, allowed: bool
) -> None:
    sink = await rig.sink()
    config = f'[archive]\nmove_to = "{policy}"\n' + peer("asker", "ASKER", 0, caller)
    await filled(rig, config + peer("sink", "SINK", sink.port, 'group = "radiology"\n'))
    answer = (await move(rig, to=to))[-1]
    assert answer.status == (0 if allowed else 0xA801)
    assert bool(sink.objects) is allowed


@pytest.mark.req("T-43", "TT-31")
async def test_counts_add_up_whatever_the_destination_answers(rig: Rig) -> None:
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port))
    order = [one.sop_instance for one in PICTURES]
    cases: list[tuple[Mapping[int, Answer], int, tuple[int | None, ...], Sequence[int]]] = [
        ({2: 0xA700, 5: 0xC000}, 0xB000, (None, 4, 2, 0), [2, 5]),
        ({0: 0xB000, 3: 0xB007}, 0xB000, (None, 4, 0, 2), []),
        ({1: ABORT}, 0xB000, (None, 5, 1, 0), [1]),
        (dict.fromkeys(range(6), 0xC000), 0xA702, (None, 0, 6, 0), range(6)),
        (dict.fromkeys(range(6), 0xA700), 0xA702, (None, 0, 6, 0), range(6)),
    ]
    for scripted, status, expected, failed in cases:

        def answered(command: Command, by: Mapping[int, Answer] = scripted) -> Answer:
            return by.get(order.index(command.sop_instance_uid), 0)

        sink.script = answered
        answer = (await move(rig))[-1]
        assert (answer.status, counts(answer)) == (status, expected), scripted
        assert failed_uids(answer) == [order[number] for number in failed]


@pytest.mark.req("T-43", "TT-31")
async def test_a_destination_out_of_reach_is_told_after_two_attempts(rig: Rig) -> None:
    sink = await rig.sink(Sink(gate=OPEN_GATE))
    await filled(rig, peer("sink", "SINK", sink.port))
    sink.room = lambda: "full"
    answer = (await move(rig))[-1]
    assert (answer.status, counts(answer)) == (0xA702, (None, 0, 6, 0))
    assert failed_uids(answer) == [one.sop_instance for one in PICTURES]
    assert "rejected" in answer.command.error_comment
    assert len(sink.refused) == 2


@pytest.mark.req("T-43", "TT-31")
@pytest.mark.parametrize("most", [8, 1])
async def test_a_big_study_goes_over_several_associations_as_far_as_the_receiver_takes_them(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("waystation.flows.suboperations.PER_LANE", 2)
    monkeypatch.setattr("waystation.flows.suboperations.CHUNK", 1)
    sink = await rig.sink(Sink(gate=OPEN_GATE))
    sink.room = lambda: "" if sink.open_now < most else "full"
    place = f'{{ host = "127.0.0.1", port = {sink.port}, parallel = 3 }}'
    await filled(rig, f'[peer.sink]\nae_title = "SINK"\nstore_at = {place}\n')
    answer = (await move(rig))[-1]
    assert (answer.status, counts(answer)) == (0, (None, 6, 0, 0))
    assert {one.sop_instance for one in sink.objects} == {one.sop_instance for one in PICTURES}
    assert len(sink.objects) == 6
    assert sink.objects[0].sop_instance == PICTURES[0].sop_instance
    assert answer.command.error_comment == ""
    if most > 1:
        assert sink.associations > 1


@pytest.mark.req("T-43")
async def test_a_destination_that_takes_another_syntax_gets_that(rig: Rig) -> None:
    implicit = reencoded(IMPLICIT_VR_LE, seed="implicit")
    sink = await rig.sink(Sink())
    await filled(rig, peer("sink", "SINK", sink.port), implicit)
    taken = Taken()
    keys = {STUDY: study_of(implicit)}
    same = await get(rig, taken, keys, pairs(implicit))
    assert (same.status, taken.objects[0].data_set) == (0, implicit.data_set)
    other = Taken()
    answer = await get(rig, other, keys, [(implicit.sop_class, [EXPLICIT_VR_LE])])
    assert (answer.status, counts(answer)) == (0, (None, 1, 0, 0))
    assert other.objects[0].transfer_syntax == EXPLICIT_VR_LE
    assert other.objects[0].data_set != implicit.data_set


@pytest.mark.req("T-44")
async def test_an_object_that_was_not_proposed_is_listed_as_failed(rig: Rig) -> None:
    noise = compressed(JPEG_BASELINE, seed="jpeg")
    await filled(rig, "", noise)
    taken = Taken()
    answer = await get(rig, taken, {STUDY: study_of(noise)}, [(noise.sop_class, [IMPLICIT_VR_LE])])
    assert (answer.status, counts(answer)) == (0xA702, (None, 0, 1, 0))
    assert failed_uids(answer) == [noise.sop_instance]
    assert taken.objects == []
    fitting = await get(rig, taken, {STUDY: study_of(noise)}, pairs(noise))
    assert (fitting.status, taken.objects[0].data_set) == (0, noise.data_set)


@pytest.mark.req("T-43", "T-44")
async def test_what_a_requester_refuses_is_counted_and_listed(rig: Rig) -> None:
    await filled(rig)
    bad = PICTURES[2].sop_instance
    taken = Taken(answer=lambda uid: 0xA700 if uid == bad else 0)
    answer = await get(rig, taken, {STUDY: UID}, pairs(PICTURES[0]))
    assert (answer.status, counts(answer)) == (0xB000, (None, 5, 1, 0))
    assert failed_uids(answer) == [bad]
    assert {one.data_set for one in taken.objects} == {
        one.data_set for one in PICTURES if one.sop_instance != bad
    }
    assert all(command.move_originator_ae == "" for command in taken.commands)


@pytest.mark.req("T-44")
async def test_without_the_role_nothing_is_sent_back(rig: Rig) -> None:
    await filled(rig)
    call = await open_call(rig.remote(), STUDY_ROOT_GET)
    context = call.context_of(STUDY_ROOT_GET)
    answers = [one async for one in call.get(context, identifier("STUDY", {STUDY: UID}))]
    assert (answers[-1].status, counts(answers[-1])) == (0xA702, (None, 0, 6, 0))
    await call.release()


@pytest.mark.req("T-45")
async def test_a_cancelled_retrieval_stops_behind_the_object_in_flight(rig: Rig) -> None:
    await filled(rig)
    call = await open_call(rig.remote(), STUDY_ROOT_GET, storage=pairs(PICTURES[0]))

    def third(uid: str) -> int:
        if uid == PICTURES[2].sop_instance:
            call.cancel()
        return 0

    taken = Taken(answer=third)
    call.attendant = taken
    context = call.context_of(STUDY_ROOT_GET)
    answers = [one async for one in call.get(context, identifier("STUDY", {STUDY: UID}))]
    assert answers[-1].status == 0xFE00
    remaining, completed, failed, warning = counts(answers[-1])
    assert completed == len(taken.objects) in (3, 4)
    assert (remaining, failed, warning) == (6 - completed, 0, 0)
    await call.release()


@pytest.mark.req("T-45", "T-46")
async def test_a_requester_that_leaves_ends_its_retrieval(rig: Rig) -> None:
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port))
    calls: list[QueryCall] = []
    seen: list[int] = []

    def leave(_command: Command) -> Answer:
        seen.append(len(rig.node.queries.going))
        calls[0].abort()
        return 0

    sink.script = leave
    call = await open_call(rig.remote(), STUDY_ROOT_MOVE)
    calls.append(call)
    context = call.context_of(STUDY_ROOT_MOVE)
    with pytest.raises(LostError):
        async for _ in call.move(context, identifier("STUDY", {STUDY: UID}), "SINK"):
            pass
    await until(lambda: not rig.node.queries.going)
    assert len(sink.objects) in (1, 2)
    assert seen[0] == 1


@pytest.mark.req("T-46")
async def test_an_operator_can_stop_a_retrieval_and_the_trail_tells_who_took_what(
    rig: Rig,
) -> None:
    rig.makers = (People,)
    sink = await rig.sink()
    await filled(rig, peer("sink", "SINK", sink.port))

    shown: list[RetrieveView] = []

    def stop(_command: Command) -> Answer:
        (going,) = rig.node.queries.going
        shown.extend(retrieves([going]))
        going.stop("anna")
        return 0

    sink.script = stop
    answer = (await move(rig))[-1]
    assert (shown[0].what, shown[0].to) == (f"study {UID}", "SINK")
    await rig.node.database.write(lambda _transaction: None)
    (found,) = await rig.node.database.read(audit.records(event=audit.Event.RETRIEVED))
    assert (found.who, found.what["studies"], found.what["to"]) == ("ASKER", [UID], "SINK")
    assert (found.what["sent"], found.what["sent"] + found.what["not_sent"]) == (
        len(sink.objects),
        6,
    )
    assert answer.status == 0xFE00
    assert counts(answer)[0] == 6 - len(sink.objects)


@pytest.mark.req("S-45")
async def test_rights_decide_who_may_retrieve(rig: Rig) -> None:
    sink = await rig.sink()
    rights = peer("asker", "ASKER", 0, 'rights = ["find"]\n')
    await filled(rig, rights + peer("sink", "SINK", sink.port))
    assert (await move(rig))[-1].status == 0x0124
    taken = Taken()
    assert (await get(rig, taken, {STUDY: UID}, pairs(PICTURES[0]))).status == 0x0124
    assert (sink.objects, taken.objects) == ([], [])


@pytest.mark.req("T-41", "T-37")
async def test_patient_root_needs_the_patient(rig: Rig) -> None:
    await filled(rig)
    call = await open_call(rig.remote(), PATIENT_ROOT_GET, storage=pairs(PICTURES[0]))
    call.attendant = taken = Taken()
    context = call.context_of(PATIENT_ROOT_GET)
    for keys, status, count in (
        ({STUDY: UID}, 0xA900, 0),
        ({STUDY: UID, 0x00100020: "*"}, 0xA900, 0),
        ({STUDY: UID, 0x00100020: "NOBODY"}, 0, 0),
    ):
        answers = [one async for one in call.get(context, identifier("STUDY", keys))]
        assert (answers[-1].status, len(taken.objects)) == (status, count)
    await call.release()
