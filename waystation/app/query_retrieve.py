"""The query/retrieve services of a node, by the settings in force at each request.

Contract: who may do what (peer and area), how a caller is answered, and where C-MOVE may send, are
decided here from the settings and from nothing else: no address and no port comes from a request
(T-42, S-47).
"""

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from waystation.app.settings import Settings
from waystation.app.settings_archive import AreaSettings, key_of
from waystation.app.settings_call import StoreAt
from waystation.app.settings_dicom import PeerSettings
from waystation.app.wiring_tls import call_tls
from waystation.app.wiring_verify import Verifiers, covering, hears_reports
from waystation.blobs.folder import BlobFolder
from waystation.codecs.pool import CodecPool
from waystation.db.engine import Database
from waystation.destinations.dicom import DicomDestination, DicomSettings
from waystation.dicom import uids
from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.flows.borrowing import Borrowed, paths_of
from waystation.flows.cargo import JournalCargo
from waystation.flows.catalogue import IndexCatalogue
from waystation.flows.commit import Commitment, Vows
from waystation.flows.correcting import CorrectedCargo, Corrections
from waystation.flows.desk import Asked, Services
from waystation.flows.federate import Federation
from waystation.flows.find import PATIENT_STUDY_ONLY_FIND, SUPPORTED, Catalogue, Finding, Manner
from waystation.flows.find_sources import SourceCatalogue, is_online
from waystation.flows.holders import Holders
from waystation.flows.recent import Recent
from waystation.flows.retrieve import Going, Retrieval, Shelf, Taker
from waystation.flows.verify import Verification
from waystation.journal.ids import IdSource
from waystation.matching.unique import Wanted
from waystation.model.arrival import Source
from waystation.model.peer import Remote
from waystation.model.query import Key

FIND = (uids.PATIENT_ROOT_FIND, uids.STUDY_ROOT_FIND)
RETRIEVE = (
    uids.PATIENT_ROOT_MOVE,
    uids.STUDY_ROOT_MOVE,
    uids.PATIENT_ROOT_GET,
    uids.STUDY_ROOT_GET,
)
# Of retrieval: relational, and no conversion of enhanced multi-frame objects (C.5.2.1, C.5.3.1).
SUPPORTED_RETRIEVAL = bytes((1, 0))
# All of them: an object of any class may have to go back over a C-GET.
ANY_STORAGE = ("*",)
LINGER_S = 5.0


def served(settings: Settings) -> dict[str, bytes]:
    """Return the classes that the archive serves, with what we support of their negotiation."""
    if not settings.archive.enabled:
        answers = hears_reports(settings) or covering(settings)
        return {uids.STORAGE_COMMITMENT: b""} if answers else {}
    find = (*FIND, PATIENT_STUDY_ONLY_FIND) if settings.archive.patient_study_only else FIND
    found = dict.fromkeys(find, SUPPORTED) | dict.fromkeys(RETRIEVE, SUPPORTED_RETRIEVAL)
    if settings.archive.relational == "never":
        found = {sop_class: b"\0" + info[1:] for sop_class, info in found.items()}
    return found | {uids.STORAGE_COMMITMENT: b""}


def peer_scp(settings: Settings) -> tuple[str, ...]:
    """Return the classes for which a requestor may be SCP: of C-GET, and of reports to us."""
    if settings.archive.enabled:
        return ANY_STORAGE
    return (uids.STORAGE_COMMITMENT,) if hears_reports(settings) else ()


def doors(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the called AE titles of areas, each with the peers that may come."""
    if not settings.archive.enabled:
        return {}
    return {area.ae_title: tuple(area.peers) for area in settings.archive.area.values()}


def door_rights(settings: Settings) -> dict[str, frozenset[str]]:
    """Return what may be done under the called AE titles of areas, storing too."""
    if not settings.archive.enabled:
        return {}
    areas = settings.archive.area.values()
    return {area.ae_title: frozenset((*area.rights, "echo")) for area in areas}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParts:
    """What the services need of the node.

    recent: what need not be read again for retrieval; commitment reads everything again.
    settled: waits until what was acknowledged is on file.  zone: of records that name none.
    wake: lets the lane of a destination look again.  complete: see `Vows`.
    """

    settings: Callable[[], Settings]
    database: Database
    blobs: BlobFolder
    disk: Executor
    ids: IdSource
    clock: Callable[[], float]
    recent: Recent
    codecs: CodecPool
    settled: Callable[[], Awaitable[None]]
    zone: Callable[[], tzinfo | None]
    wake: Callable[[str], None]
    complete: Callable[[Collection[str]], None]
    corrections: Corrections


class QueryRetrieve:
    """What the archive answers."""

    def __init__(self, parts: "QueryParts") -> None:
        self._settings = parts.settings
        zone = parts.zone
        catalogue = IndexCatalogue(
            parts.database,
            parts.blobs,
            parts.disk,
            self.shown,
            zone,
            parts.settled,
            parts.corrections.shown,
        )
        # Set by the annex that asks PACS.
        self.federation: Federation | None = None
        self.lender: Holders | None = None
        search = SourceCatalogue(catalogue, lambda: self.federation, self._sees_all).search
        finding = Finding(
            Catalogue(search=search, manner=self.manner, may=self.may, zone=zone, online=is_online)
        )
        verifiers = Verifiers(parts.settings)
        self.verification = Verification(parts.database, parts.clock, verifiers.terms, parts.wake)
        self.commitment = Commitment(
            Vows(
                database=parts.database,
                ids=parts.ids,
                clock=parts.clock,
                cargo=_cargo(parts, Recent()),
                settled=parts.settled,
                remote=self._reports,
                may=self.may,
                hear=self.verification.hear,
                covering=verifiers.covering,
                complete=parts.complete,
            )
        )
        stored = _cargo(parts, parts.recent)
        self._shelf = Shelf(
            instances=catalogue.instances,
            destination=self.destination,
            relational=self._relational,
            may=self.may,
            cargo=CorrectedCargo(stored, parts.corrections, parts.disk),
            stored=stored,
            as_received=self._as_received,
            codecs=parts.codecs,
            elsewhere=self._elsewhere,
        )
        retrieval = Retrieval(self._shelf)
        self.services: Services = {
            **dict.fromkeys((*FIND, PATIENT_STUDY_ONLY_FIND), finding),
            **dict.fromkeys(RETRIEVE, retrieval),
            uids.STORAGE_COMMITMENT: self.commitment,
        }

    def _sees_all(self, title: str) -> bool:
        """Tell whether PACS are asked besides the archive under a called AE title."""
        return self._settings().archive.federate and not self.shown(title)

    def _elsewhere(self, wanted: Wanted, title: str) -> Borrowed | None:
        """Return what is wanted of the archive and PACS together, None for the archive alone."""
        lender = self.lender
        if lender is None or not lender.federated or not self._sees_all(title):
            return None
        paths = list(paths_of(wanted))
        return Borrowed(lender, paths) if paths else None

    def belts(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return the belts, not yet running, by name."""
        return {"commitment": self.commitment.run(), "verify": self.verification.run()}

    @property
    def ended(self) -> list[Callable[[Going], None]]:
        """Return who hears of each retrieval when it is over."""
        return self._shelf.ended

    @property
    def going(self) -> Sequence[Going]:
        """The retrievals under way (T-46)."""
        return self._shelf.going

    def may(self, operation: str, asked: Asked) -> bool:
        """Tell whether peer and area allow an operation."""
        area = self._area(asked.source)
        return operation in asked.rights and (area is None or operation in area.rights)

    def manner(self, asked: Asked) -> Manner:
        """Return how a caller is answered."""
        archive, area = self._settings().archive, self._area(asked.source)
        peer = self._peer(asked.source)
        charset = (peer and peer.answer_charset) or (area and area.answer_charset)
        return Manner(
            relational=self._relational(asked.source),
            fuzzy=bool((peer and peer.fuzzy) or (area and area.fuzzy)),
            strict=archive.identifiers == "strict",
            forgiving=peer is not None and peer.bad_values == "no-match",
            charset=charset or archive.answer_charset,
            transliterate=archive.transliterate,
            guesses=peer.charset_guess if peer else DEFAULT_GUESSES,
        )

    def destination(self, title: str, asked: Asked) -> Taker | None:
        """Return the way to an AE title, None if the configuration has none for this caller."""
        for name, peer, place in self._takers(title):
            if self._allowed(title, peer, place, asked.source):
                own = asked.source.called_ae
                remote = _remote(name, title, place, own)
                originator = (asked.source.calling_ae, asked.command.message_id)
                settings = DicomSettings(
                    remote=remote,
                    # Over several associations the objects of one study go by turns.
                    # What a PACS sends meanwhile leaves some at a time.
                    linger_s=LINGER_S if place.parallel > 1 or self._sees_all(own) else 0.0,
                    transcode="decompress",
                    originator=originator,
                )
                return Taker(
                    destination=DicomDestination(name, settings),
                    parallel=place.parallel,
                    as_received=peer.as_received,
                )
        return None

    def _reports(self, peer: str, own_title: str) -> Remote | None:
        """Return where a peer takes commitment reports, None if nobody knows."""
        table = self._settings().peer.get(peer)
        if table is None or table.store_at is None:
            return None
        return _remote(peer, table.ae_title, table.store_at, own_title)

    def _takers(self, title: str) -> Iterator[tuple[str, PeerSettings, StoreAt]]:
        for name, peer in self._settings().peer.items():
            if peer.store_at is not None and peer.ae_title == title:
                yield name, peer, peer.store_at

    def _allowed(self, title: str, peer: PeerSettings, place: StoreAt, caller: Source) -> bool:
        policy = self._settings().archive.move_to
        if policy == "same-ae":
            return title == caller.calling_ae
        if policy == "same-host":
            return _same_host(place.host, caller.address)
        if policy == "same-group":
            own = self._peer(caller)
            return own is not None and own.group is not None and own.group == peer.group
        return True

    def _relational(self, source: Source) -> bool:
        peer = self._peer(source)
        if peer is not None and peer.relational is not None:
            return peer.relational
        return self._settings().archive.relational == "always"

    def _as_received(self, source: Source) -> bool:
        peer = self._peer(source)
        return peer is not None and peer.as_received

    def _peer(self, source: Source) -> PeerSettings | None:
        return self._settings().peer.get(source.peer) if source.peer else None

    def shown(self, title: str) -> Sequence[Key]:
        """Return what everything that is seen under a called AE title must match."""
        area = self._titled(title)
        return [key_of(word, asked) for word, asked in ((area and area.when) or {}).items()]

    def _area(self, source: Source) -> AreaSettings | None:
        return self._titled(source.called_ae)

    def _titled(self, title: str) -> AreaSettings | None:
        areas = self._settings().archive.area.values()
        return next((area for area in areas if area.ae_title == title), None)


def _cargo(parts: QueryParts, recent: Recent) -> JournalCargo:
    return JournalCargo(parts.database, parts.blobs, parts.disk, recent)


def _remote(name: str, title: str, place: StoreAt, own_title: str) -> Remote:
    return Remote(
        name=name,
        ae_title=title,
        host=place.host,
        port=place.port,
        calling_ae=own_title,
        tls=call_tls(place.tls),
    )


def _same_host(host: str, address: str) -> bool:
    if host == "localhost":
        host = "127.0.0.1"
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(address)
    except ValueError:
        return host == address
