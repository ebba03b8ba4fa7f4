"""DCMTK's query/retrieve: dcmqrscp as archive, findscu, movescu and getscu as askers.

Caution: DCMTK's servers bind to every address; they hold test objects only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.peers.dcmtk import TUNED, Sent, run, storescu
from tests.peers.program import HOST, Program, free_port, need

DCMQRSCP = "/usr/bin/dcmqrscp"
FINDSCU = "/usr/bin/findscu"
MOVESCU = "/usr/bin/movescu"
GETSCU = "/usr/bin/getscu"

CONFIG = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{title} {store} RW ({most}, 1024mb) ANY
AETable END
"""


class QrScp(Program):
    """A dcmqrscp with one area.  destinations: AE title → port on loopback, for C-MOVE."""

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "QRSCP",
        destinations: Mapping[str, int] | None = None,
        options: Sequence[str] = (),
        most: int = 200,
    ) -> None:
        self.ae_title = ae_title
        self.port = free_port()
        store = folder / "store"
        store.mkdir(parents=True)
        hosts = "\n".join(
            f"h{n} = ({title}, {HOST}, {port})"
            for n, (title, port) in enumerate((destinations or {}).items())
        )
        config = folder / "dcmqrscp.cfg"
        config.write_text(
            CONFIG.format(port=self.port, hosts=hosts, title=ae_title, store=store, most=most)
        )
        command = [need(DCMQRSCP), "-c", str(config), *options]
        super().__init__(command, folder, environment=TUNED)
        self.wait_for_port(self.port)

    def load(self, *what: Path) -> Sent:
        """Store files and folders into it."""
        return storescu(self.port, *what, called=self.ae_title, options=["-R"])


def ask(
    program: str,
    port: int,
    *options: str,
    keys: Sequence[str] = (),
    called: str = "WAYSTATION",
    calling: str = "DCMTK",
    timeout_s: float = 60.0,
) -> Sent:
    """Run findscu, movescu or getscu."""
    named = [word for key in keys for word in ("-k", key)]
    command = [need(program), "-v", "-aec", called, "-aet", calling, *options, *named]
    return run([*command, HOST, str(port)], TUNED, timeout_s)
