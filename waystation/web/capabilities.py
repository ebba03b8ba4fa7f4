"""What the DICOMweb roots can do, and over which sources: OPTIONS (W-100), ``/sources``.

Contract (PS3.18 section 8.9 and annex H): made from the resources that are hung in, so that it
cannot say anything else.  WADL by default, or the same as JSON.
"""

import json
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

from starlette.responses import Response

from waystation.dicomweb.accept import JSON, Offer
from waystation.web.asked import Asked
from waystation.web.dicomweb import ARCHIVE, DicomWeb, Resource

WADL: Final = "application/vnd.sun.wadl+xml"
OFFERS: Final = (Offer(WADL, aliases=("application/xml", "text/xml")), Offer(JSON))
AS_JSON: Final = (Offer(JSON),)
OWN: Final = {"name": ARCHIVE, "kind": "archive", "health": "ok"}
_SPACE: Final = "http://wadl.dev.java.net/2009/02"
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema"


def there(web: DicomWeb, asked: Asked) -> list[Resource]:
    """Return the resources of the source that was asked: a PACS has some of them."""
    own = asked.source in ("", ARCHIVE)
    return [one for one in web.resources if own or one.pacs]


def by_template(resources: Sequence[Resource]) -> dict[str, list[Resource]]:
    """Return the resources in the order in which they were added, those in force."""
    found: dict[str, dict[str, Resource]] = {}
    for one in resources:
        found.setdefault(one.template, {})[one.method] = one
    return {template: list(methods.values()) for template, methods in found.items()}


def capabilities(web: DicomWeb) -> list[Resource]:
    """Return the resources that tell of all others."""

    async def tell(asked: Asked) -> Response:
        choice = asked.choices(OFFERS)[0]
        known = by_template(there(web, asked))
        if choice.offer.media == WADL:
            return Response(wadl(asked.base, known), media_type=WADL)
        return Response(json.dumps(described(asked.base, known)), media_type=JSON)

    async def sources(asked: Asked) -> Response:
        asked.choices(AS_JSON)
        return Response(json.dumps([OWN]), media_type=JSON)

    return [
        Resource(
            method="GET",
            template="/sources",
            handler=sources,
            summary="The sources that can be asked",
            right="search",
            offers=AS_JSON,
        ),
        Resource(
            method="OPTIONS",
            template="/",
            handler=tell,
            summary="What this server can do",
            right="search",
            offers=OFFERS,
            pacs=True,
        ),
    ]


def described(base: str, known: dict[str, list[Resource]]) -> dict[str, object]:
    """Return the description as JSON."""
    return {
        "base": base,
        "resources": [
            {
                "path": template,
                "methods": [
                    {
                        "name": one.method,
                        "summary": one.summary,
                        "parameters": list(one.params),
                        "request": list(one.takes),
                        "response": [offer.text for offer in one.offers],
                    }
                    for one in methods
                ],
            }
            for template, methods in known.items()
        ],
    }


def wadl(base: str, known: dict[str, list[Resource]]) -> str:
    """Return the description as a WADL document."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<application xmlns="{_SPACE}" xmlns:xsd="{_SCHEMA}">',
        f"<resources base={quoteattr(base + '/')}>",
    ]
    for template, methods in known.items():
        lines.append(f"<resource path={quoteattr(template.strip('/').replace('*}', '}'))}>")
        names = [part[1:-1].rstrip("*") for part in template.split("/") if part[:1] == "{"]
        lines += [
            f'<param name={quoteattr(name)} style="template" type="xsd:string" required="true"/>'
            for name in names
        ]
        for one in methods:
            lines += _method(one)
        lines.append("</resource>")
    return "\n".join([*lines, "</resources>", "</application>", ""])


def _method(one: Resource) -> list[str]:
    lines = [f"<method name={quoteattr(one.method)}>", "<request>"]
    lines += [
        f'<param name={quoteattr(name)} style="query" type="xsd:string"/>' for name in one.params
    ]
    if one.offers:
        accepted = ", ".join(offer.text for offer in one.offers)
        lines.append(f'<param name="Accept" style="header" default={quoteattr(accepted)}/>')
    lines += [f"<representation mediaType={quoteattr(kind)}/>" for kind in one.takes]
    lines.append("</request>")
    kinds = dict.fromkeys(offer.outer or offer.media for offer in one.offers)
    if kinds:
        shown = "".join(f"<representation mediaType={quoteattr(kind)}/>" for kind in kinds)
        lines.append(f"<response>{shown}</response>")
    return [*lines, "</method>"]
