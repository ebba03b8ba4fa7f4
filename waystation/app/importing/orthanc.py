"""Orthanc's configuration: one .json file, or a folder of them as Debian keeps it.

Contract: `read` gives a configuration under which this node answers to the same title and port,
takes from the same callers, and knows the same ways out (R-83).  Orthanc routes nothing by itself,
so there are no rules: everything is kept.  A one-line Lua script for auto-routing becomes a
proposed rule in a comment.  Options that have no counterpart are listed one by one.
"""

import os
from pathlib import Path

from waystation.app.importing.findings import Imported, Report, unreadable
from waystation.app.importing.foreign import Source
from waystation.app.importing.json_text import Node, read_json
from waystation.app.importing.orthanc_listener import listener
from waystation.app.importing.orthanc_lua import scripts
from waystation.app.importing.orthanc_options import options
from waystation.app.importing.orthanc_ways import Ways, ways
from waystation.app.importing.page import Page, plain
from waystation.app.importing.sources import read_file, shown

# What the parts below translate; the rest is listed by `options`.
TRANSLATED = frozenset(
    {
        *("Name", "DicomServerEnabled", "DicomAet", "DicomPort", "DicomCheckCalledAet"),
        *("DicomAlwaysAllowStore", "DicomCheckModalityHost", "StrictAetComparison"),
        *("DicomModalities", "DicomModalitiesInDatabase", "OrthancPeers", "OrthancPeersInDatabase"),
        *("DicomWeb", "StableAge", "LuaScripts", "DicomTlsEnabled", "DicomTlsCertificate"),
        *("DicomTlsPrivateKey", "DicomTlsTrustedCertificates", "DicomTlsRemoteCertificateRequired"),
        *("DicomScpTimeout", "DicomScuTimeout", "MaximumPduLength", "UnknownSopClassAccepted"),
        *("HttpPort", "RemoteAccessAllowed", "HttpServerEnabled", "TranscodeDicomProtocol"),
        *("AcceptedTransferSyntaxes",),
    }
)


def read(path: Path) -> Imported:
    """Return the configuration of a file or folder.  Raises `ConfigFaults`."""
    report, page = Report(), Page()
    files = _files(path)
    source = Source(_merged(files), report)
    folder = path if path.is_dir() else path.parent
    page.comment(f"Made by `waystation import-config orthanc` from {plain(str(path))}")
    page.comment("What was kept, changed or dropped stands in the list beside this text.")
    found: Ways = ways(source, folder)
    listener(source, page, folder, found)
    found.write(page)
    _completeness(source, page)
    scripts(source, page, folder, found)
    page.gap()
    page.comment(
        "Orthanc keeps what it receives and sends nothing by itself. Without any [[rule]] it is"
        " the same here: everything goes to the archive."
    )
    options(source, TRANSLATED)
    for missing in sorted(_missing(source.node)):
        report.changed(source.where(), f"${{{missing}}} is not set here and counted as empty")
    return report.finish(page.toml)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        files = sorted(entry for entry in path.iterdir() if entry.name.endswith(".json"))
    except OSError as error:
        raise unreadable(shown(path), f"cannot be read: {error.strerror}") from None
    if not files:
        raise unreadable(shown(path), "there is no .json file in this folder")
    return files


def _merged(files: list[Path]) -> Node:
    """Return the tables of all files as one; Orthanc wants each option in one file only."""
    pairs: dict[str, Node] = {}
    for file in files:
        node = read_json(read_file(file), shown(file), os.environ)
        if not isinstance(node.value, dict):
            raise unreadable(node.where, "expected a table in braces")
        for key, value in node.items():
            if key in pairs:
                raise unreadable(
                    value.where, f'"{plain(key)}" stands in {pairs[key].where} already'
                )
            pairs[key] = value
    return Node(pairs, f"{shown(files[0])}:1")


def _completeness(source: Source, page: Page) -> None:
    if not source.has("StableAge"):
        return
    seconds = source.number("StableAge", 60)
    if seconds < 1:
        source.fault("StableAge", "expected a number of seconds above 0")
        return
    page.table("completeness", because="StableAge, the same for series and studies")
    page.set("series", ["quiet"])
    page.set("study", ["quiet"])
    page.set("quiet", f"{seconds}s")
    source.report.kept(source.where("StableAge"), f"StableAge → completeness.quiet = {seconds}s")


def _missing(node: Node) -> set[str]:
    found = set(node.missing)
    for _, inner in node.items():
        found |= _missing(inner)
    for entry in node.entries():
        found |= _missing(entry)
    return found
