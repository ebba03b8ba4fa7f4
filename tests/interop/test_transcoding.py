"""Real receivers get what they accept: storescp by its options, Orthanc by its settings."""

import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.interop.conftest import StartNode
from tests.objects import public
from tests.objects.files import Stored
from tests.peers.dcmtk import StoreScp
from tests.peers.node import Node, destination, rule_to
from tests.peers.orthanc import Orthanc
from tests.peers.raw import RawClient
from waystation.dicom.head import Head, identity

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TOUCHED = frozenset({0x7FE00010, 0x00280004, 0x00280006, 0x00282110})


def complete() -> list[Stored]:
    """Return the public objects that say which study and series they belong to."""
    found = []
    for one in public.distinct().values():
        who = identity(Head.from_bytes(one.data_set, one.transfer_syntax))
        if who.study_uid and who.series_uid:
            found.append(one)
    return found


OBJECTS = complete()


def send(node: Node, objects: Sequence[Stored]) -> None:
    """Bring objects to the node, each in its own syntax."""
    with RawClient(node.port) as raw:
        raw.associate([(one.sop_class, [one.transfer_syntax]) for one in objects])
        for number, one in enumerate(objects):
            assert raw.store(one, context=2 * number + 1) == 0
        raw.release()


@pytest.mark.req("RT-10", "R-62", "F13", "N-22")
@pytest.mark.parametrize(
    ("option", "syntax"),
    # With +xe it takes every uncompressed syntax.
    [("+xi", public.IMPLICIT), ("+xe", public.EXPLICIT)],
    ids=["+xi", "+xe"],
)
def test_storescp_that_takes_one_uncompressed_syntax_gets_everything_in_it(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, option: str, syntax: str
) -> None:
    scp = stack.enter_context(StoreScp(tmp_path / "scp", ae_title="SCP", options=[option]))
    extra = 'transcode = "decompress"'
    node = start_node(destination("scp", scp.port, ae_title="SCP", extra=extra) + rule_to("scp"))
    send(node, OBJECTS)
    node.wait_for({"done": len(OBJECTS)}, within_s=40)
    arrived = {one.sop_instance: one for one in scp.stored()}
    for one in OBJECTS:
        got = arrived[one.sop_instance]
        assert got.transfer_syntax in (syntax, one.transfer_syntax)
        assert public.values(got, leave_out=TOUCHED) == public.values(one, leave_out=TOUCHED)
        if got.transfer_syntax == one.transfer_syntax:
            assert got.data_set == one.data_set


@pytest.mark.req("RT-10", "F13", "R-64")
def test_storescp_that_takes_jpeg_baseline_gets_that_and_the_rest_as_it_can(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    scp = stack.enter_context(StoreScp(tmp_path / "scp", ae_title="SCP", options=["+xy"]))
    extra = 'transcode = "never"'
    node = start_node(destination("scp", scp.port, ae_title="SCP", extra=extra) + rule_to("scp"))
    send(node, OBJECTS)
    taken = [
        one
        for one in OBJECTS
        if one.transfer_syntax
        in ("1.2.840.10008.1.2.4.50", public.EXPLICIT, public.IMPLICIT, public.BIG)
    ]
    node.wait_for({"done": len(taken), "held": len(OBJECTS) - len(taken)}, within_s=40)
    assert scp.digests() == {one.sop_instance: one.digest for one in taken}


@pytest.mark.req("RT-10", "R-62")
def test_orthanc_without_compressed_syntaxes_stores_and_decodes_what_we_converted(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    closed = ("Deflated", "Jpeg", "Jpeg2000", "JpegLossless", "Jpip", "Mpeg2", "Rle", "H265")
    settings = {f"{name}TransferSyntaxAccepted": False for name in closed}
    orthanc = stack.enter_context(Orthanc(tmp_path / "orthanc", settings=settings))
    extra = 'transcode = "decompress"'
    node = start_node(
        destination("o", orthanc.port, ae_title="ORTHANC", extra=extra) + rule_to("o")
    )
    send(node, OBJECTS)
    node.wait_for({"done": len(OBJECTS)}, within_s=60)
    assert orthanc.count() == len(OBJECTS)
    given = {one.sop_instance: one for one in OBJECTS}
    for name in orthanc.instances():
        content = orthanc.ask(f"/instances/{name}/file")
        got = pydicom.dcmread(io.BytesIO(content))
        one = given[str(got.SOPInstanceUID)]
        if "PixelData" not in got or one.transfer_syntax in public.PLAIN:
            continue
        # Orthanc can read the pixels that we made.
        assert orthanc.ask(f"/instances/{name}/preview").startswith(b"\x89PNG")
        assert got.file_meta.TransferSyntaxUID in (public.IMPLICIT, public.EXPLICIT)
        colour = got.SamplesPerPixel == 3
        assert got.PhotometricInterpretation == ("RGB" if colour else "MONOCHROME2")
        raw = orthanc.ask(f"/instances/{name}/frames/0/raw")
        assert np.frombuffer(raw, np.uint8).size >= got.Rows * got.Columns * got.SamplesPerPixel
