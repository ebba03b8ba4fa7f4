"""TLS both ways with DCMTK and pynetdicom, and what happens without it (S-49 to S-53)."""

import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.interop.conftest import StartNode
from tests.objects.study import make_study
from tests.peers.dcmtk import StoreScp, echoscu, storescu
from tests.peers.node import destination, rule_to
from tests.peers.program import wait_until
from tests.peers.raw import RawClient

pytestmark = pytest.mark.peer

HOLD = '\n[routing]\notherwise = "hold"\n'


@dataclass(frozen=True, slots=True)
class Identity:
    """One certificate with its key, and the authority that signed it, as PEM files."""

    ca: Path
    certificate: Path
    key: Path

    def dcmtk(self, *more: str) -> Sequence[str]:
        """Return the options of DCMTK's programs."""
        return ["+tls", str(self.key), str(self.certificate), "+cf", str(self.ca), *more]


def identity(folder: Path, authority: trustme.CA, *names: str) -> Identity:
    folder.mkdir()
    made = authority.issue_cert(*names)
    ca, certificate, key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    authority.cert_pem.write_to_path(ca)
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    return Identity(ca, certificate, key)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.RSA)


@pytest.fixture
def us(tmp_path: Path, authority: trustme.CA) -> Identity:
    return identity(tmp_path / "us", authority, "127.0.0.1", "localhost")


@pytest.fixture
def them(tmp_path: Path, authority: trustme.CA) -> Identity:
    return identity(tmp_path / "them", authority, "127.0.0.1", "localhost")


def listening(us: Identity, *, client_ca: Path | None) -> str:
    asked = f', client_ca = "{client_ca}"' if client_ca else ""
    return f'tls = {{ certificate = "{us.certificate}", key = "{us.key}"{asked} }}'


@pytest.mark.req("S-49", "S-53", "G7")
def test_a_study_comes_in_and_goes_out_over_tls(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, us: Identity, them: Identity
) -> None:
    study = make_study(tmp_path / "study", "tiny", 3, seed="tls")
    sink = stack.enter_context(StoreScp(tmp_path / "sink", ae_title="SINK", options=them.dcmtk()))
    tls = f'tls = {{ ca = "{us.ca}", certificate = "{us.certificate}", key = "{us.key}" }}'
    node = start_node(
        destination("sink", sink.port, ae_title="SINK", extra=tls) + rule_to("sink"),
        dicom=listening(us, client_ca=us.ca),
    )
    sent = storescu(node.port, study.folder, options=them.dcmtk())
    assert sent.exit_code == 0, sent.text
    wait_until(lambda: sink.digests() == study.digests, "all delivered over TLS")


@pytest.mark.req("S-50", "S-51", "S-53")
def test_without_the_right_certificate_nobody_gets_in(
    tmp_path: Path, start_node: StartNode, us: Identity, them: Identity
) -> None:
    stranger = identity(tmp_path / "stranger", trustme.CA(key_type=trustme.KeyType.RSA), "x.test")
    node = start_node(HOLD, dicom=listening(us, client_ca=us.ca))
    assert echoscu(node.port, options=them.dcmtk()).exit_code == 0
    assert echoscu(node.port, options=stranger.dcmtk("-ic")).exit_code != 0
    assert echoscu(node.port).exit_code != 0
    with RawClient(node.port) as plain:
        assert plain.associate() is None
    assert echoscu(node.port, options=them.dcmtk()).exit_code == 0


@pytest.mark.req("S-50", "S-51", "O7")
def test_we_do_not_send_to_a_server_we_cannot_trust(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, us: Identity
) -> None:
    stranger = identity(
        tmp_path / "stranger", trustme.CA(key_type=trustme.KeyType.RSA), "127.0.0.1"
    )
    study = make_study(tmp_path / "study", "tiny", 2, seed="untrusted")
    sink = stack.enter_context(
        StoreScp(tmp_path / "sink", ae_title="SINK", options=stranger.dcmtk("-ic"))
    )
    node = start_node(
        destination("sink", sink.port, ae_title="SINK", extra=f'tls = {{ ca = "{us.ca}" }}')
        + rule_to("sink")
    )
    assert storescu(node.port, study.folder).exit_code == 0
    node.wait_for({"waiting": 2})
    assert sink.count() == 0


@pytest.mark.req("S-49")
def test_only_tls_1_2_and_1_3_are_spoken(start_node: StartNode, us: Identity) -> None:
    node = start_node(HOLD, dicom=listening(us, client_ca=None))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert spoken(node.port, us, version) == version.name.replace("_", ".")


def spoken(port: int, us: Identity, version: ssl.TLSVersion) -> str | None:
    """Return the protocol agreed on when only ``version`` is offered."""
    context = ssl.create_default_context(cafile=str(us.ca))
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return secured.version()
