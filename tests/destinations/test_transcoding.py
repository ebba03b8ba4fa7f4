"""Receivers that do not take what is stored (RT-10): what they get instead, and what is held."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tests.destinations.making import load_of
from tests.destinations.receiving import outcomes, sent, towards
from tests.net.sink import PATIENT, running
from tests.objects import public
from tests.objects.files import Stored
from tests.objects.samples import in_syntax, sample
from tests.peers.pynetdicom_scp import ScriptedScp
from waystation.codecs.pool import CodecPool
from waystation.destinations import contexts
from waystation.destinations.dicom import DicomDestination, DicomSettings
from waystation.dicom.uids import sop_classes
from waystation.model.delivery import HoldReason
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    public.IMPLICIT,
    public.EXPLICIT,
    public.BIG,
    public.DEFLATED,
)
BASELINE, VIDEO, JPEG_LS = (
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.80",
)
TOUCHED = frozenset({0x7FE00010, 0x00280004, 0x00280006, 0x00282110})
# All in one study, as far as a lane can tell.
EVERYTHING = [one for one in public.distinct().values() if one.sop_class.startswith("1.2.840")]


def held_for_context(outcome: Outcome) -> bool:
    """Tell whether no context fits: seen just now, or known from the object before."""
    if isinstance(outcome, Refused):
        return outcome.reason is HoldReason.NO_CONTEXT and outcome.why.startswith("refused before")
    return isinstance(outcome, Deferred) and outcome.fault is Fault.CONTEXT


def same_pixels(got: Stored, given: Stored) -> bool:
    if given.transfer_syntax in public.PLAIN:
        return np.array_equal(public.pixels(got), public.pixels(given))
    return public.pixels(got) is not None


@pytest.mark.peer
@pytest.mark.req("RT-10", "R-61", "R-62", "R-63", "N-22")
@pytest.mark.parametrize("policy", ["uncompressed", "decompress"])
async def test_a_receiver_of_implicit_little_endian_gets_every_public_object_equal_by_value(
    codecs: CodecPool, policy: str
) -> None:
    with ScriptedScp(syntaxes=[IMPLICIT]) as scp:
        way = towards(scp, policy, codecs)
        found = await sent(way, EVERYTHING)
        await way.close()
    arrived = {one.sop_instance: one for one in scp.seen.stored}
    for one in EVERYTHING:
        outcome = found[one.sop_instance]
        plain = one.transfer_syntax in public.PLAIN
        if not plain and policy == "uncompressed":
            assert held_for_context(outcome)
            assert one.sop_instance not in arrived
            continue
        assert isinstance(outcome, Delivered), (one.transfer_syntax, outcome)
        got = arrived[one.sop_instance]
        assert got.transfer_syntax == IMPLICIT
        if one.transfer_syntax == IMPLICIT:
            assert got.data_set == one.data_set
            assert outcome == Delivered()
            continue
        assert (outcome.syntax, outcome.sha256) == (IMPLICIT, got.digest)
        assert "sent as Implicit VR" in outcome.detail
        assert public.values(got, leave_out=TOUCHED) == public.values(one, leave_out=TOUCHED)
        assert same_pixels(got, one)
    assert len(scp.seen.associations) == 1


@pytest.mark.peer
@pytest.mark.req("RT-10", "R-62", "R-64", "O8", "F13")
@pytest.mark.parametrize("policy", contexts.POLICIES)
async def test_a_receiver_of_jpeg_baseline_gets_only_that_and_nothing_is_made_lossy(
    codecs: CodecPool, policy: str
) -> None:
    with ScriptedScp(syntaxes=[BASELINE]) as scp:
        way = towards(scp, policy, codecs)
        found = await sent(way, EVERYTHING)
        await way.close()
    wanted = [one for one in EVERYTHING if one.transfer_syntax == BASELINE]
    assert len(wanted) > 3
    assert scp.digests() == {one.sop_instance: one.digest for one in wanted}
    for one in EVERYTHING:
        outcome = found[one.sop_instance]
        assert isinstance(outcome, Delivered) is (one in wanted)
        if not isinstance(outcome, Delivered):
            assert held_for_context(outcome)
            assert "not supported" in outcome.why
    assert len(scp.seen.associations) == 1


@pytest.mark.peer
@pytest.mark.req("RT-10", "R-64", "O8", "F13")
async def test_a_receiver_of_nothing_costs_one_association_and_later_objects_none() -> None:
    objects = [sample("tiny", seed=number) for number in range(5)]
    with ScriptedScp(syntaxes=[VIDEO]) as scp:
        way = towards(scp, "uncompressed")
        first = await sent(way, objects[:3])
        assert way.associations_opened == 1
        assert [type(outcome) for outcome in first.values()] == [Deferred, Refused, Refused]
        later = await sent(way, objects[3:])
        assert way.associations_opened == 1
        for outcome in later.values():
            assert isinstance(outcome, Refused)
            assert outcome.reason is HoldReason.NO_CONTEXT
            assert "Implicit VR Little Endian: " in outcome.why
        # What a person releases is tried in earnest, over one association again.
        batch, cargo = load_of(objects)
        again = await outcomes(way, [replace(one, attempts=1) for one in batch], cargo)
        assert all(isinstance(outcome, Deferred) for outcome in again.values())
        assert way.associations_opened <= 2
        await way.close()
    assert scp.seen.attempts == []


@pytest.mark.peer
@pytest.mark.req("RT-10", "R-61", "R-62")
async def test_a_receiver_with_pdus_of_4_kb_gets_converted_objects_whole(
    codecs: CodecPool,
) -> None:
    names = ("CT_small.dcm", "MR_small_bigendian.dcm", "examples_jpeg2k.dcm")
    objects = [public.public()[name] for name in names]
    with ScriptedScp(syntaxes=[IMPLICIT], maximum_pdu=4096) as scp:
        way = towards(scp, "decompress", codecs)
        found = await sent(way, objects, in_pieces=True)
        await way.close()
    assert all(isinstance(outcome, Delivered) for outcome in found.values())
    for one, got in zip(objects, scp.seen.stored, strict=True):
        assert public.values(got, leave_out=TOUCHED) == public.values(one, leave_out=TOUCHED)
        outcome = found[one.sop_instance]
        assert isinstance(outcome, Delivered)
        assert outcome.sha256 == hashlib.sha256(got.data_set).hexdigest()


@pytest.mark.peer
@pytest.mark.req("RT-10", "R-64", "O8", "F13")
async def test_a_receiver_of_3_of_10_classes_gets_those_and_the_rest_of_the_batch_goes_on() -> None:
    names = [uid for uid in sop_classes() if uid.startswith("1.2.840.10008.5.1.4.1.1.1")][:10]
    objects = [
        replace(sample("tiny", seed=number), sop_class=names[number % 10]) for number in range(20)
    ]
    with ScriptedScp(classes=names[:3]) as scp:
        way = towards(scp, "uncompressed")
        found = await sent(way, objects)
        await way.close()
    taken = {one.sop_instance: one.digest for one in objects if one.sop_class in names[:3]}
    assert scp.digests() == taken
    assert {uid for uid, out in found.items() if isinstance(out, Delivered)} == set(taken)
    assert len(scp.seen.associations) == 1


@pytest.mark.peer
@pytest.mark.req("N-22", "R-62")
@pytest.mark.parametrize("stored", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("taken", [IMPLICIT, EXPLICIT])
async def test_any_uncompressed_syntax_becomes_any_other(stored: str, taken: str) -> None:
    one = in_syntax(stored, seed=f"{stored} as {taken}")
    with ScriptedScp(syntaxes=[taken]) as scp:
        way = towards(scp, "uncompressed")
        found = await sent(way, [one])
        await way.close()
    assert isinstance(found[one.sop_instance], Delivered)
    (got,) = scp.seen.stored
    assert public.values(got) == public.values(one)
    assert (got.data_set == one.data_set) is (stored == taken)


@pytest.mark.peer
@pytest.mark.req("R-62", "RT-10")
async def test_with_lossless_a_receiver_of_jpeg_ls_gets_that_and_the_same_pixels(
    codecs: CodecPool,
) -> None:
    objects = [public.public()[name] for name in ("CT_small.dcm", "MR_small_RLE.dcm")]
    with ScriptedScp(syntaxes=[JPEG_LS]) as scp:
        way = towards(scp, "lossless", codecs)
        found = await sent(way, objects)
        await way.close()
    assert all(isinstance(outcome, Delivered) for outcome in found.values())
    for one, got in zip(objects, scp.seen.stored, strict=True):
        assert got.transfer_syntax == JPEG_LS
        plain = await codecs.convert(got.data_set, digest="", has=JPEG_LS, wanted=EXPLICIT)
        again = replace(got, transfer_syntax=EXPLICIT, data_set=await plain.whole())
        assert np.array_equal(public.pixels(again), public.as_dataset(one).pixel_array)


@pytest.mark.req("R-61")
async def test_130_uncompressed_classes_take_two_associations() -> None:
    names = [uid for uid, entry in sop_classes().items() if entry[2]][:130]
    assert len(names) == 130
    objects = [replace(sample("tiny", seed=n), sop_class=name) for n, name in enumerate(names)]
    async with running() as sink:
        remote = sink.remote()
        way = DicomDestination("x", DicomSettings(remote=remote, waits=PATIENT, linger_s=0.05))
        found = await sent(way, objects)
        assert all(isinstance(outcome, Delivered) for outcome in found.values())
        assert sink.associations == 2
        assert [one.data_set for one in sink.objects] == [one.data_set for one in objects]
        await way.close()


@pytest.mark.peer
@pytest.mark.req("R-64")
async def test_a_probe_finds_what_is_accepted_now() -> None:
    one = sample("tiny", seed="probe")
    pair = (one.sop_class, one.transfer_syntax)
    with ScriptedScp(syntaxes=[VIDEO]) as scp:
        way = towards(scp, "uncompressed")
        await sent(way, [one])
        assert await way.probe() is None
        assert pair in way.memory.refused
        port = scp.port
        await way.close()
    with ScriptedScp(port=port, syntaxes=[IMPLICIT]) as scp:
        assert await way.probe() is None
        assert pair not in way.memory.refused
        assert way.memory.seen[one.sop_class, IMPLICIT]
        assert not way.memory.seen[pair]
        assert isinstance((await sent(way, [one]))[one.sop_instance], Delivered)
        await way.close()
