"""Who may send to an Orthanc, and where it listens: our ``[dicom]`` and ``[peer.*]``.

Contract: nobody may send who could not before.  What cannot be said as narrowly is left out as a
comment and listed.
"""

from pathlib import Path

from waystation.app.importing.foreign import Source
from waystation.app.importing.orthanc_ways import Ways
from waystation.app.importing.page import Page

OPEN_HOUSE = (
    "everybody may send, from any address (DicomAlwaysAllowStore): name the senders in [peer.*]"
    " tables and remove [peer.anyone]"
)
SMALLEST_PDU, LARGEST_PDU = 4096, 131_072


def listener(source: Source, page: Page, folder: Path, found: Ways) -> None:
    """Write node, listener and peers."""
    report = source.report
    if source.text("Name"):
        page.table("node")
        page.set("name", source.text("Name"))
        report.kept(source.where("Name"), "Name → node.name")
    page.table("dicom")
    page.set("ae_title", source.title("DicomAet", "ORTHANC"))
    _tls(source, page, folder)
    page.set("port", source.port("DicomPort", 4242))
    report.kept(source.where("DicomAet"), "DicomAet → dicom.ae_title")
    report.kept(source.where("DicomPort"), "DicomPort → dicom.port")
    own = source.flag("DicomCheckCalledAet", False)
    page.set("called_ae", "own" if own else "any")
    report.kept(source.where("DicomCheckCalledAet"), "DicomCheckCalledAet → dicom.called_ae")
    page.set("peers", "known")
    _details(source, page)
    _peers(source, page, found)
    _web(source, page)


def _tls(source: Source, page: Page, folder: Path) -> None:
    """Write the address to listen on; without its certificate a TLS listener stays on loopback."""
    if not source.flag("DicomTlsEnabled", False):
        page.set("host", "0.0.0.0", "Orthanc listens on every address")
        return
    keys = {
        "certificate": "DicomTlsCertificate",
        "key": "DicomTlsPrivateKey",
        "client_ca": "DicomTlsTrustedCertificates",
    }
    table = {
        ours: str((folder / source.text(key)).absolute())
        for ours, key in keys.items()
        if source.has(key)
    }
    where = source.where("DicomTlsEnabled")
    if "client_ca" in table:
        required = source.flag("DicomTlsRemoteCertificateRequired", True)
        table["client_auth"] = "required" if required else "optional"
    here = all(Path(path).is_file() for ours, path in table.items() if ours != "client_auth")
    if here and {"certificate", "key"} <= set(table):
        page.set("host", "0.0.0.0", "Orthanc listens on every address")
        page.set("tls", table)
        source.report.kept(where, "DicomTlsEnabled → dicom.tls, with the same files")
        return
    page.set("host", "127.0.0.1", "was 0.0.0.0 with TLS, whose files are not here")
    page.off("tls", table)
    source.report.changed(where, "TLS files are not here: listens on loopback until they are")


def _details(source: Source, page: Page) -> None:
    report = source.report
    if source.has("UnknownSopClassAccepted"):
        page.set("unknown_classes", source.flag("UnknownSopClassAccepted", False))
        report.kept(source.where("UnknownSopClassAccepted"), "→ dicom.unknown_classes")
    size = source.number("MaximumPduLength", 0)
    if SMALLEST_PDU <= size <= LARGEST_PDU:
        page.set("max_pdu", f"{size}B")
        report.kept(source.where("MaximumPduLength"), f"MaximumPduLength → {size} bytes")
    elif source.has("MaximumPduLength"):
        source.fault("MaximumPduLength", "expected 4096 to 131072 bytes")
    seconds = source.number("DicomScpTimeout", 0)
    if seconds > 0:
        page.set("timeouts", {"idle": f"{seconds}s"})
        report.kept(source.where("DicomScpTimeout"), f"→ dicom.timeouts.idle = {seconds}s")
    if not source.flag("DicomServerEnabled", True):
        report.changed(source.where("DicomServerEnabled"), "the DICOM listener is always on here")
    syntaxes = source.node.get("AcceptedTransferSyntaxes")
    if syntaxes is not None:
        everything = [entry.value for entry in syntaxes.entries()] == ["1.2.840.10008.1.*"]
        note = report.kept if everything else report.changed
        note(syntaxes.where, "AcceptedTransferSyntaxes: all are taken, and sent on as they came")


def _peers(source: Source, page: Page, found: Ways) -> None:
    report, where = source.report, source.where("DicomAlwaysAllowStore")
    if source.flag("DicomAlwaysAllowStore", True):
        page.table("peer", "anyone", because=f"WARNING: {OPEN_HOUSE}.")
        page.set("ae_title", "*")
        report.warning(where, OPEN_HOUSE)
        report.kept(where, "DicomAlwaysAllowStore → peer.anyone")
        return
    report.kept(where, "DicomAlwaysAllowStore = false → only modalities may send")
    checks = source.flag("DicomCheckModalityHost", False)
    for modality in found.modalities:
        if not modality.stores:
            report.kept(modality.source.where("AllowStore"), f"{modality.name} may not send")
            continue
        if checks and not modality.address:
            page.gap()
            page.comment(f"{modality.name}: write the address of {modality.host}, then uncomment:")
            for line in (f"[peer.{modality.name}]", f'ae_title = "{modality.ae_title}"'):
                page.comment(line, wrap=False)
            page.comment('address = [""]', wrap=False)
            report.changed(
                modality.source.where("Host"),
                f"{modality.name} may not send yet: only an address can be checked, not a name",
            )
            continue
        page.table("peer", modality.name)
        page.set("ae_title", modality.ae_title)
        if checks:
            page.set("address", [modality.address])
    if not source.flag("StrictAetComparison", False):
        report.changed(
            source.where("StrictAetComparison"), "calling titles are compared with their case here"
        )


def _web(source: Source, page: Page) -> None:
    report = source.report
    page.table("web")
    enabled = source.flag("HttpServerEnabled", True)
    page.set("enabled", enabled)
    page.set("port", source.port("HttpPort", 8042))
    report.kept(source.where("HttpPort"), "HttpPort → web.port")
    if source.flag("RemoteAccessAllowed", False) and enabled:
        page.comment("Orthanc allowed remote access. Here that needs users first.")
        report.changed(source.where("RemoteAccessAllowed"), "the web listener stays on loopback")
