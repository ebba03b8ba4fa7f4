"""What a node that receives and routes has not loaded, and what it takes."""

import re
import sys
from collections.abc import Iterator

import pytest

from benchmarks.limits import resident_bar_mb
from tests.objects.full_ct import full_ct
from tests.objects.samples import as_file
from tests.peers.dcmtk import storescu
from tests.peers.node import Node
from waystation.app.lean import SHOW, _hidden

IMPORTED = re.compile(r"^import time: .*\| +([\w.]+)$", re.MULTILINE)
# Each with what it would cost: pydicom with numpy 25 MB, rich 6 MB, pixels and databases more.
HEAVY = {
    *("pydicom", "numpy", "PIL", "imagecodecs", "requests"),
    *("rich", "pygments", "attr", "watchfiles"),
    *("sqlalchemy", "alembic", "asyncssh", "obstore", "cryptography", "aiosmtplib", "icalendar"),
    *("unittest", "tarfile", "pydoc"),
}
CONFIG = """
[routing]
otherwise = "hold"

[destination.pacs]
kind = "dicom"
host = "127.0.0.1"
port = 1
ae_title = "PACS"
window = "never"

[[rule]]
name = "chests"
when = { Modality = "CT", SOPClassUID = "*CT*", "RequestAttributesSequence.StudyID" = "7" }
send = ["pacs"]
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Yield a node that tells of every import and has received a CT image."""
    folder = tmp_path_factory.mktemp("lean")
    file = folder / "one.dcm"
    file.write_bytes(as_file(full_ct(1)))
    with Node(folder / "node", CONFIG, environment={"PYTHONPROFILEIMPORTTIME": "1"}) as started:
        assert storescu(started.port, file).exit_code == 0
        yield started


def test_a_node_that_receives_and_routes_loads_nothing_heavy(node: Node) -> None:
    # A module that was looked for in vain is told, too, but not one inside it.
    told = [name.partition(".") for name in IMPORTED.findall(node.log)]
    loaded = {top for top, dot, _ in told if dot or top not in SHOW}
    assert {"waystation", "structlog", "uvicorn"} <= loaded
    assert not loaded & HEAVY


@pytest.mark.req("R-89")
def test_it_takes_no_more_than_a_node_with_one_association_may(node: Node) -> None:
    assert node.program.peak_kib() * 1024 <= resident_bar_mb(1) * 1e6


def test_what_was_hidden_can_be_imported_afterwards() -> None:
    before = sys.modules.copy()
    with _hidden("this", "re"):
        assert sys.modules["re"] is re
        with pytest.raises(ModuleNotFoundError):
            import this  # noqa: F401
    assert sys.modules == before
