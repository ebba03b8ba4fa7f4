"""One mail to one recipient over SMTP.

The library is imported when a mail leaves: it costs a node without mail nothing.

Contract (R-82, S-62): TLS is required unless the settings say otherwise, and certificates are
checked.  A header never carries more than one line.  `send_mail` returns once the server has
taken the mail and raises `UnreachableError` (no connection, no TLS, no login), `LostError` (it
may have been taken) or `PeerError` (refused); no text repeats what the server said.  The same
mail has the same Message-ID, so that a second copy can be told.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from waystation.model.errors import LostError, PeerError, UnreachableError
from waystation.model.peer import TlsFiles
from waystation.model.printable import printable
from waystation.net.tls import client_context, tls_failed

if TYPE_CHECKING:
    import aiosmtplib

# Short lines are advice; a folded subject is shown with a gap by some readers.
RULES = SMTP.clone(max_line_length=500)
WAIT_S = 60.0
PART_S = 5.0
MOST_SUBJECT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in.  tls: ``starttls``, ``tls`` from the first byte, or ``none``."""

    host: str
    port: int
    sender: str
    tls: str = "starttls"
    files: TlsFiles = TlsFiles()
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """name: of this very message.  at: when it was written, Unix seconds.

    tables: (file name, CSV).
    """

    name: str
    to: str
    subject: str
    text: str
    at: float
    tables: Sequence[tuple[str, str]] = ()


def message(server: MailServer, mail: Mail) -> EmailMessage:
    """Return the mail as it leaves."""
    made = EmailMessage(policy=RULES)
    made["From"] = server.sender
    made["To"] = mail.to
    made["Subject"] = printable(mail.subject)[:MOST_SUBJECT]
    made["Date"] = datetime.fromtimestamp(mail.at, UTC)
    made["Message-ID"] = f"<{mail.name}@{_domain(server)}>"
    # No answering machine is to reply (RFC 3834).
    made["Auto-Submitted"] = "auto-generated"
    made.set_content("\n".join(map(printable, mail.text.split("\n"))))
    for name, table in mail.tables:
        made.add_attachment(
            table.encode(),
            maintype="text",
            subtype="csv",
            filename=name,
            params={"charset": "utf-8"},
        )
    return made


def _domain(server: MailServer) -> str:
    return server.sender.rpartition("@")[2]


async def send_mail(server: MailServer, mail: Mail) -> None:
    """Hand in one mail."""
    import aiosmtplib

    where = f"{server.host}:{server.port}"
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        timeout=WAIT_S,
        use_tls=server.tls == "tls",
        start_tls=False,
        # Asking a name server who we are may take longer than the mail.
        local_hostname=_domain(server),
        tls_context=None if server.tls == "none" else client_context(server.files),
    )
    try:
        await _connect(client, server, where)
        await _hand_in(client, server, mail, where)
        # It was taken: how we part changes nothing any more.
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await client.quit(timeout=PART_S)
    finally:
        client.close()


async def _connect(client: aiosmtplib.SMTP, server: MailServer, where: str) -> None:
    import aiosmtplib

    try:
        await client.connect()
        if server.tls == "starttls":
            await client.ehlo()
            if not client.supports_extension("starttls"):
                raise UnreachableError("tls", f"{where}: the mail server offers no STARTTLS")
            await client.starttls()
        if server.user:
            await client.login(server.user, server.password)
    except aiosmtplib.SMTPAuthenticationError as error:
        raise UnreachableError("rejected", f"{where}: user or password not accepted") from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        if (of_tls := _of_tls(error)) is not None:
            raise tls_failed(where, of_tls) from error
        raise UnreachableError("connect", f"{where}: no connection to the mail server") from error


def _of_tls(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


async def _hand_in(client: aiosmtplib.SMTP, server: MailServer, mail: Mail, where: str) -> None:
    import aiosmtplib

    try:
        async with asyncio.timeout(WAIT_S * 2):
            made = message(server, mail).as_bytes(policy=RULES)
            await client.sendmail(server.sender, [mail.to], made)
    except aiosmtplib.SMTPServerDisconnected as error:
        raise LostError(f"{where}: the connection broke", sent=True) from error
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise PeerError(f"{where}: the mail server refuses the recipient") from error
    except aiosmtplib.SMTPResponseException as error:
        raise PeerError(f"{where}: the mail server answers {error.code}") from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise LostError(f"{where}: no answer from the mail server", sent=True) from error
