"""Settings and node → the DICOMweb resources.  Nothing is started here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network

from waystation.app.node import Node
from waystation.app.settings_dicomweb import DicomwebSettings
from waystation.app.upstreaming import Upstreaming
from waystation.app.wiring_brokered import brokered
from waystation.app.wiring_wado import wado
from waystation.app.wiring_worklist import named_area
from waystation.flows.correcting import CorrectedTexts
from waystation.index import object_texts
from waystation.index.cached_studies import complete
from waystation.index.deletion import was_here
from waystation.index.object_texts import Described
from waystation.index.search import Search
from waystation.index.step_search import StepSearch
from waystation.model.query import Query
from waystation.web.as_received import as_received
from waystation.web.brokered import Broker
from waystation.web.capabilities import capabilities
from waystation.web.dicomweb import DicomWeb
from waystation.web.metadata import Descriptions, metadata_resources
from waystation.web.mwl import Schedule, mwl_resource
from waystation.web.openapi import openapi_resource
from waystation.web.qido import Holdings, SearchTerms, search_resources
from waystation.web.qido_sources import Sources, SourceSearch, sources_resource
from waystation.web.terms import Terms


def terms(table: DicomwebSettings) -> Terms:
    """Return what the frame goes by."""
    return Terms(
        roots=tuple(dict.fromkeys((table.dicomweb, *table.aliases))),
        public_url=table.public_url,
        proxies=tuple(ip_network(text) for text in table.trusted_proxies),
        origins=table.cors_origins,
        open=table.anonymous == "read",
        rate=table.requests_per_second,
    )


def terms_in_force(node: Node) -> Callable[[], Terms]:
    """Return what looks up the frame's terms at each request."""
    known: dict[int, tuple[DicomwebSettings, Terms]] = {}

    def in_force() -> Terms:
        table = node.settings.web
        if not known or known[0][0] is not table:
            known[0] = table, terms(table)
        return known[0][1]

    return in_force


def dicomweb(node: Node, broker: Broker | None = None) -> DicomWeb:
    """Return the resources of a node; what the settings say is looked up at each request.

    broker: in place of the node's own.
    """
    broker = broker or brokered(node)
    sources = _sources(node)
    elsewhere = SourceSearch(sources) if sources else None
    found = DicomWeb(
        terms_in_force(node),
        search_resources(_holdings(node), elsewhere),
        lambda: node.settings.pacs,
    )
    descriptions = _descriptions(node, broker)
    received = replace(descriptions, texts=node.metadata.texts, versioned=list)
    found.add(as_received(metadata_resources(descriptions), metadata_resources(received)))
    found.add(wado(node, broker))
    found.add([mwl_resource(_schedule(node))])
    found.add(openapi_resource(found))
    found.add(capabilities(found))
    if sources:
        found.add([sources_resource(sources)])
    return found


def _sources(node: Node) -> Sources | None:
    annex = node.annexes.find(Upstreaming)
    if annex is None:
        return None
    return Sources(
        federation=annex.federation,
        keep_s=lambda: node.settings.web.search_cache,
        folder=node.data,
        cached=lambda source, studies: node.database.read(complete(source, studies)),
        retry_max_s=lambda: node.settings.web.retry_after_max,
    )


def _holdings(node: Node) -> Holdings:
    def search(query: Query) -> Search:
        return node.archivist.archive.search(query, home=node.router.routing.zone)

    def limits() -> SearchTerms:
        table = node.settings.web
        return SearchTerms(
            most=table.max_results,
            tolerant=table.unknown_keys == "warn",
            ignored=table.ignored_params,
        )

    return Holdings(search=search, terms=limits, folder=node.data)


def _schedule(node: Node) -> Schedule:
    def search(query: Query) -> StepSearch | None:
        area = named_area(node.settings, "")
        if area is None or not node.settings.worklist.enabled:
            return None
        return StepSearch(node.database, query, area.scope, home=node.router.routing.zone)

    return Schedule(search=search, terms=_holdings(node).terms, folder=node.data)


def _descriptions(node: Node, broker: Broker | None) -> Descriptions:
    corrected = CorrectedTexts(node.metadata.texts, node.archivist.corrections)

    async def objects(path: Mapping[str, str]) -> Sequence[Described]:
        return await node.database.read(object_texts.objects(path))

    return Descriptions(
        objects=objects,
        texts=corrected.texts,
        versioned=corrected.versioned,
        was_here=lambda path: node.database.read(was_here(path)),
        broker=broker,
    )
