"""Conversions that fail, grow, or take too long: what becomes of the object and of the others."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.destinations.making import load_of
from tests.destinations.receiving import outcomes, sent, towards
from tests.net.sink import PATIENT, Sink, running
from tests.objects import public
from tests.objects.elements import element
from tests.objects.samples import compressed, sample
from tests.objects.study import KINDS
from tests.peers.pynetdicom_scp import ScriptedScp
from waystation.codecs import abilities
from waystation.codecs.pool import CodecPool, Converted
from waystation.destinations import contexts
from waystation.destinations.base import WHOLE_BYTES
from waystation.destinations.dicom import DicomDestination, DicomSettings
from waystation.model.delivery import HoldReason
from waystation.model.outcome import Deferred, Delivered, Fault, Refused
from waystation.wire.items import ProposedContext
from waystation.wire.negotiate import AcceptPolicy

IMPLICIT, EXPLICIT = public.IMPLICIT, public.EXPLICIT


@pytest.mark.peer
@pytest.mark.req("R-62", "F27", "S-41")
async def test_pixels_that_cannot_be_decoded_hold_their_object_and_the_next_goes_on(
    codecs: CodecPool,
) -> None:
    bad = compressed("1.2.840.10008.1.2.4.90", seed="noise")
    good = public.public()["MR_small_jp2klossless.dcm"]
    with ScriptedScp(syntaxes=[EXPLICIT]) as scp:
        way = towards(scp, "decompress", codecs)
        found = await sent(way, [bad, good])
        await way.close()
    held = found[bad.sop_instance]
    assert isinstance(held, Refused)
    assert held.reason is HoldReason.NO_CONTEXT
    assert "cannot be decoded" in held.why
    assert isinstance(found[good.sop_instance], Delivered)
    assert scp.seen.attempts == [good.sop_instance]
    assert len(scp.seen.associations) == 1


@pytest.mark.peer
async def test_a_big_object_that_turns_out_unfit_on_its_way_is_held_and_not_kept() -> None:
    one = sample("ct", seed="tail")
    one = replace(one, data_set=one.data_set + element(0xFFFCFFFC, "OB", b"12") * 2)
    good = sample("ct", seed="fine")
    with ScriptedScp(syntaxes=[IMPLICIT]) as scp:
        way = towards(scp, "uncompressed")
        found = await sent(way, [one, good], in_pieces=True)
        await way.close()
    held = found[one.sop_instance]
    assert isinstance(held, Refused)
    assert "twice" in held.why
    assert isinstance(found[good.sop_instance], Delivered)
    assert [got.sop_instance for got in scp.seen.stored] == [good.sop_instance]


@pytest.mark.peer
async def test_a_blob_that_breaks_while_it_is_converted_is_corrupt(codecs: CodecPool) -> None:
    objects = [public.public()[name] for name in ("CT_small.dcm", "MR_small_RLE.dcm")]
    with ScriptedScp(syntaxes=[IMPLICIT]) as scp:
        way = towards(scp, "decompress", codecs)
        batch, cargo = load_of(objects)
        cargo.in_pieces, cargo.breaks = True, {1, 2}
        found = await outcomes(way, batch, cargo)
        await way.close()
    for outcome in found.values():
        assert isinstance(outcome, Refused)
        assert outcome.reason is HoldReason.CORRUPT
    assert scp.seen.stored == []


@pytest.mark.peer
@pytest.mark.req("R-62")
async def test_a_missing_codec_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(abilities, "has_extra", lambda: False)
    contexts.choices.cache_clear()
    one = public.public()["MR_small_jpeg_ls_lossless.dcm"]
    try:
        with ScriptedScp(syntaxes=[IMPLICIT]) as scp:
            way = towards(scp, "decompress")
            outcome = (await sent(way, [one]))[one.sop_instance]
            await way.close()
    finally:
        monkeypatch.undo()
        contexts.choices.cache_clear()
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.CONTEXT
    assert 'pip install "waystation[codecs]"' in outcome.why


@pytest.mark.peer
async def test_an_object_that_grows_beyond_memory_s_share_is_sent_in_pieces(
    codecs: CodecPool,
) -> None:
    plain = sample(replace(KINDS["tiny"], side=1800), seed="grows")
    made = await codecs.convert(
        plain.data_set, digest="", has=EXPLICIT, wanted="1.2.840.10008.1.2.5"
    )
    one = replace(plain, transfer_syntax="1.2.840.10008.1.2.5", data_set=await made.whole())
    made.drop()
    assert len(plain.data_set) > WHOLE_BYTES
    with ScriptedScp(syntaxes=[EXPLICIT]) as scp:
        way = towards(scp, "decompress", codecs)
        outcome = (await sent(way, [one], in_pieces=True))[one.sop_instance]
        await way.close()
    assert isinstance(outcome, Delivered)
    (got,) = scp.seen.stored
    assert got.digest == outcome.sha256
    assert np.array_equal(public.pixels(got), public.pixels(plain))


class SlowCodecs(CodecPool):
    """Codecs that take longer than the receiver waits: its associations end meanwhile."""

    sink: Sink
    ends = 1

    async def convert(
        self, source: bytes | AsyncIterator[bytes], *, digest: str, has: str, wanted: str
    ) -> Converted:
        made = await super().convert(source, digest=digest, has=has, wanted=wanted)
        if self.ends:
            self.ends -= 1
            await self.sink.stop()
            await self.sink.start(port=self.sink.port)
        return made


@pytest.mark.req("R-62")
async def test_an_association_that_ends_while_an_object_is_converted_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_implicit(_policy: AcceptPolicy, context: ProposedContext) -> str:
        return IMPLICIT if IMPLICIT in context.transfer_syntaxes else ""

    monkeypatch.setattr(AcceptPolicy, "choose", only_implicit)
    objects = [public.public()[name] for name in ("MR_small_RLE.dcm", "SC_rgb_rle.dcm")]
    async with running() as sink:
        codecs = SlowCodecs(tmp_path / "codecs")
        codecs.sink = sink
        settings = DicomSettings(
            remote=sink.remote(), waits=PATIENT, linger_s=0.05, transcode="decompress"
        )
        way = DicomDestination("x", settings, None, codecs)
        found = await sent(way, objects)
        await way.close()
        await codecs.close()
        assert all(isinstance(outcome, Delivered) for outcome in found.values())
        assert [one.association for one in sink.objects] == [2, 2]


@pytest.mark.peer
@pytest.mark.parametrize("grows", [False, True])
async def test_a_converted_file_that_cannot_be_read_is_our_shortage_and_leaves_nothing(
    tmp_path: Path, grows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(24, "Too many open files")

    class Spoilt(CodecPool):
        async def convert(
            self, source: bytes | AsyncIterator[bytes], *, digest: str, has: str, wanted: str
        ) -> Converted:
            made = await super().convert(source, digest=digest, has=has, wanted=wanted)
            if grows:
                made.size_bytes = WHOLE_BYTES + 1
            monkeypatch.setattr(Path, "open" if grows else "read_bytes", fail)
            return made

    pool = Spoilt(tmp_path / "work")
    one = public.public()["MR_small_jp2klossless.dcm"]
    with ScriptedScp(syntaxes=[EXPLICIT]) as scp:
        way = towards(scp, "decompress", pool)
        outcome = (await sent(way, [one]))[one.sop_instance]
        monkeypatch.undo()
        await way.close()
    assert list((tmp_path / "work").iterdir()) == []
    await pool.close()
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.TRANSIENT
    assert scp.seen.stored == []
