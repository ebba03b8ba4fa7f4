"""dcmqrscp's configuration: one file of DCMTK's archive (T-36).

Contract: `read` gives a configuration that answers to the same AE titles and port, lets the same
peers in and retrieves to the same places.  What dcmqrscp kept apart in folders is one archive
here; its quotas, which erase the oldest study when another one comes, become a proposal of a
retention rule.  Every line that could not be expressed is listed.  `folders` names where its
objects lie, for ``--store``.
"""

import ipaddress
from pathlib import Path
from typing import Final

from waystation.app.importing.findings import Imported, Report, unreadable
from waystation.app.importing.page import Page, names_for, plain, plain_names
from waystation.app.importing.qrscp_file import Area, Entity, QrScp, parse
from waystation.app.importing.sources import read_file, shown
from waystation.wire.names import is_ae_title

RIGHTS: Final = {
    "R": ("find", "get", "move"),
    "W": ("store",),
    "RW": ("find", "get", "move", "store", "commit"),
}
DROPPED: Final = {
    "UserName": "the service manager decides who runs the node; it refuses to serve as root",
    "GroupName": "the service manager decides who runs the node",
}
BINDS: Final = "dcmqrscp binds to every address; state one of this machine if that is enough"


def read(path: Path) -> Imported:
    """Return the configuration of a file.  Raises `ConfigFaults`."""
    report, page = Report(), Page()
    found = _parsed(path, report)
    page.comment(f"Made by `waystation import-config dcmqrscp` from {plain(str(path))}")
    page.comment("What was kept, changed or dropped stands in the list beside this text.")
    peers = _Peers(found, report)
    _listener(found, page, report, peers)
    peers.write(page)
    _archive(found, page, report)
    _areas(found, page, report, peers)
    _quotas(found, page, report)
    for key, (where, _) in found.values.items():
        if key in DROPPED:
            report.dropped(where, f"{key}: {DROPPED[key]}")
        elif key not in ("NetworkTCPPort", "MaxPDUSize", "MaxAssociations", CHARSET):
            report.dropped(where, f"{plain(key)} is not known")
    return report.finish(page.toml)


def folders(path: Path) -> list[Path]:
    """Return the storage areas, counted from the folder of the file."""
    found = _parsed(path, Report())
    return list(dict.fromkeys(path.parent / area.folder for area in found.areas))


def _parsed(path: Path, report: Report) -> QrScp:
    found = parse(read_file(path), shown(path), report)
    if not found.areas and not report.faults:
        raise unreadable(shown(path), "there is no row in its AETable")
    return found


def _listener(found: QrScp, page: Page, report: Report, peers: "_Peers") -> None:
    first = found.areas[0]
    page.table("dicom")
    if is_ae_title(first.ae_title):
        page.set("ae_title", first.ae_title)
        report.kept(first.where, f"{first.ae_title} → dicom.ae_title: the whole archive")
    else:
        report.fault(first.where, "AETable", "an AE title has 1 to 16 printable ASCII characters")
    page.set("host", "0.0.0.0", because=BINDS)
    _number(found, page, report, "NetworkTCPPort", "port", 104)
    _number(found, page, report, "MaxAssociations", "max_associations", 16)
    where, size = found.values.get("MaxPDUSize", ("", ""))
    if where:
        text = f"MaxPDUSize {plain(size)} → dicom.max_pdu stays 128KiB: larger is faster"
        report.changed(where, text)
    if first.peers is None:
        page.set("peers", "any", because="the first AE title was open to ANY")
        report.warning(first.where, f"{first.ae_title} is open to anybody who can reach the port")
    else:
        page.set("peers", "known")


def _number(found: QrScp, page: Page, report: Report, key: str, ours: str, default: int) -> None:
    where, text = found.values.get(key, ("", str(default)))
    if not text.isdecimal() or not text.isascii():
        report.fault(where, key, "expected a number")
        return
    page.set(ours, int(text))
    if where:
        report.kept(where, f"{key} → dicom.{ours} = {text}")


class _Peers:
    """The HostTable as peers: one for each entity, with the names that lists gave it."""

    def __init__(self, found: QrScp, report: Report) -> None:
        self._report = report
        self._entities: dict[Entity, str] = {}
        for name, host in found.hosts.items():
            for number, entity in enumerate(host.entities):
                word = name if len(host.entities) == 1 else f"{name}-{number + 1}"
                if entity not in self._entities or len(host.entities) == 1:
                    self._entities[entity] = word
        plain_names = names_for(dict.fromkeys(self._entities.values()))
        self._names = {entity: plain_names[word] for entity, word in self._entities.items()}
        self._hosts = found.hosts
        self._groups: dict[Entity, str] = {}
        for vendor, (where, names) in found.vendors.items():
            for name in names:
                for entity in found.hosts[name].entities if name in found.hosts else ():
                    self._groups[entity] = vendor
            report.kept(where, f"vendor {plain(vendor)} → group of its peers")

    def of(self, names: tuple[str, ...], where: str) -> list[str]:
        """Return the peers that a row of the AETable names."""
        found: list[str] = []
        for name in names:
            if name not in self._hosts:
                self._report.fault(where, "AETable", f'"{plain(name)}" is not in the HostTable')
                continue
            found += [self._names[entity] for entity in self._hosts[name].entities]
        return list(dict.fromkeys(found))

    @property
    def names(self) -> list[str]:
        """The names of all peers."""
        return list(self._names.values())

    def write(self, page: Page) -> None:
        """Write a table for each peer."""
        for entity, name in self._names.items():
            page.table("peer", name)
            page.set("ae_title", entity.ae_title)
            address = _address(entity.host)
            if address:
                page.set("address", [address])
            else:
                page.off("address", ["10.0.0.5"], because=f"the address of {entity.host}")
            page.set("store_at", {"host": entity.host, "port": entity.port})
            if entity in self._groups:
                page.set("group", self._groups[entity])
        for name, host in self._hosts.items():
            for entity in host.entities:
                text = f"{plain(name)} → peer.{self._names[entity]}"
                if _address(entity.host):
                    self._report.kept(host.where, text)
                else:
                    self._report.changed(
                        host.where, f"{text}: may call from any address; state the one of its host"
                    )


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


CHARSET: Final = "SpecificCharacterSet"


def _archive(found: QrScp, page: Page, report: Report) -> None:
    page.table("archive")
    page.set("enabled", True)
    if CHARSET not in found.values:
        return
    where, text = found.values[CHARSET]
    words = [word.strip().strip('"') for word in text.split(",")]
    terms = [word for word in words if word.upper().startswith(("ISO", "GB"))]
    if terms:
        page.set("answer_charset", terms[0])
        report.kept(where, f"{CHARSET} → archive.answer_charset = {terms[0]}")
    else:
        page.set("answer_charset", "request")
        report.changed(where, f"{CHARSET} {plain(text)} → the requester's set where the text fits")
    if "transliterate" in words:
        page.set("transliterate", True)
        report.kept(where, "transliterate → archive.transliterate")
    if "discard" in words:
        report.changed(where, "discard: what a set does not have is answered as ?, never left out")


def _areas(found: QrScp, page: Page, report: Report, peers: _Peers) -> None:
    first, *others = found.areas
    seen = {first.ae_title}
    if first.access != "RW":
        rights = ", ".join(RIGHTS[first.access])
        report.changed(
            first.where,
            f"{first.ae_title} was {first.access}: give its peers rights = [{rights}]",
        )
    for area, name in zip(others, plain_names(area.ae_title for area in others), strict=True):
        if area.ae_title in seen:
            report.fault(area.where, "AETable", f"{plain(area.ae_title)} stands there twice")
            continue
        seen.add(area.ae_title)
        page.table("archive", "area", name)
        page.set("ae_title", area.ae_title)
        page.set("rights", list(RIGHTS[area.access]))
        if area.peers is not None:
            page.set("peers", peers.of(area.peers, area.where))
        _apart(area, found, report)
    if first.peers is not None:
        own = peers.of(first.peers, first.where)
        more = [name for name in peers.names if name not in own]
        if more:
            report.warning(
                first.where,
                f"{first.ae_title} was closed to {', '.join(more)}; here every peer may call it:"
                " take from their rights what they must not do",
            )
        else:
            report.kept(first.where, f"peers {', '.join(own)}")


def _apart(area: Area, found: QrScp, report: Report) -> None:
    """Say what became of a folder of its own."""
    shared = [other.ae_title for other in found.areas if other.folder == area.folder]
    if len(shared) == len(found.areas):
        report.kept(area.where, f"{area.ae_title} → archive.area: the same objects")
    else:
        report.changed(
            area.where,
            f"{area.ae_title} had a folder of its own; here it sees the whole archive unless a"
            " when says which part",
        )


def _quotas(found: QrScp, page: Page, report: Report) -> None:
    page.gap()
    page.comment(
        "dcmqrscp erases the oldest study when its quota is full, and tells nobody. Here nothing"
        " goes because something else comes. If old studies may go, say when:"
    )
    page.proposal(["[archive.retention.old]", 'older_than = "3650d"', 'only_above = "1TiB"'])
    for area in found.areas:
        studies, size = area.quota
        report.changed(
            area.where, f"quota ({studies}, {plain(size)}) of {area.ae_title}: nothing is erased"
        )
