"""DCMTK's worklist server over a folder of files, as an opponent.

Caution: it binds to every address; it holds test entries only.
"""

from pathlib import Path

from tests.peers.dcmtk import TUNED
from tests.peers.program import Program, free_port, need

WLMSCPFS = "/usr/bin/wlmscpfs"


class WlmScpFs(Program):
    """A wlmscpfs.  folder: with one folder for each called AE title, each with its lockfile.

    It keeps the character set of the entries, as a modality needs it.
    """

    def __init__(self, folder: Path, *, ae_title: str) -> None:
        self.ae_title = ae_title
        self.port = free_port()
        command = [need(WLMSCPFS), "-q", "-csk", "-dfp", str(folder), str(self.port)]
        super().__init__(command, folder, environment=TUNED)
        self.wait_for_port(self.port)
