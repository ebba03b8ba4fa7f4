"""Every transfer syntax and any SOP class pass through untouched (R-17, N-22, G7)."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.samples import (
    DEFLATED,
    ENCAPSULATED,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
    as_file,
    compressed,
    in_syntax,
    sample,
)
from tests.objects.study import PRIVATE_CLASS
from tests.peers.dcmtk import StoreScp, dcmsend
from tests.peers.node import Node, destination, rule_to
from tests.peers.program import wait_until
from tests.peers.pynetdicom_scp import ScriptedScp
from tests.peers.raw import RawClient

pytestmark = pytest.mark.peer

SYNTAXES = {
    "explicit little": EXPLICIT_LITTLE,
    "implicit little": IMPLICIT_LITTLE,
    "explicit big": EXPLICIT_BIG,
    "deflated": DEFLATED,
    **ENCAPSULATED,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A node that relays everything to a pynetdicom SCP that takes every syntax."""

    node: Node
    sink: ScriptedScp


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    with ExitStack() as stack:
        sink = stack.enter_context(ScriptedScp(extra_classes=[PRIVATE_CLASS]))
        config = destination("sink", sink.port, ae_title="SINK") + rule_to("sink")
        node = stack.enter_context(Node(folder / "node", config))
        stack.callback(lambda: print(node.log[-6000:]))
        yield Line(node, sink)


@pytest.mark.req("R-17", "R-61", "N-22")
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_any_syntax_passes_byte_for_byte_in_its_own_syntax(line: Line, syntax: str) -> None:
    item = in_syntax(syntax, seed=f"passes {syntax}")
    with RawClient(line.node.port) as raw:
        raw.associate([(item.sop_class, [syntax])])
        assert raw.store(item) == 0
        raw.release()
    wait_until(lambda: item.sop_instance in line.sink.digests(), f"{syntax} at the sink")
    (got,) = (s for s in line.sink.seen.stored if s.sop_instance == item.sop_instance)
    assert got == item


@pytest.mark.req("R-17")
def test_a_private_sop_class_passes_byte_for_byte(line: Line) -> None:
    item = sample("private", seed="private")
    with RawClient(line.node.port) as raw:
        raw.associate([(item.sop_class, [item.transfer_syntax])])
        assert raw.store(item) == 0
        raw.release()
    wait_until(lambda: item.sop_instance in line.sink.digests(), "the private object")
    assert line.sink.digests()[item.sop_instance] == item.digest


@pytest.mark.req("R-17")
def test_dcmsend_and_storescp_exchange_compressed_objects_through_us(
    tmp_path: Path, stack: ExitStack
) -> None:
    known = [ENCAPSULATED[name] for name in ("JPEG baseline", "JPEG-LS lossless", "RLE")]
    items = [compressed(syntax, seed=syntax) for syntax in known]
    files = tmp_path / "files"
    files.mkdir()
    for number, item in enumerate(items):
        (files / f"{number}.dcm").write_bytes(as_file(item))
    sink = stack.enter_context(StoreScp(tmp_path / "sink", ae_title="SINK", options=["+xa"]))
    config = destination("sink", sink.port, ae_title="SINK") + rule_to("sink")
    node = stack.enter_context(Node(tmp_path / "node", config))
    sent = dcmsend(node.port, files, options=["-dn"])
    assert sent.exit_code == 0, sent.text
    wanted = {item.sop_instance: item.digest for item in items}
    wait_until(lambda: sink.digests() == wanted, "all compressed objects at the sink")


@pytest.mark.req("R-64", "O8")
def test_an_object_no_context_fits_is_held_after_one_association_and_the_rest_goes_on(
    tmp_path: Path, stack: ExitStack
) -> None:
    plain = sample(seed="plain")
    wrapped = compressed(ENCAPSULATED["JPEG 2000"], seed="wrapped")
    sink = stack.enter_context(ScriptedScp(syntaxes=[IMPLICIT_LITTLE, EXPLICIT_LITTLE]))
    config = destination("sink", sink.port, ae_title="SINK") + rule_to("sink")
    node = stack.enter_context(Node(tmp_path / "node", config))
    with RawClient(node.port) as raw:
        raw.associate([(i.sop_class, [i.transfer_syntax]) for i in (plain, wrapped)])
        assert raw.store(wrapped, context=3) == 0
        assert raw.store(plain, context=1) == 0
        raw.release()
    node.wait_for({"done": 1, "held": 1})
    assert sink.digests() == {plain.sop_instance: plain.digest}
    assert wrapped.sop_instance not in sink.seen.attempts
    (held,) = (row for row in node.deliveries() if row["state"] == "held")
    assert "no-context" in str(held)
