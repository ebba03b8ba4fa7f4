"""Under which address callers know us (W-137), who they are, and which names in Host are ours.

Contract: pure.  A configured public URL wins; then what a trusted proxy says in Forwarded or
X-Forwarded-*; then Host.  What an untrusted peer forwards is ignored.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_USUAL = {"http": 80, "https": 443}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?", re.ASCII)
_FORWARDING = (
    *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
    *("x-forwarded-prefix", "via", "x-real-ip"),
)
_FOR = re.compile(r"for=\"?(\[[0-9A-Fa-f:.]+\]|[0-9.]+)", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(r"(proto|host)=(?:\"([^\"]*)\"|([^;,\s]*))", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What a proxy says; "" for what it does not say."""

    proto: str = ""
    host: str = ""
    prefix: str = ""


def forwarded(headers: Headers) -> Forwarded:
    """Return what the first proxy wrote, as far as it can be used."""
    named: dict[str, str] = {}
    if standard := headers.get("forwarded"):
        for name, quoted, plain in _PAIR.findall(standard.partition(",")[0]):
            named.setdefault(name.lower(), quoted or plain)
    proto = named.get("proto") or _first(headers, "x-forwarded-proto")
    host = named.get("host") or _first(headers, "x-forwarded-host")
    prefix = _first(headers, "x-forwarded-prefix")
    return Forwarded(
        proto=proto.lower() if proto.lower() in ("http", "https") else "",
        host=host if _HOST.fullmatch(host) else "",
        prefix=prefix.rstrip("/") if _PREFIX.fullmatch(prefix) else "",
    )


def _first(headers: Headers, name: str) -> str:
    return headers.get(name, "").partition(",")[0].strip()


def is_trusted(peer: str, proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Tell whether a peer is one of our proxies."""
    if not proxies:
        return False
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in proxies)


def caller_of(peer: str, headers: Headers, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """Return who asks: the peer, or whom the nearest trusted proxy names; "" if it names nobody.

    Who forwards nothing asks for itself: commands on the machine of the proxy.
    """
    if not is_trusted(peer, proxies) or not any(name in headers for name in _FORWARDING):
        return peer
    chain = [one.strip().strip('"[]') for one in headers.get("x-forwarded-for", "").split(",")]
    if standard := headers.get("forwarded"):
        chain = [one.strip("[]") for one in _FOR.findall(standard)]
    return next((one for one in reversed(chain) if not is_trusted(one, proxies)), "")


@lru_cache(maxsize=1024)
def is_local(caller: str) -> bool:
    """Tell whether a caller is on this machine."""
    try:
        return ipaddress.ip_address(caller).is_loopback
    except ValueError:
        return False


def origin_of(
    scheme: str,
    headers: Headers,
    public_url: str,
    said: Forwarded | None,
    server: tuple[str, int | None] | None = None,
) -> str:
    """Return scheme, host and prefix under which the caller knows us, without a slash at its end.

    said: by a trusted proxy, None if the peer is none.  server: address and port that were called;
    some clients leave the port out of Host.
    """
    if public_url:
        return public_url.rstrip("/")
    host = headers.get("host", "")
    own = host if _HOST.fullmatch(host) else "localhost"
    if server is not None and own == server[0] and server[1] not in (None, _USUAL.get(scheme)):
        own = f"{own}:{server[1]}"
    if said is None:
        return f"{scheme}://{own}"
    return f"{said.proto or scheme}://{said.host or own}{said.prefix}"


@lru_cache(maxsize=256)
def is_our_name(host: str, public_url: str) -> bool:
    """Return True for names that no foreign DNS record can point at us, and for our public one."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or (public_url and name == urlsplit(public_url).hostname):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
