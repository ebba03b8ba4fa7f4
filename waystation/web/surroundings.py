"""Where a request comes from, and under which names it may call us.

Contract: what a proxy forwards counts only if the proxy is listed (W-137).  No state.
"""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Scope

from waystation.web.cors import netloc
from waystation.web.public_url import caller_of, forwarded, is_local, is_our_name, is_trusted
from waystation.web.terms import Terms


class Surroundings:
    """terms: those in force now."""

    def __init__(self, terms: Callable[[], Terms] = Terms) -> None:
        self._terms = terms

    def caller(self, scope: Scope) -> str:
        """Return the address of who asks, "" if a proxy does not name it."""
        return caller_of(_peer(scope), Headers(scope=scope), self._terms().proxies)

    def is_local(self, scope: Scope) -> bool:
        """Tell whether a request comes from this machine."""
        return is_local(self.caller(scope))

    def is_secure(self, scope: Scope) -> bool:
        """Tell whether the caller's connection is encrypted, here or at a listed proxy."""
        if is_trusted(_peer(scope), self._terms().proxies):
            said = forwarded(Headers(scope=scope)).proto
            if said:
                return said == "https"
        return bool(scope.get("scheme") == "https")

    def netlocs(self, scope: Scope) -> set[str]:
        """Return hosts, with their ports, whose pages are ours for this request."""
        terms, headers = self._terms(), Headers(scope=scope)
        found = {headers.get("host", ""), netloc(terms.public_url)}
        if is_trusted(_peer(scope), terms.proxies):
            found.add(forwarded(headers).host)
        return found - {""}

    def knows(self, host: str) -> bool:
        """Return True for names that no foreign DNS record can point at us."""
        return is_our_name(host, self._terms().public_url)


def _peer(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""
