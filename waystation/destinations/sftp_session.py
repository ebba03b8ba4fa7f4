"""One SFTP session: opened, used for one file at a time, kept for a short linger.

Contract: a server is trusted by a key that the configuration names, never because it answered;
neither ``~/.ssh`` nor an agent is looked at.  `open_session` raises `Closed` with the outcome that
a failed opening means.  Every request has a time limit; a session that lost its connection is
`dead` and is never used again.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from waystation.model.errors import ConfigError
from waystation.model.outcome import Deferred, Fault

if TYPE_CHECKING:
    from asyncssh import SFTPClient, SSHClient, SSHClientConnection, SSHKey

Answer = TypeVar("Answer")
KEEP_ALIVE_S = 15.0
FINGERPRINT = "SHA256:"
# RFC 4254 section 5.1: SSH_OPEN_RESOURCE_SHORTAGE.
_SHORTAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpCall:
    """How to call the server.

    known_hosts: path of a file in OpenSSH's form, or empty.  host_keys: public keys (``ssh-ed25519
    AAAA...``) and fingerprints (``SHA256:...``), any of which will do.  key: path of our private
    key, or empty.
    """

    host: str
    port: int
    user: str
    key: str = ""
    key_password: str = ""
    password: str = ""
    known_hosts: str = ""
    host_keys: tuple[str, ...] = ()
    connect_s: float = 10.0
    login_s: float = 30.0
    response_s: float = 60.0


class Closed(Exception):
    """No session came about; ``outcome`` says what that means."""

    def __init__(self, outcome: Deferred) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


class Session:
    """A logged-in session with its SFTP channel."""

    def __init__(self, connection: "SSHClientConnection", sftp: "SFTPClient", limit_s: float):
        self.sftp = sftp
        self.folders: set[str] = set()
        self.can_sync = True
        self.dead = False
        self._connection = connection
        self._limit_s = limit_s

    @property
    def alive(self) -> bool:
        """Whether it may be used again."""
        return not self.dead and not self._connection.is_closed()

    async def ask(self, request: Awaitable[Answer]) -> Answer:
        """Return the answer to one request, waited for with a limit."""
        asked = asyncio.ensure_future(request)
        try:
            await asyncio.wait({asked}, timeout=self._limit_s)
        except asyncio.CancelledError:
            self._give_up(asked)
            raise
        if not asked.done():
            self._give_up(asked)
            raise TimeoutError("no answer in time")
        return asked.result()

    def _give_up(self, asked: "asyncio.Future[Answer]") -> None:
        """End the connection, and with it the request and the tasks that asyncssh made for it."""
        self.abort()
        asked.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def abort(self) -> None:
        """Throw the connection away."""
        self.dead = True
        self._connection.abort()

    async def close(self) -> None:
        """Log out, or end it if that takes long."""
        self.sftp.exit()
        self._connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._connection.wait_closed()
                return
        self._connection.abort()


class Trusted(NamedTuple):
    """What asyncssh takes as known hosts, and the fingerprints to compare besides."""

    known: Any
    fingerprints: tuple[str, ...]


def trusted_keys(call: SftpCall) -> Trusted:
    """Return which keys the server may have.

    Raises `ConfigError` if a key or the file cannot be read, or if nothing is trusted.
    """
    import asyncssh

    if not call.known_hosts and not call.host_keys:
        raise ConfigError("known_hosts", "no key of the server is known")
    if call.known_hosts:
        try:
            return Trusted(asyncssh.read_known_hosts(call.known_hosts), ())
        except (OSError, ValueError) as error:
            raise ConfigError("known_hosts", f"cannot be read: {error}") from error
    keys: list[SSHKey] = []
    for text in call.host_keys:
        if text.startswith(FINGERPRINT):
            continue
        try:
            keys.append(asyncssh.import_public_key(text))
        except (ValueError, asyncssh.KeyImportError) as error:
            raise ConfigError("host_key", f"is no public key: {error}") from error
    marks = tuple(text.rstrip("=") for text in call.host_keys if text.startswith(FINGERPRINT))
    return Trusted((keys, [], []), marks)


def own_key(call: SftpCall) -> "SSHKey | None":
    """Return our private key.  Raises `ConfigError` if it cannot be read."""
    import asyncssh

    if not call.key:
        return None
    try:
        return asyncssh.read_private_key(call.key, call.key_password or None)
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ConfigError("key", f"cannot be read: {error}") from error


def names_host(known: Any, call: SftpCall) -> bool:
    """Tell whether known hosts have a key of the server, as far as its name can tell."""
    import asyncssh

    port = None if call.port == 22 else call.port
    return any(asyncssh.match_known_hosts(known, call.host, "", port)[:2])


async def open_session(call: SftpCall) -> Session:
    """Connect, compare the server's key, log in and open the channel.  Raises `Closed`."""
    import asyncssh

    shown: list[str] = []
    try:
        trusted = trusted_keys(call)
        key = own_key(call)
    except ConfigError as error:
        raise Closed(Deferred(fault=Fault.PEER, why=str(error))) from error

    class Caller(asyncssh.SSHClient):
        def validate_host_public_key(self, host: str, addr: str, port: int, key: "SSHKey") -> bool:
            shown.append(key.get_fingerprint())
            return shown[-1].rstrip("=") in trusted.fingerprints

    connection: SSHClientConnection | None = None
    try:
        connection = await _connect(call, Caller, trusted.known, key)
        async with asyncio.timeout(call.response_s):
            sftp = await connection.start_sftp_client()
    except (asyncssh.Error, OSError) as error:
        if connection is not None:
            connection.abort()
        raise Closed(_meaning(error, call, shown)) from error
    except asyncio.CancelledError:
        if connection is not None:
            connection.abort()
        raise
    return Session(connection, sftp, call.response_s)


async def _connect(
    call: SftpCall, caller: "type[SSHClient]", trusted: Any, key: "SSHKey | None"
) -> "SSHClientConnection":
    import asyncssh

    return await asyncssh.connect(
        call.host,
        call.port,
        username=call.user,
        client_keys=[key] if key is not None else None,
        password=call.password or None,
        known_hosts=trusted,
        client_factory=caller,
        config=None,
        agent_path=None,
        gss_auth=False,
        gss_kex=False,
        x509_trusted_certs=None,
        connect_timeout=call.connect_s,
        login_timeout=call.login_s,
        keepalive_interval=KEEP_ALIVE_S,
    )


def _meaning(error: Exception, call: SftpCall, shown: list[str]) -> Deferred:
    """Return what it means that no session came about."""
    import asyncssh

    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        mark = f": it shows {shown[-1]}" if shown else ""
        why = f"the key of {call.host} is not the known one{mark}"
        return Deferred(fault=Fault.PEER, why=why)
    if isinstance(error, asyncssh.PermissionDenied):
        return Deferred(fault=Fault.PEER, why=f"{call.host} refuses the login of {call.user}")
    if isinstance(error, asyncssh.KeyExchangeFailed | asyncssh.ProtocolNotSupported):
        return Deferred(fault=Fault.PEER, why=f"{call.host}: {error.reason}")
    if isinstance(error, asyncssh.ChannelOpenError):
        fault = Fault.TRANSIENT if error.code == _SHORTAGE else Fault.PEER
        return Deferred(fault=fault, why=f"{call.host} opens no SFTP channel: {error.reason}")
    if isinstance(error, TimeoutError):
        return Deferred(fault=Fault.TRANSIENT, why=f"{call.host} does not answer in time")
    if isinstance(error, OSError):
        why = f"{call.host}:{call.port}: {error.strerror or error}"
        return Deferred(fault=Fault.TRANSIENT, why=why)
    return Deferred(fault=Fault.TRANSIENT, why=f"{call.host}: {error}")
