"""``[worklist.hl7]`` → how messages are read, who may send them, and the port."""

import csv
import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path

from waystation.app.settings import Settings
from waystation.app.settings_hl7 import Hl7Sender, Hl7Settings
from waystation.flows.hl7_feed import FeedTerms, Sender
from waystation.hl7.mapping import FieldMap
from waystation.model.errors import ConfigError
from waystation.net.mllp import MllpSettings

Tables = Mapping[str, Mapping[str, str]]


def hl7_of(settings: Settings) -> Hl7Settings | None:
    """Return the table if there is to be a port, else None."""
    table = settings.worklist.hl7
    return table if table and table.enabled and settings.worklist.enabled else None


def feed_terms(settings: Settings) -> FeedTerms:
    """Return how messages are read.  Raises `ConfigError` if a table cannot be read."""
    table = settings.worklist.hl7 or Hl7Settings()
    if table.area and table.area not in settings.worklist.area:
        raise ConfigError("worklist.hl7.area", f"there is no [worklist.area.{table.area}]")
    tables = {name: read_table(f"worklist.hl7.table.{name}", p) for name, p in table.table.items()}
    return FeedTerms(
        default=_sender(table, tables, None),
        senders={name: _sender(table, tables, one) for name, one in table.sender.items()},
        area=table.area,
        ended=table.visit_ended,
        most_segments=table.max_segments,
    )


def _sender(table: Hl7Settings, tables: Tables, own: Hl7Sender | None) -> Sender:
    lines = {**table.map, **(own.map if own else {})}
    authority = own.authority if own and own.authority is not None else table.authority
    charset = own.charset if own and own.charset is not None else table.charset
    return Sender(charset=charset, field_map=FieldMap.of(lines, tables, authority))


def read_table(where: str, path: Path) -> dict[str, str]:
    """Return a table of two columns.  Raises `ConfigError`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, ValueError) as error:
        raise ConfigError(where, f"{path} cannot be read: {error}") from None
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise ConfigError(where, f"{path.name} row {number}: expected two columns")
        key, value = (cell.strip() for cell in row)
        if number == 1 and (key.lower(), value.lower()) in {("from", "to"), ("hl7", "dicom")}:
            continue
        if found.setdefault(key, value) != value:
            raise ConfigError(where, f"{path.name} row {number}: {key} is there with another value")
    return found


def port_settings(table: Hl7Settings) -> MllpSettings:
    """Return the limits of the port (L31)."""
    return MllpSettings(
        largest=table.max_message,
        connections=table.max_connections,
        frame_s=table.frame_timeout,
    )


def admission(settings: Settings) -> Callable[[str], str | None]:
    """Return who may connect: address → name of the sender, "" for anyone, None for no."""
    table = settings.worklist.hl7 or Hl7Settings()
    senders = [
        (ipaddress.ip_network(network), name)
        for name, one in table.sender.items()
        for network in one.address
    ]
    senders.sort(key=lambda one: one[0].prefixlen, reverse=True)
    peers = [
        ipaddress.ip_network(network) for one in settings.peer.values() for network in one.address
    ]

    def admit(text: str) -> str | None:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            # The connection has ended before anybody could ask whose it was.
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        for network, name in senders:
            if address in network:
                return name
        open_to_all = table.peers == "any" or any(address in network for network in peers)
        return "" if open_to_all else None

    return admit
