"""A mail server in this process, on a port of its own.

Contract: `Mailbox.mails` has what was taken, in order; ``answer`` decides about each (an SMTP
reply).  With a TLS context it takes mail only after STARTTLS.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

HOST = "127.0.0.1"
TAKEN = "250 taken"


@dataclass
class Mailbox:
    """What a mail server took."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answer: Callable[[EmailMessage], str] = lambda _mail: TAKEN
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=default)
        answer = self.answer(mail)
        if answer == TAKEN:
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
        return answer

    def text(self, place: int = -1) -> str:
        """Return the words of a mail."""
        part = self.mails[place].get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    def table(self, place: int = -1) -> tuple[str, str]:
        """Return name and text of what is attached."""
        (part,) = self.mails[place].iter_attachments()
        return part.get_filename() or "", part.get_content()


@asynccontextmanager
async def mailbox(
    *, tls: ssl.SSLContext | None = None, port: int = 0, password: bytes = b""
) -> AsyncIterator[Mailbox]:
    """Serve a mailbox for as long as the block lasts."""
    box = Mailbox()

    def known(_server: Any, _session: Any, _envelope: Any, _way: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == password, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            box,
            hostname="sink.example",
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=known if password else None,
            auth_require_tls=False,
        )

    server = await asyncio.get_running_loop().create_server(protocol, HOST, port)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await asyncio.sleep(0)
