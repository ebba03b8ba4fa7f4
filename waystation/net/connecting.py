"""One connection to a peer, TLS included; each way to fail has its layer (T-75)."""

import asyncio
import ssl
from collections.abc import Callable

from waystation.model.errors import UnreachableError
from waystation.model.peer import Remote
from waystation.net.conversation import Conversation
from waystation.net.tls import client_context, tls_failed


async def connect(
    remote: Remote, connect_s: float, converse: Callable[[], Conversation]
) -> Conversation:
    """Return the connected conversation.

    Raises `UnreachableError` with layer ``name``, ``connect`` or ``tls``.
    """
    context = client_context(remote.tls) if remote.tls is not None else None
    server_name = None
    if remote.tls is not None:
        server_name = remote.tls.server_name or remote.host
    loop = asyncio.get_running_loop()
    where = f"{remote.host}:{remote.port}"
    try:
        async with asyncio.timeout(connect_s):
            _, conversation = await loop.create_connection(
                converse, remote.host, remote.port, ssl=context, server_hostname=server_name
            )
    except TimeoutError as error:
        raise UnreachableError(
            "connect", f"{where}: no connection within {connect_s:g} s"
        ) from error
    except ssl.SSLError as error:
        raise tls_failed(where, error) from error
    except UnicodeError as error:
        raise UnreachableError("name", f"{where}: not a host name") from error
    except OSError as error:
        # getaddrinfo's errors are the only ones with negative numbers.
        layer = "name" if error.errno is not None and error.errno < 0 else "connect"
        reason = error.strerror or str(error)
        raise UnreachableError(layer, f"{where}: {reason}") from error
    return conversation
