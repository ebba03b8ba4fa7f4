"""Settings → the small frozen settings of each part.  Nothing is started here."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from waystation.app.query_retrieve import door_rights, doors, peer_scp, served
from waystation.app.settings import Settings
from waystation.app.settings_archive import ArchiveDestination as ArchiveTable
from waystation.app.settings_destination import (
    DestinationSettings,
    DicomDestination,
    FolderDestination,
)
from waystation.app.settings_remote import S3Destination, SftpDestination
from waystation.app.settings_ways import (
    CommandDestination,
    HttpDestination,
    StowDestination,
    WebhookDestination,
)
from waystation.app.wiring_remote import s3_destination, sftp_destination
from waystation.app.wiring_rules import rules
from waystation.app.wiring_tls import call_tls
from waystation.app.wiring_ways import (
    command_destination,
    stow_destination,
    webhook_destination,
)
from waystation.app.wiring_worklist import WORKLIST_RIGHTS, worklist_doors, worklist_served
from waystation.app.zones import host_zone
from waystation.blobs.volume import Marks
from waystation.destinations import dicom, folder
from waystation.destinations.archive import ArchiveDestination
from waystation.destinations.base import Destination
from waystation.dicom.uids import storage_classes
from waystation.flows.admitting import Bounds
from waystation.flows.route import Routing
from waystation.flows.sweep import SweepSettings
from waystation.model.errors import ConfigError
from waystation.model.peer import RIGHTS, Caller, Remote, TlsFiles
from waystation.net.client import Waits
from waystation.net.conversation import Patience
from waystation.net.gate import GateSettings
from waystation.net.listener import ListenerSettings
from waystation.net.tls import client_context
from waystation.rules.classes import class_uid
from waystation.rules.duplicates import DuplicatePolicy
from waystation.rules.facts import Window
from waystation.wire.limits import Limits
from waystation.wire.negotiate import AcceptPolicy

KIB_PER_S = 1024


def gate_settings(settings: Settings) -> GateSettings:
    """Return who may come in."""
    table = settings.dicom
    return GateSettings(
        titles=(table.ae_title, *table.aliases),
        any_called=table.called_ae == "any",
        anybody=table.peers == "any",
        callers=tuple(
            Caller(
                name=name,
                ae_title=peer.ae_title,
                address=tuple(str(network) for network in peer.address),
                accept=tuple(map(class_uid, peer.accept)),
                refuse=tuple(map(class_uid, peer.refuse)),
                max_associations=peer.max_associations or table.max_associations_per_peer,
                rights=RIGHTS if peer.rights is None else frozenset(peer.rights),
            )
            for name, peer in settings.peer.items()
        ),
        accept=tuple(map(class_uid, table.accept)),
        refuse=tuple(map(class_uid, table.refuse)),
        unknown_classes=table.unknown_classes,
        max_associations=table.max_associations,
        max_per_peer=table.max_associations_per_peer,
        services={**served(settings), **worklist_served(settings)},
        peer_scp=peer_scp(settings),
        doors={**worklist_doors(settings), **doors(settings)},
        door_rights=_door_rights(settings),
    )


def _door_rights(settings: Settings) -> dict[str, frozenset[str]]:
    """Return what may be done under the called AE titles of areas: of archive, worklist or both."""
    found = door_rights(settings)
    for title in worklist_doors(settings):
        found[title] = found.get(title, frozenset()) | WORKLIST_RIGHTS
    return found


def bounds(settings: Settings) -> Bounds:
    """Return what is taken of objects that come otherwise than by an association."""
    table = settings.dicom
    classes = AcceptPolicy(
        accept=tuple(map(class_uid, table.accept)),
        refuse=tuple(map(class_uid, table.refuse)),
        known_storage=storage_classes(),
        unknown_classes=table.unknown_classes,
    )
    return Bounds(classes=classes, largest=table.max_object)


def listener_settings(settings: Settings) -> ListenerSettings:
    """Return the limits of the DICOM listener."""
    table = settings.dicom
    waits = table.timeouts
    return ListenerSettings(
        patience=Patience(
            request_s=waits.request,
            idle_s=waits.idle,
            pace_s=waits.progress,
            pace_bytes=int(KIB_PER_S * waits.progress),
        ),
        limits=Limits(max_pdu=table.max_pdu, max_object=table.max_object),
    )


def destination(name: str, table: DestinationSettings, own_title: str, data: Path) -> Destination:
    """Return the way out that a ``[destination.NAME]`` table describes.

    data: the node's folder, where files for hooks are written.
    """
    if isinstance(table, CommandDestination):
        return command_destination(name, table, data)
    return _KINDS[type(table)](name, table, own_title)


def check_destination(name: str, table: DestinationSettings, own_title: str, data: Path) -> None:
    """Raise `ConfigError` if a file or secret that the table names cannot be used."""
    try:
        destination(name, table, own_title, data)
        if isinstance(table, DicomDestination | HttpDestination) and table.tls is not None:
            client_context(call_tls(table.tls) or TlsFiles())
    except (OSError, LookupError) as error:
        raise ConfigError(f"destination.{name}.tls", f"secret not usable: {error}") from error


def _dicom(name: str, table: DestinationSettings, own_title: str) -> Destination:
    assert isinstance(table, DicomDestination)
    waits = table.timeouts
    fixed = table.calling_ae.removeprefix("fixed:") if "fixed:" in table.calling_ae else own_title
    return dicom.DicomDestination(
        name,
        dicom.DicomSettings(
            remote=remote(name, table, fixed),
            calling=table.calling_ae,
            waits=Waits(
                connect_s=waits.connect,
                associate_s=waits.associate,
                response_s=waits.response,
                release_s=waits.release,
            ),
            limits=Limits(send_pdu=table.max_pdu),
            linger_s=table.linger,
            max_per_association=table.max_per_association,
            reuse=table.reuse,
            retry_on_warning=table.retry_on_warning,
            transcode=table.transcode,
        ),
    )


def remote(name: str, table: DicomDestination, calling_ae: str) -> Remote:
    """Return the application entity that a destination of kind dicom calls."""
    return Remote(
        name=name,
        ae_title=table.ae_title,
        host=table.host,
        port=table.port,
        calling_ae=calling_ae,
        tls=call_tls(table.tls),
    )


def _folder(name: str, table: DestinationSettings, _own_title: str) -> Destination:
    assert isinstance(table, FolderDestination)
    if table.create:
        with suppress(OSError):
            Path(table.path).mkdir(parents=True, exist_ok=True)
    return folder.FolderDestination(
        name, folder.FolderSettings(path=Path(table.path), template=table.name)
    )


def _archive(name: str, _table: DestinationSettings, _own_title: str) -> Destination:
    return ArchiveDestination(name)


_KINDS = {
    DicomDestination: _dicom,
    FolderDestination: _folder,
    SftpDestination: sftp_destination,
    S3Destination: s3_destination,
    StowDestination: stow_destination,
    WebhookDestination: webhook_destination,
    ArchiveTable: _archive,
}


def routing(settings: Settings, windows: Mapping[str, Window]) -> Routing:
    """Return what routing goes by.  Raises `ConfigError` if a rule is not usable.

    windows: the schedules by name.
    """
    read = rules(settings)
    for fault in read.faults:
        raise ConfigError(fault.where, fault.problem)
    table = settings.duplicates
    # With its changes of the clock: the offset of today is not that of each arrival.
    zone = host_zone(os.environ) or datetime.now().astimezone().tzinfo
    assert zone is not None
    return Routing(
        ruleset=read.ruleset,
        destinations=frozenset(settings.destination),
        duplicates=DuplicatePolicy(
            resend_after_s=table.resend_after,
            same=table.same,
            different=table.different,
            content=table.compare == "content",
        ),
        zone=zone,
        windows=windows,
    )


def sweep_settings(settings: Settings) -> SweepSettings:
    """Return how long things stay and when the volume counts as full."""
    spool = settings.spool
    return SweepSettings(
        marks=Marks(max_used=spool.max_used / 100.0, min_free_bytes=spool.min_free),
        keep_s=spool.keep,
        heads_s=spool.heads,
        memory_s=settings.duplicates.memory,
    )
