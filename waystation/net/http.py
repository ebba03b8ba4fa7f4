"""HTTP requests to one configured server, with every wait bounded.

Contract (L19, S-61, S-63): `request` returns a `Reply` for whatever status came, and raises
`UnreachableError` if no connection came about (nothing was sent), `LostError` if it broke or fell
silent afterwards, `ConfigError` if our own files cannot be used.  Redirects are never followed,
cookies never kept, proxies and credentials of the environment never used.  A name is resolved
here and the address pinned: one that leads to this machine or to a link-local service is refused
unless the configuration names that address itself.  No error text repeats what a server said, and
none shows an address behind its host and port.
"""

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx2

import waystation
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import TlsFiles
from waystation.net.tls import client_context, tls_failed

# Answers are lists of UIDs; those of a hundred objects take 50 kB (L33 allows 64 MiB).
MOST_ANSWER = 8 << 20
KEEP_OPEN_S = 15.0
CONNECTIONS = 64

# Its lines would show whole addresses, which may carry tokens.
logging.getLogger("httpx2").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpWaits:
    """Seconds.  progress_s: until the next piece of a request is taken.  response_s: for the
    answer, without progress.
    """

    connect_s: float = 10.0
    progress_s: float = 60.0
    response_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How to call one server.  tls: None for the defaults of https."""

    waits: HttpWaits = HttpWaits()
    tls: TlsFiles | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer.  body: None where it is longer than we read, compressed, or of no interest."""

    status: int
    content_type: str = ""
    retry_after: str = ""
    body: bytes | None = field(default=None, repr=False)


Body = bytes | AsyncIterator[bytes]


class HttpClient:
    """Requests with the settings of one server; connections are kept for a moment."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._client: httpx2.AsyncClient | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        read: bool = True,
    ) -> Reply:
        """Send one request.  read: whether the body of the answer is of interest."""
        client = self._open()
        where = _where(url)
        try:
            async with client.stream(
                method, url, headers=dict(headers or {}), content=body
            ) as response:
                return Reply(
                    status=response.status_code,
                    content_type=response.headers.get("content-type", ""),
                    retry_after=response.headers.get("retry-after", ""),
                    body=await _answer(response) if read else None,
                )
        except NOT_REACHED as error:
            raise _not_reached(where, error) from error
        except httpx2.TransportError as error:
            raise LostError(
                f"{where}: {_WORDS.get(type(error), 'no answer')}", sent=True
            ) from error

    async def close(self) -> None:
        """End what is open."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = self._make()
        return self._client

    def _make(self) -> httpx2.AsyncClient:
        settings, waits = self._settings, self._settings.waits
        files = settings.tls or TlsFiles()
        outside = httpx2.AsyncHTTPTransport(
            verify=client_context(files),
            trust_env=False,
            proxy=settings.proxy or None,
            limits=httpx2.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_OPEN_S),
        )
        through = outside if settings.proxy else Pinned(outside, files.server_name)
        return httpx2.AsyncClient(
            transport=through,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx2.Timeout(
                connect=waits.connect_s,
                write=waits.progress_s,
                read=waits.response_s,
                pool=waits.connect_s,
            ),
            headers=[
                ("User-Agent", f"waystation/{waystation.__version__}"),
                ("Accept-Encoding", "identity"),
                *settings.headers,
            ],
        )


NOT_REACHED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
)
_WORDS: dict[type[Exception], str] = {
    httpx2.ReadTimeout: "no answer in time",
    httpx2.WriteTimeout: "it takes no more of the request",
    httpx2.ReadError: "the connection broke before the answer",
    httpx2.WriteError: "the connection broke while sending",
    httpx2.CloseError: "the connection broke while sending",
    httpx2.RemoteProtocolError: "the connection ended without an answer that is HTTP",
}


class Pinned(httpx2.AsyncBaseTransport):
    """Resolves names itself and connects to the addresses that may be meant."""

    def __init__(self, outside: httpx2.AsyncBaseTransport, server_name: str = "") -> None:
        self._outside = outside
        self._server_name = server_name

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Try one address after the other until a connection comes about."""
        name = request.url.host
        addresses = await addresses_of(name, request.url.port or 0)
        # The certificate is that of the name, whatever address it is reached at.
        request.extensions["sni_hostname"] = self._server_name or name
        for place, address in enumerate(addresses, 1):
            request.url = request.url.copy_with(host=address)
            try:
                return await self._outside.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise UnreachableError("name", "no address")

    async def aclose(self) -> None:
        await self._outside.aclose()


async def addresses_of(name: str, port: int) -> Sequence[str]:
    """Return the addresses to try for ``name``.  Raises `UnreachableError`."""
    if _is_address(name) or name == "localhost":
        return [name]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError("name", f"{name}: name not found") from error
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    allowed = [address for address in addresses if may_be_meant(address)]
    if not allowed:
        raise UnreachableError(
            "name",
            f"{name}: leads to an address of this machine or network segment; "
            "if that is meant, write the address itself",
            permanent=True,
        )
    return allowed


def may_be_meant(address: str) -> bool:
    """Return whether a name may lead to ``address`` (S-63)."""
    read = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(read, ipaddress.IPv6Address) and read.ipv4_mapped is not None:
        read = read.ipv4_mapped
    special = read.is_loopback or read.is_link_local or read.is_multicast or read.is_unspecified
    return not special and read not in METADATA


# Metadata services of clouds that are not link-local.
METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _where(url: str) -> str:
    parsed = httpx2.URL(url)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return f"{host}:{parsed.port or (443 if parsed.scheme == 'https' else 80)}"


def _not_reached(where: str, error: Exception) -> UnreachableError:
    """Return what stood in the way of a connection, from the exception's chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_failed(where, cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.TimeoutException):
        return UnreachableError("connect", f"{where}: no connection in time")
    if isinstance(error, httpx2.ProxyError):
        return UnreachableError("connect", f"{where}: the proxy does not let us through")
    return UnreachableError("connect", f"{where}: no connection")


async def _answer(response: httpx2.Response) -> bytes | None:
    """Read the body; None if it is compressed although we asked otherwise, or too long."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    body = bytearray()
    # Ended by whoever leaves the response: what is longer is not read to its end.
    async for piece in cast(AsyncIterator[bytes], response.aiter_raw()):
        body += piece
        if len(body) > MOST_ANSWER:
            return None
    return bytes(body)
