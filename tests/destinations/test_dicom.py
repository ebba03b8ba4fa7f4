"""What only the DICOM destination does: associations, contexts, titles, and lost answers."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.destinations.making import DicomWay, load_of, outcomes_of
from tests.net.sink import ABORT, CUT, SHORT, SILENT, TWICE, Answer, Sink, running, until
from tests.objects.samples import study
from waystation.destinations.dicom import DicomDestination, DicomSettings
from waystation.model.errors import UnreachableError
from waystation.model.outcome import Deferred, Delivered, Fault
from waystation.model.peer import Remote, TlsFiles
from waystation.net.client import Call
from waystation.net.tls import server_context


@pytest.mark.req("S-7", "O4", "R-61")
@pytest.mark.parametrize("how", [ABORT, CUT, SILENT])
async def test_an_object_without_an_answer_is_unknown_and_the_batch_stops(how: Answer) -> None:
    async with running() as sink:
        way = DicomWay(sink)
        batch, cargo = load_of(study(3))
        answers: list[Answer] = [0, how]
        sink.script = lambda _: answers.pop(0)
        found = await outcomes_of(way, batch, cargo)
        assert [number for number, _ in found] == [1, 2]
        unknown = found[1][1]
        assert isinstance(unknown, Deferred)
        assert unknown.fault is Fault.UNKNOWN
        sink.script = lambda _: 0
        again = await outcomes_of(way, batch[1:], cargo)
        assert all(isinstance(outcome, Delivered) for _, outcome in again)
        assert sink.objects[-1].association == 2
        await way.destination.close()


@pytest.mark.req("S-7")
async def test_one_success_said_twice_delivers_one_object() -> None:
    async with running() as sink:
        way = DicomWay(sink)
        batch, cargo = load_of(study(2))
        answers: list[Answer] = [TWICE, 0xA900]
        sink.script = lambda _: answers.pop(0) if answers else 0xA900
        found = dict(await outcomes_of(way, batch, cargo))
        assert isinstance(found[1], Delivered)
        assert not isinstance(found.get(2), Delivered)
        await way.destination.close()


@pytest.mark.req("S-7")
async def test_sending_that_is_given_up_leaves_no_association_to_be_used_again() -> None:
    async with running(Sink(script=lambda _: SILENT)) as sink:
        way = DicomWay(sink)
        batch, cargo = load_of(study(2))
        task = asyncio.create_task(outcomes_of(way, batch, cargo))
        await until(lambda: sink.objects)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sink.script = lambda _: 0
        found = await outcomes_of(way, batch, cargo)
        assert [type(outcome) for _, outcome in found] == [Delivered, Delivered]
        assert {one.association for one in sink.objects[1:]} == {2}
        await way.destination.close()


@pytest.mark.req("R-61", "RT-10")
async def test_more_contexts_than_an_association_may_have_take_another_one() -> None:
    objects = study(130)
    mixed = [
        replace(one, transfer_syntax=f"1.2.840.10008.1.2.4.{1000 + number}")
        for number, one in enumerate(objects)
    ]
    async with running() as sink:
        way = DicomWay(sink)
        batch, cargo = load_of(mixed)
        found = await outcomes_of(way, batch, cargo)
        assert all(isinstance(outcome, Delivered) for _, outcome in found)
        assert sink.associations == 2
        await way.destination.close()


@pytest.mark.req("O7", "N-21")
@pytest.mark.parametrize("broken", ["ca", "trust"])
async def test_a_tls_fault_of_a_file_blocks_instead_of_backing_off(
    tmp_path: Path, broken: str
) -> None:
    own, other = trustme.CA(), trustme.CA()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate = own.issue_cert("127.0.0.1")
    chain.write_bytes(certificate.cert_chain_pems[0].bytes())
    key.write_bytes(certificate.private_key_pem.bytes())
    ca = tmp_path / "ca.pem"
    other.cert_pem.write_to_path(str(ca))
    if broken == "ca":
        ca.write_text("nothing\n")
    context = server_context(TlsFiles(certificate=str(chain), key=str(key), client_auth="off"))
    async with running(tls=context) as sink:
        remote = sink.remote(tls=TlsFiles(ca=str(ca)))
        way = DicomDestination("x", DicomSettings(remote=remote, waits=SHORT))
        batch, cargo = load_of(study(2))
        found = [outcome async for _, outcome in way.send(batch, cargo)]
        probed = await way.probe()
        for outcome in (*found, probed):
            assert isinstance(outcome, Deferred)
            assert outcome.fault is Fault.PEER
        await way.close()


@pytest.mark.req("R-57")
async def test_a_receiver_without_verification_answers_a_probe_by_its_association(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as sink:
        way = DicomWay(sink)
        assert await way.destination.probe() is None
        assert sink.echoes == 1
        monkeypatch.setattr("waystation.destinations.dicom.VERIFICATION", "1.2.840.10008.9.9")
        assert await way.destination.probe() is None
        assert (sink.associations, sink.echoes) == (2, 1)
        await way.destination.close()


@pytest.mark.req("O3")
async def test_nobody_there_is_transient_and_one_attempt_only() -> None:
    async with running() as sink:
        port = sink.port
    remote = Remote(name="x", ae_title="SINK", host="127.0.0.1", port=port)
    way = DicomDestination("x", DicomSettings(remote=remote, waits=SHORT))
    batch, cargo = load_of(study(3))
    cargo.corrupt = {1}
    found = [(done.id, outcome) async for done, outcome in way.send(batch, cargo)]
    assert way.associations_opened == 1
    assert len(found) == 1
    probed = await way.probe()
    assert isinstance(probed, Deferred)
    assert probed.fault is Fault.TRANSIENT
    await way.close()


async def test_a_receiver_without_room_is_asked_again_without_ours_that_linger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as sink:
        way = DicomWay(sink)
        way.destination = DicomDestination(
            "x", DicomSettings(remote=sink.remote(), waits=SHORT, linger_s=60.0)
        )
        opens = Call.open

        async def full(*given: Any) -> Call:
            if sink.open_now:
                raise UnreachableError("rejected", "local limit exceeded")
            return await opens(*given)

        monkeypatch.setattr(Call, "open", full)
        for seed in ("a", "b"):
            batch, cargo = load_of(study(2, seed=seed))
            batch = [replace(one, study_uid=seed) for one in batch]
            found = await outcomes_of(way, batch, cargo)
            assert [type(outcome) for _, outcome in found] == [Delivered, Delivered]
        await way.destination.close()
