"""Orthanc's modalities, DICOMweb servers and peers: our destinations, and who may call.

Contract: each way keeps its host, port, titles and time-outs.  One that used TLS or a client
certificate never goes out without; credentials are named, never copied.
"""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from waystation.app.importing.foreign import Source, variable_for, write_secret, write_tls
from waystation.app.importing.json_text import Node
from waystation.app.importing.page import Page, plain, plain_names
from waystation.wire.names import is_ae_title

PLACES = ("AET", "Host", "Port", "Manufacturer")
WEB_PLACES = ("Url", "Username", "Password")
MODALITY_KEYS = {*PLACES, "UseDicomTls", "LocalAet", "Timeout", "AllowStore", "AllowTranscoding"}
WEB_KEYS = {
    *WEB_PLACES,
    *("HttpHeaders", "CertificateFile", "CertificateKeyFile", "CertificateKeyPassword", "Timeout"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Modality:
    """One entry of DicomModalities.  stores: it may send to us."""

    label: str
    name: str
    source: Source
    ae_title: str
    host: str
    port: int
    stores: bool

    @property
    def address(self) -> str:
        """The host if it is an address, else ""."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One DICOMweb server or Orthanc peer."""

    label: str
    name: str
    source: Source
    url: str
    peer: bool


@dataclass(slots=True)
class Ways:
    """All of them.  names: what they are called in Orthanc → here."""

    root: Source
    folder: Path
    modalities: list[Modality] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)

    def write(self, page: Page) -> None:
        """Write a destination for each."""
        for modality in self.modalities:
            _modality(page, modality, self.root, self.folder)
        for server in self.servers:
            _server(page, server, self.folder)

    def name_of(self, kind: str, label: str) -> str:
        """Return our name for a modality or peer, "" if there is none such."""
        found: dict[str, str] = {one.label: one.name for one in self.modalities}
        if kind == "Peer":
            found = {one.label: one.name for one in self.servers if one.peer}
        return found.get(label, "")


def ways(root: Source, folder: Path) -> Ways:
    """Return what the configuration names, each with a name that nothing else has."""
    web = root.table("DicomWeb")
    tables = [
        ("DicomModalities", root.table("DicomModalities"), PLACES),
        ("DicomWeb.Servers", web.table("Servers") if web else None, WEB_PLACES),
        ("OrthancPeers", root.table("OrthancPeers"), WEB_PLACES),
    ]
    labels = [label for _, table, _ in tables if table for label, _ in table.node.items()]
    names = iter(plain_names(labels))
    found = Ways(root, folder)
    for kind, table, places in tables:
        for label, node in table.node.items() if table else ():
            source = Source(_as_table(node, places), root.report, f"{kind}.{plain(label)}")
            if kind == "DicomModalities":
                found.modalities.append(_read_modality(label, next(names), source))
            else:
                found.servers.append(
                    Server(
                        label=label,
                        name=next(names),
                        source=source,
                        url=source.needed("Url"),
                        peer=kind == "OrthancPeers",
                    )
                )
    for key in ("DicomModalities", "OrthancPeers"):
        if root.flag(f"{key}InDatabase", False):
            root.report.dropped(
                root.where(f"{key}InDatabase"),
                f"{key} are kept in Orthanc's database and cannot be read from here: list them"
                " with its REST API and add a [destination.*] for each",
            )
    return found


def _as_table(node: Node, places: tuple[str, ...]) -> Node:
    """Return the list form as a table; the first places have fixed meanings."""
    if isinstance(node.value, list):
        return Node(dict(zip(places, node.entries(), strict=False)), node.where)
    return node


def _read_modality(label: str, name: str, source: Source) -> Modality:
    if not isinstance(source.node.value, dict):
        source.fault("", "expected [ TITLE, HOST, PORT ] or a table")
    return Modality(
        label=label,
        name=name,
        source=source,
        ae_title=source.title("AET"),
        host=source.needed("Host"),
        port=source.port("Port"),
        stores=source.flag("AllowStore", True),
    )


def _modality(page: Page, modality: Modality, root: Source, folder: Path) -> None:
    source, report = modality.source, modality.source.report
    _begin(page, modality.label, modality.name, source)
    page.set("kind", "dicom")
    page.set("ae_title", modality.ae_title)
    page.set("host", modality.host)
    page.set("port", modality.port)
    local = source.text("LocalAet")
    if local and is_ae_title(local):
        page.set("calling_ae", f"fixed:{local}")
    elif local:
        source.fault("LocalAet", "an AE title has 1 to 16 printable ASCII characters")
    seconds = source.number("Timeout", 0) or root.number("DicomScuTimeout", 10)
    if seconds > 0:
        wait = f"{seconds}s"
        page.set("timeouts", {"connect": wait, "associate": wait, "response": wait})
    transcodes = root.flag("TranscodeDicomProtocol", True)
    if not (transcodes and source.flag("AllowTranscoding", True)):
        page.set("transcode", "never")
    else:
        page.set("transcode", "decompress", "Orthanc decompressed for who takes nothing else")
    if source.flag("UseDicomTls", False):
        write_tls(page, _client_files(root, folder), report, source.where("UseDicomTls"))
    report.kept(source.where(), f"{modality.label} → destination.{modality.name}")
    _rest(source, MODALITY_KEYS)


def _client_files(root: Source, folder: Path) -> dict[str, Path]:
    keys = {
        "ca": "DicomTlsTrustedCertificates",
        "certificate": "DicomTlsCertificate",
        "key": "DicomTlsPrivateKey",
    }
    return {
        ours: (folder / root.text(key)).absolute() for ours, key in keys.items() if root.has(key)
    }


def _server(page: Page, server: Server, folder: Path) -> None:
    source, report = server.source, server.source.report
    _begin(page, server.label, server.name, source)
    url = server.url.rstrip("/")
    if server.peer:
        page.comment(
            "Orthanc spoke to this peer by its own REST API. Does the peer have the DICOMweb"
            " plugin, and is this its address? If not, use its DICOM port instead."
        )
        url = f"{url}/dicom-web"
        report.changed(source.where(), f"peer {plain(server.label)} → STOW-RS at {plain(url)}?")
    else:
        report.kept(source.where(), f"{plain(server.label)} → destination.{server.name}")
    if "@" in url.partition("://")[2].partition("/")[0]:
        source.fault("Url", "credentials in the address: give Username and Password instead")
    page.set("kind", "stow")
    page.set("url", url)
    seconds = source.number("Timeout", 0)
    if seconds > 0:
        page.set("timeouts", {"response": f"{seconds}s"})
    if source.has("CertificateFile"):
        files = {"certificate": "CertificateFile", "key": "CertificateKeyFile"}
        found = {
            ours: (folder / source.text(key)).absolute()
            for ours, key in files.items()
            if source.has(key)
        }
        write_tls(page, found, report, source.where("CertificateFile"))
    _credentials(page, server)
    _rest(source, WEB_KEYS)


def _credentials(page: Page, server: Server) -> None:
    source, report = server.source, server.source.report
    if source.text("Username"):
        password = {"env": variable_for(server.name, "PASSWORD")}
        auth: dict[str, object] = {"user": source.text("Username"), "password": password}
        write_secret(page, "auth", auth, report, source.where("Username"))
    headers = source.table("HttpHeaders")
    for header, node in headers.node.items() if headers else ():
        env = {"env": variable_for(server.name, variable_for(header, "HEADER"))}
        write_secret(page, "secret_headers", {header: env}, report, node.where)


def _begin(page: Page, label: str, name: str, source: Source) -> None:
    page.table("destination", name, because="" if name == label else f"{label} in Orthanc")
    if name != label:
        source.report.changed(source.where(), f"{plain(label)} is called {name} here")


def _rest(source: Source, known: set[str]) -> None:
    for key, node in source.node.items():
        usual = key == "Manufacturer" and node.value == "Generic"
        if (key not in known or key == "Manufacturer") and not usual:
            said = "permissions other than storing" if key.startswith("Allow") else "no counterpart"
            source.report.dropped(node.where, f"{source.key}.{plain(key)}: {said}")
