"""HL7 and worklist folders across tables: areas, senders, tables and folders that are there.

Contract: yields problems and warnings; asks the disk whether files are there and changes nothing.
"""

import os
from collections.abc import Iterator, Mapping

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.places import tls_problems
from waystation.app.settings_base import is_loopback
from waystation.app.settings_dicom import DicomSettings
from waystation.app.settings_hl7 import FolderBridge, Hl7Settings
from waystation.app.settings_node import WebSettings
from waystation.app.settings_worklist import WorklistSettings
from waystation.app.wiring_hl7 import read_table
from waystation.model.errors import ConfigError

AT: Path = ("worklist", "hl7")


def hl7_and_folders(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful about the ways into the worklist."""
    table = parts.single.get("worklist")
    if not isinstance(table, WorklistSettings):
        return
    if table.folder is not None:
        yield from _folder(table.folder, ("worklist", "folder"))
    for name, area in table.area.items():
        if area.folder is not None:
            yield from _folder(area.folder, ("worklist", "area", name, "folder"))
    if table.hl7 is not None and table.hl7.enabled:
        yield from _hl7(parts, table, table.hl7, environ)


def _folder(bridge: FolderBridge, at: Path) -> Iterator[Problem]:
    if not os.path.exists(bridge.path):
        text = "is not there: the worklist waits until it is"
        yield Problem(path=(*at, "path"), text=text, warning=True)
    elif not os.path.isdir(bridge.path):
        yield Problem(path=(*at, "path"), text="is a file; write a folder")
    elif not os.access(bridge.path, os.R_OK | os.X_OK):
        yield Problem(path=(*at, "path"), text="may not be read by this user")
    elif bridge.mode == "two-way" and not os.access(bridge.path, os.W_OK):
        yield Problem(path=(*at, "path"), text="may not be written by this user")


def _hl7(
    parts: Parts, table: WorklistSettings, hl7: Hl7Settings, environ: Mapping[str, str]
) -> Iterator[Problem]:
    if hl7.area and hl7.area not in table.area:
        text = f'no area is called "{hl7.area}"{closest(hl7.area, table.area)}'
        yield Problem(path=(*AT, "area"), text=text)
    for name, path in hl7.table.items():
        try:
            read_table(name, path)
        except ConfigError as error:
            yield Problem(path=(*AT, "table", name), text=error.problem)
    if hl7.tls is not None:
        yield from tls_problems(hl7.tls, (*AT, "tls"), environ)
    addressed = any(peer is not None and peer.address for peer in parts.peers.values())
    if hl7.peers == "known" and not hl7.sender and not addressed:
        stated = "peers" if is_loopback(hl7.host) else "host"
        text = 'nobody could send: add a [worklist.hl7.sender.NAME] table, or state peers = "any"'
        yield Problem(path=(*AT, stated), text=text)
    yield from _port(parts, hl7)


def _port(parts: Parts, hl7: Hl7Settings) -> Iterator[Problem]:
    dicom, web = parts.single.get("dicom"), parts.single.get("web")
    taken = {
        "DICOM": dicom.port if isinstance(dicom, DicomSettings) else 0,
        "web": web.port if isinstance(web, WebSettings) and web.enabled else 0,
    }
    for word, port in taken.items():
        if port == hl7.port != 0:
            yield Problem(path=(*AT, "port"), text=f"is the port of the {word} listener already")
