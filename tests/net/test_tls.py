"""TLS in both directions, with authorities made for the test."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.net.sink import HOST, SHORT, Sink, call_to, running, store
from tests.objects.samples import sample
from waystation.model.errors import ConfigError, LostError, UnreachableError
from waystation.model.peer import TlsFiles
from waystation.net.tls import client_context, server_context

BOTH_LOOPS = True
TINY = sample("tiny")


@dataclass(frozen=True, slots=True)
class Papers:
    """Files of one authority: of a server on loopback and of a client."""

    folder: Path
    authority: trustme.CA

    def write(self, name: str, certificate: trustme.LeafCert) -> TlsFiles:
        chain, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        key.write_bytes(certificate.private_key_pem.bytes())
        return TlsFiles(certificate=str(chain), key=str(key))

    @property
    def ca(self) -> str:
        file = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(file))
        return str(file)

    def issue(self, name: str, *hosts: str, days: int = 30) -> TlsFiles:
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        begins = ends - datetime.timedelta(days=40)
        made = self.authority.issue_cert(*hosts, not_before=begins, not_after=ends)
        return self.write(name, made)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("ours"), trustme.CA())


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("theirs"), trustme.CA())


@asynccontextmanager
async def secured(papers: Papers, client_auth: str = "off") -> AsyncIterator[Sink]:
    files = papers.issue("server", HOST)
    ca = papers.ca if client_auth != "off" else ""
    context = server_context(replace(files, ca=ca, client_auth=client_auth))
    async with running(tls=context) as sink:
        yield sink


async def stores(sink: Sink, tls: TlsFiles | None) -> None:
    call = await call_to(sink.remote(tls=tls), [TINY])
    assert (await store(call, TINY)).status == 0
    await call.release()


@pytest.mark.req("S-49", "S-53")
async def test_objects_arrive_over_tls_whole(papers: Papers) -> None:
    async with secured(papers) as sink:
        await stores(sink, TlsFiles(ca=papers.ca))
        big = sample("ct")
        call = await call_to(sink.remote(tls=TlsFiles(ca=papers.ca)), [big])
        assert (await store(call, big)).status == 0
        await call.release()
        assert [one.data_set for one in sink.objects] == [TINY.data_set, big.data_set]
        assert sink.tls == [True, True]


@pytest.mark.req("S-51", "S-53")
async def test_a_server_of_another_authority_is_refused_for_good(
    papers: Papers, strangers: Papers
) -> None:
    async with secured(strangers) as sink:
        with pytest.raises(UnreachableError, match="TLS failed") as raised:
            await stores(sink, TlsFiles(ca=papers.ca))
        assert (raised.value.layer, raised.value.permanent) == ("tls", True)
        assert sink.associations == 0
        await stores(sink, TlsFiles(ca=papers.ca, verify=False))


@pytest.mark.req("S-51", "S-53")
async def test_an_expired_certificate_is_refused(papers: Papers) -> None:
    context = server_context(replace(papers.issue("old", HOST, days=-1), client_auth="off"))
    async with running(tls=context) as sink:
        with pytest.raises(UnreachableError, match="expired") as raised:
            await stores(sink, TlsFiles(ca=papers.ca))
        assert raised.value.permanent


@pytest.mark.req("S-51", "S-53")
async def test_a_certificate_for_another_name_is_refused(papers: Papers) -> None:
    files = papers.issue("elsewhere", "pacs.example")
    async with running(tls=server_context(replace(files, client_auth="off"))) as sink:
        with pytest.raises(UnreachableError) as raised:
            await stores(sink, TlsFiles(ca=papers.ca))
        assert raised.value.layer == "tls"
        await stores(sink, TlsFiles(ca=papers.ca, server_name="pacs.example"))


@pytest.mark.req("S-51", "S-53")
async def test_a_required_client_certificate_is_required(papers: Papers, strangers: Papers) -> None:
    async with secured(papers, "required") as sink:
        good = replace(papers.issue("client", "ct1.example"), ca=papers.ca)
        await stores(sink, good)
        foreign = replace(strangers.issue("client", "ct1.example"), ca=papers.ca)
        expired = replace(papers.issue("late", "ct1.example", days=-1), ca=papers.ca)
        for bad in (TlsFiles(ca=papers.ca), foreign, expired):
            with pytest.raises((UnreachableError, LostError)):
                await stores(sink, bad)
        assert sink.associations == 1


@pytest.mark.req("S-51")
async def test_an_optional_client_certificate_is_optional_but_checked(
    papers: Papers, strangers: Papers
) -> None:
    async with secured(papers, "optional") as sink:
        await stores(sink, TlsFiles(ca=papers.ca))
        await stores(sink, replace(papers.issue("client", "ct1.example"), ca=papers.ca))
        with pytest.raises((UnreachableError, LostError)):
            await stores(sink, replace(strangers.issue("c", "ct1.example"), ca=papers.ca))
        assert sink.associations == 2


@pytest.mark.req("S-50", "S-53")
async def test_plaintext_and_tls_never_meet(papers: Papers) -> None:
    async with secured(papers) as sink:
        with pytest.raises(UnreachableError):
            await call_to(sink.remote(), waits=replace(SHORT, associate_s=1.0))
        assert sink.associations == 0
        await stores(sink, TlsFiles(ca=papers.ca))
    async with running() as plain:
        with pytest.raises(UnreachableError) as raised:
            await stores(plain, TlsFiles(ca=papers.ca))
        assert raised.value.layer in {"tls", "connect"}
        assert plain.associations == 0


@pytest.mark.req("S-49", "S-50", "S-53")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_of_tls_are_refused_in_both_directions(
    papers: Papers, version: ssl.TLSVersion
) -> None:
    files = papers.issue("server", HOST)
    old_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old_client.load_verify_locations(papers.ca)
    old_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old_server.load_cert_chain(files.certificate, files.key)
    for context in (old_client, old_server):
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = version
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.maximum_version = version
    async with secured(papers) as sink:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(HOST, sink.port, ssl=old_client, server_hostname=HOST)
    async with running(tls=old_server) as sink:
        with pytest.raises(UnreachableError) as raised:
            await stores(sink, TlsFiles(ca=papers.ca))
        # An old OpenSSL says so by an alert, a new one just hangs up.
        assert raised.value.layer in {"tls", "connect"}
        assert sink.associations == 0


@pytest.mark.req("S-49")
def test_suites_are_ecdhe_with_aes_gcm_and_versions_begin_at_1_2(papers: Papers) -> None:
    server = server_context(replace(papers.issue("server", HOST), client_auth="off"))
    for context in (server, client_context(TlsFiles(ca=papers.ca))):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION
        for suite in context.get_ciphers():
            name = suite["name"]
            assert name.startswith("TLS_") or ("ECDHE" in name and "GCM" in name)


@pytest.mark.req("L14", "S-53")
async def test_a_stalled_handshake_is_closed(papers: Papers) -> None:
    async with secured(papers) as sink:
        reader, writer = await asyncio.open_connection(HOST, sink.port)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await stores(sink, TlsFiles(ca=papers.ca))


@pytest.mark.parametrize("broken", ["certificate", "key", "ca"])
def test_a_file_that_cannot_be_used_is_named(papers: Papers, broken: str) -> None:
    file = papers.folder / "garbage.pem"
    file.write_text("-----BEGIN NOTHING-----\n")
    good = replace(papers.issue("server", HOST), ca=papers.ca)
    for wrong in (str(file), str(papers.folder / "missing.pem")):
        with pytest.raises(ConfigError):
            server_context(
                TlsFiles(
                    certificate=wrong if broken == "certificate" else good.certificate,
                    key=wrong if broken == "key" else good.key,
                    ca=wrong if broken == "ca" else good.ca,
                )
            )


def test_a_key_with_a_forgotten_passphrase_is_an_error_and_no_question(papers: Papers) -> None:
    files = papers.issue("locked", HOST)
    key = load_pem_private_key(Path(files.key).read_bytes(), None)
    locked = papers.folder / "locked.key"
    secret = BestAvailableEncryption(b"open sesame")
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, secret))
    with pytest.raises(ConfigError):
        server_context(replace(files, key=str(locked), client_auth="off"))
    server_context(replace(files, key=str(locked), key_password="open sesame", client_auth="off"))
