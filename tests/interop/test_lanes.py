"""Associations, order and pace as a real receiver sees them."""

from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.objects.study import make_study
from tests.peers.dcmtk import StoreScp, storescu
from tests.peers.node import destination, rule_to

pytestmark = pytest.mark.peer


@pytest.mark.req("R-48", "N-15")
def test_five_objects_are_one_association_and_five_studies_are_five(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    sink = stack.enter_context(StoreScp(tmp_path / "sink", ae_title="SINK", options=["-v"]))
    node = start_node(destination("sink", sink.port, ae_title="SINK") + rule_to("sink"))
    before = sink.log.count("Association Received")
    study = make_study(tmp_path / "one", "tiny", 5, seed="one")
    assert storescu(node.port, study.folder).exit_code == 0
    node.wait_for({"done": 5})
    assert sink.log.count("Association Received") - before == 1
    for number in range(5):
        make_study(tmp_path / "five" / f"{number}", "tiny", 5, seed=f"five {number}")
    assert storescu(node.port, tmp_path / "five").exit_code == 0
    node.wait_for({"done": 30})
    assert sink.log.count("Association Received") - before == 6


@pytest.mark.req("R-51")
def test_a_limit_holds_at_a_real_receiver(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    """0.5 MB objects of two studies at 2 MiB/s, as the times of the files tell."""
    sink = stack.enter_context(StoreScp(tmp_path / "sink", ae_title="SINK", exact=False))
    limited = 'limits = { rate = "2MiB/s" }\n'
    node = start_node(
        destination("sink", sink.port, ae_title="SINK", extra=limited) + rule_to("sink")
    )
    for number in range(2):
        make_study(tmp_path / "in" / f"{number}", "ct", 16, seed=f"limit {number}")
    assert storescu(node.port, tmp_path / "in").exit_code == 0
    node.wait_for({"done": 32}, within_s=40)
    times = sorted(file.stat().st_mtime for file in sink.files())
    size = sum(file.stat().st_size for file in sink.files()) / 32
    rate = size * 28 / (times[29] - times[1])
    assert rate == pytest.approx(2 * 2**20, rel=0.1)
    assert all(later - earlier < 2.0 for earlier, later in pairwise(times))
