"""Mail: TLS or nothing, one line per header, and what a failure means."""

import ssl
from pathlib import Path

import pytest
import trustme

from tests.net.mail_sink import HOST, mailbox
from waystation.model.errors import LostError, PeerError, UnreachableError
from waystation.model.peer import TlsFiles
from waystation.net.mail import Mail, MailServer, send_mail

MAIL = Mail(
    name="a7",
    to="it@hospital.example",
    subject="[node] pacs: down",
    text="first line\nsecond line",
    at=1_800_000_000.0,
    tables=[("report.csv", "kind,name\r\n")],
)


def server(port: int, **settings: object) -> MailServer:
    values = {"host": HOST, "port": port, "sender": "node@hospital.example", "tls": "none"}
    return MailServer(**values | settings)  # type: ignore[arg-type]


@pytest.fixture
def authority(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """Return the file of an authority and the context of a server that it vouches for."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path), context


@pytest.mark.req("R-82")
async def test_a_mail_arrives_with_its_table() -> None:
    async with mailbox() as box:
        await send_mail(server(box.port), MAIL)
    (mail,) = box.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "node@hospital.example",
        "it@hospital.example",
        "[node] pacs: down",
    )
    assert mail["Message-ID"] == "<a7@hospital.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert box.text().splitlines() == ["first line", "second line"]
    assert box.table() == ("report.csv", "kind,name\r\n")


@pytest.mark.req("R-82")
async def test_starttls_is_used_and_the_server_is_known(
    authority: tuple[str, ssl.SSLContext],
) -> None:
    ca, context = authority
    async with mailbox(tls=context) as box:
        await send_mail(server(box.port, tls="starttls", files=TlsFiles(ca=ca)), MAIL)
        assert len(box.mails) == 1


@pytest.mark.req("R-82")
async def test_without_starttls_nothing_is_handed_in() -> None:
    async with mailbox() as box:
        with pytest.raises(UnreachableError, match="offers no STARTTLS") as caught:
            await send_mail(server(box.port, tls="starttls"), MAIL)
    assert caught.value.layer == "tls"
    assert box.mails == []


@pytest.mark.req("R-82")
async def test_a_server_that_nobody_vouches_for_gets_nothing(
    authority: tuple[str, ssl.SSLContext],
) -> None:
    async with mailbox(tls=authority[1]) as box:
        with pytest.raises(UnreachableError) as caught:
            await send_mail(server(box.port, tls="starttls"), MAIL)
    assert caught.value.layer == "tls"
    assert box.mails == []


async def test_user_and_password_are_shown() -> None:
    async with mailbox(password=b"sesame") as box:
        await send_mail(server(box.port, user="node", password="sesame"), MAIL)
        with pytest.raises(UnreachableError, match="user or password not accepted"):
            await send_mail(server(box.port, user="node", password="wrong"), MAIL)
        assert len(box.mails) == 1


async def test_what_a_server_says_is_never_repeated() -> None:
    async with mailbox() as box:
        box.answer = lambda _mail: "554 DOE^JANE is not welcome"
        with pytest.raises(PeerError, match="answers 554") as caught:
            await send_mail(server(box.port), MAIL)
    assert "DOE" not in str(caught.value)


async def test_nobody_there_is_no_connection() -> None:
    async with mailbox() as box:
        port = box.port
    with pytest.raises(UnreachableError, match="no connection to the mail server"):
        await send_mail(server(port), MAIL)


async def test_a_connection_that_breaks_may_have_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mailbox() as box:

        def broken(_mail: object) -> str:
            raise ConnectionResetError

        box.answer = broken
        with pytest.raises((LostError, PeerError)):
            await send_mail(server(box.port), MAIL)


HOSTILE = [
    "pacs\r\nBcc: everybody@elsewhere.example",
    "pacs\nX: y",
    "pacs\r\n\r\nbody",
    "\x1b[31mred\u202e",
    "NUL\0",
]


@pytest.mark.req("S-62")
@pytest.mark.parametrize("text", HOSTILE)
async def test_no_text_makes_a_header_of_its_own(text: str) -> None:
    hostile = Mail(name="a", to="it@x.example", subject=text, text=text, at=0.0)
    async with mailbox() as box:
        await send_mail(server(box.port), hostile)
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert box.recipients == ["it@x.example"]
    assert not set(str(mail["Subject"])) & {"\r", "\n", "\x1b", "\u202e", "\0"}
    assert not set(box.text()) & {"\x1b", "\u202e", "\0"}
