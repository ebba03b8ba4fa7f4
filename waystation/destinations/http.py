"""One HTTP server as destinations see it: an answer, or what its absence means for a delivery.

Contract: `ask` raises nothing for what a server, a network or our own files can do; what the
body of a request raises passes through.
"""

import time
from collections.abc import Mapping

from waystation.model.errors import ConfigError, LostError, UnreachableError
from waystation.model.outcome import Deferred, Fault
from waystation.net.credentials import Credentials, Identity
from waystation.net.http import Body, HttpClient, HttpSettings, Reply
from waystation.timing.status import classify_silence, classify_unreachable

UNAUTHORISED = 401


class Server:
    """The connections to one server, and who we are to it."""

    def __init__(self, settings: HttpSettings, identity: Identity) -> None:
        self._client = HttpClient(settings)
        self._credentials = Credentials(identity, time.monotonic)

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        read: bool = True,
    ) -> Reply | Deferred:
        """Send one request; see `HttpClient.request`."""
        sent = dict(headers or {})
        try:
            if shown := await self._credentials.authorization():
                sent["Authorization"] = shown
            reply = await self._client.request(method, url, headers=sent, body=body, read=read)
        except UnreachableError as error:
            return classify_unreachable(error)
        except LostError as error:
            return classify_silence(str(error))
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        if reply.status == UNAUTHORISED and self._credentials.rejected():
            return classify_silence("the token is not taken any more")
        return reply

    async def close(self) -> None:
        """End what is open."""
        await self._client.close()
        await self._credentials.close()
