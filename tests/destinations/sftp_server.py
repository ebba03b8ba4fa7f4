"""An SFTP server whose faults are scripted: asyncssh on loopback, files in a folder of ours."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from tests.peers.program import HOST
from waystation.destinations.sftp import SftpDestination, SftpSettings
from waystation.destinations.sftp_session import SftpCall

PASSWORD = "let me in"
USER = "gateway"


@dataclass
class Script:
    """fail: name of a request → what to raise, or a function of its path that may raise.

    asked: how often each request came.  silent: no write is answered.
    """

    fail: dict[str, Exception | Callable[[bytes], None]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    silent: bool = False

    def met(self, name: str, path: bytes = b"") -> None:
        self.asked[name] += 1
        found = self.fail.get(name)
        if isinstance(found, Exception):
            raise found
        if found is not None:
            found(path)


class Server:
    """A running server.  ``received``: its folder ``/in``."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.received = folder / "in"
        self.received.mkdir(parents=True)
        self.script = Script()
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.logins = 0
        self.port = 0
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.opened: list[Any] = []
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        """Listen, with the key it has now, on the port it had before."""
        outer = self

        class Login(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                outer.connections.append(conn)

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                outer.logins += 1
                return (username, password) == (USER, PASSWORD)

        self._acceptor = await asyncssh.listen(
            HOST,
            self.port,
            server_factory=Login,
            server_host_keys=[self.key],
            sftp_factory=lambda channel: _files(channel, outer),
            reuse_address=True,
        )
        self.port = self._acceptor.get_port()

    async def stop(self) -> None:
        self.cut()
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
        for file in self.opened:
            file.close()

    def cut(self) -> None:
        """Break every connection."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()

    def call(self, **changes: Any) -> SftpCall:
        line = self.key.export_public_key().decode().strip()
        stated: dict[str, Any] = {
            "host": HOST,
            "port": self.port,
            "user": USER,
            "password": PASSWORD,
            "host_keys": (line,),
            "connect_s": 2.0,
            "login_s": 5.0,
            "response_s": 2.0,
        }
        return SftpCall(**(stated | changes))

    def destination(self, *, path: str = "/in", linger_s: float = 1.0, **changes: Any) -> Any:
        settings = SftpSettings(call=self.call(**changes), path=path, linger_s=linger_s)
        return SftpDestination("x", settings)

    def files(self) -> list[Path]:
        return [path for path in self.received.rglob("*") if path.is_file()]


def _files(channel: Any, outer: Server) -> asyncssh.SFTPServer:
    script = outer.script

    class Files(asyncssh.SFTPServer):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            script.met("open", path)
            opened = super().open(path, pflags, attrs)
            outer.opened.append(opened)
            return opened

        def write(self, file_obj: object, offset: int, data: bytes) -> Any:
            script.met("write")
            if script.silent:
                return asyncio.Event().wait()
            return super().write(file_obj, offset, data)

        def fsync(self, file_obj: object) -> Any:
            script.met("fsync")
            return super().fsync(file_obj)

        def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
            script.met("mkdir", path)
            return super().mkdir(path, attrs)

        def rename(self, oldpath: bytes, newpath: bytes) -> Any:
            script.met("rename", newpath)
            return super().rename(oldpath, newpath)

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
            script.met("posix_rename", newpath)
            return super().posix_rename(oldpath, newpath)

        def stat(self, path: bytes) -> Any:
            script.met("stat", path)
            return super().stat(path)

    return Files(channel, chroot=str(outer.root).encode())


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    """Run a scripted server."""
    server = Server(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await asyncio.sleep(0)
