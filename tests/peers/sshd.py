"""OpenSSH's sshd on loopback with keys, configuration and folder of its own; SFTP only.

It lets in the user who runs the tests, by one key pair that is made for it.
"""

import getpass
import os
from pathlib import Path

import asyncssh

from tests.peers.program import HOST, Program, free_port, need

SSHD = "/usr/sbin/sshd"
CONFIG = """
ListenAddress {host}
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


def make_key(path: Path, passphrase: str | None = None) -> str:
    """Write a key pair; return the public half as one line."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="test")
    form = "openssh" if passphrase is None else "pkcs8-pem"
    key.write_private_key(path, form, passphrase=passphrase)
    path.chmod(0o600)
    return key.export_public_key().decode().strip()


class Sshd(Program):
    """A running sshd; what is sent to it lies in ``received``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.user = getpass.getuser()
        self.received = folder / "received"
        self.received.mkdir()
        self.key = folder / "client_key"
        self.host_key = make_key(folder / "host_key")
        (folder / "authorized_keys").write_text(make_key(self.key) + "\n")
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[{HOST}]:{self.port} {self.host_key}\n")
        config = folder / "sshd_config"
        config.write_text(CONFIG.format(host=HOST, port=self.port, folder=folder))
        if os.geteuid() == 0:
            # A system service would find it made; sshd as root does not start without.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._command = [need(SSHD), "-D", "-e", "-f", str(config)]
        super().__init__(self._command, folder)
        self.wait_for_port(self.port)

    def again(self) -> Program:
        """Start it once more, on the same port and folder, after it was closed."""
        risen = Program(self._command, self.folder, name="sshd")
        risen.wait_for_port(self.port)
        return risen
