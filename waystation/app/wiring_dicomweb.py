"""Settings and node → the DICOMweb resources.  Nothing is started here."""

from ipaddress import ip_network

from waystation.app.node import Node
from waystation.app.settings_dicomweb import DicomwebSettings
from waystation.web.capabilities import capabilities
from waystation.web.dicomweb import DicomWeb, Terms


def terms(table: DicomwebSettings) -> Terms:
    """Return what the frame goes by."""
    return Terms(
        roots=tuple(dict.fromkeys((table.dicomweb, *table.aliases))),
        public_url=table.public_url,
        proxies=tuple(ip_network(text) for text in table.trusted_proxies),
        origins=table.cors_origins,
    )


def dicomweb(node: Node) -> DicomWeb:
    """Return the resources of a node; what the settings say is looked up at each request."""
    known: dict[int, tuple[DicomwebSettings, Terms]] = {}

    def in_force() -> Terms:
        table = node.settings.web
        if not known or known[0][0] is not table:
            known[0] = table, terms(table)
        return known[0][1]

    found = DicomWeb(in_force, [])
    found.add(capabilities(found))
    return found
