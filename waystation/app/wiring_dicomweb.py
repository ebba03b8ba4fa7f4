"""Settings and node → the DICOMweb resources.  Nothing is started here."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network

from waystation.app.node import Node
from waystation.app.settings_dicomweb import DicomwebSettings
from waystation.app.wiring_wado import wado
from waystation.index import object_texts
from waystation.index.deletion import was_here
from waystation.index.object_texts import Described
from waystation.index.search import Search
from waystation.model.query import Query
from waystation.web.capabilities import capabilities
from waystation.web.dicomweb import DicomWeb, Terms
from waystation.web.metadata import Descriptions, metadata_resources
from waystation.web.openapi import openapi_resource
from waystation.web.qido import Holdings, SearchTerms, search_resources


def terms(table: DicomwebSettings) -> Terms:
    """Return what the frame goes by."""
    return Terms(
        roots=tuple(dict.fromkeys((table.dicomweb, *table.aliases))),
        public_url=table.public_url,
        proxies=tuple(ip_network(text) for text in table.trusted_proxies),
        origins=table.cors_origins,
        open=table.anonymous == "read",
    )


def dicomweb(node: Node) -> DicomWeb:
    """Return the resources of a node; what the settings say is looked up at each request."""
    known: dict[int, tuple[DicomwebSettings, Terms]] = {}

    def in_force() -> Terms:
        table = node.settings.web
        if not known or known[0][0] is not table:
            known[0] = table, terms(table)
        return known[0][1]

    found = DicomWeb(in_force, search_resources(_holdings(node)))
    found.add(metadata_resources(_descriptions(node)))
    found.add(wado(node))
    found.add(openapi_resource(found))
    found.add(capabilities(found))
    return found


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


def _descriptions(node: Node) -> Descriptions:
    async def objects(path: Mapping[str, str]) -> Sequence[Described]:
        return await node.database.read(object_texts.objects(path))

    return Descriptions(
        objects=objects,
        texts=node.metadata.texts,
        was_here=lambda path: node.database.read(was_here(path)),
    )
