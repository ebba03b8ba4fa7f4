"""What the site can do, as OpenAPI 3.1: ``/api/v1`` and the DICOMweb resources (W-100).

Contract: made from the routes and resources that are hung in, so that it cannot say anything else.
Every error is a problem (RFC 9457).  ``/api/v1/openapi.json`` tells of the whole site,
``{R}/openapi.json`` of the DICOMweb resources below the root that was asked.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import Response

import waystation
from waystation.dicomweb.accept import JSON, Offer
from waystation.web.asked import Asked
from waystation.web.capabilities import by_template, there
from waystation.web.dicomweb import DicomWeb, Resource
from waystation.web.problems import PROBLEM

VERSION: Final = "3.1.0"
JSON_KINDS: Final = ("application/dicom+json", JSON)
OFFERS: Final = (Offer(JSON, aliases=("application/vnd.oai.openapi+json",)),)
INVALID: Final = ("HTTPValidationError", "ValidationError")
METHODS: Final = ("get", "post", "put", "delete", "patch")
UID: Final = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}
NUMBERS: Final = {"type": "string", "pattern": "^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$"}
COUNT: Final = {"type": "integer", "minimum": 0}
NUMBER: Final = {"type": "integer", "minimum": 1}
SHARE: Final = {"type": "integer", "minimum": 1, "maximum": 100}
YES_NO: Final = {"type": "boolean"}
NAMES: Final = {
    "study": ("Study Instance UID", UID),
    "series": ("Series Instance UID", UID),
    "instance": ("SOP Instance UID", UID),
    "frames": ("Frame numbers from 1, with commas", NUMBERS),
}
QUERY: Final[Mapping[str, Mapping[str, Any]]] = {
    **dict.fromkeys(("limit", "offset"), COUNT),
    **dict.fromkeys(("fuzzymatching", "emptyvaluematching", "multiplevaluematching"), YES_NO),
    **dict.fromkeys(("studyUID", "seriesUID", "objectUID"), UID),
    **dict.fromkeys(("presentationSeriesUID", "presentationUID"), UID),
    **dict.fromkeys(("quality", "imageQuality"), SHARE),
    **dict.fromkeys(("rows", "columns", "frameNumber"), NUMBER),
    "charset": {"type": "string", "enum": ["utf-8"]},
    "includefield": {"type": "array", "items": {"type": "string"}},
    "requestType": {"type": "string", "enum": ["WADO"]},
    "anonymize": {"type": "string", "enum": ["no"]},
}
KEYS: Final = "{attribute}"
ERRORS: Final = {
    "search": ("400", "401", "413", "429", "502", "503", "504"),
    "retrieve": ("304", "400", "401", "404", "406", "410", "429", "500", "503"),
    "store": ("400", "401", "409", "413", "415", "429", "503"),
    "delete": ("400", "401", "403", "404", "429"),
}
SUCCESS: Final = {"search": ("200",), "retrieve": ("200", "206"), "store": ("200", "202")}
WORDS: Final = {
    "200": "What was asked for",
    "202": "Some of it was stored; the body says what was not",
    "204": "Done",
    "206": "A part of it",
    "304": "The caller has it already",
    "400": "The request is not understood",
    "401": "A login is needed",
    "403": "It is not allowed",
    "404": "Nothing of this kind is here",
    "406": "Nothing that can be sent is acceptable",
    "409": "Nothing could be stored",
    "410": "It was deleted here",
    "413": "Too large",
    "415": "Not a type that is taken",
    "429": "Too many requests at once",
    "500": "Something went wrong inside",
    "502": "A PACS failed",
    "503": "Not now",
    "504": "A PACS did not answer in time",
}
PROBLEM_SCHEMA: Final = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "What went wrong"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do about it"},
        "id": {"type": "string", "description": "Stands in the log too"},
        "retryable": {"type": "boolean"},
    },
}

Document = dict[str, Any]


class Documented(FastAPI):
    """An application that describes all that it does.  dicomweb: what it answers besides."""

    dicomweb: DicomWeb | None = None

    def openapi(self) -> Document:
        """Return the document of the whole site."""
        if self.openapi_schema is None:
            _tell_of_problems(super().openapi())
        found: Document = super().openapi()
        if self.dicomweb is None:
            return found
        return {**found, "paths": {**found["paths"], **paths(self.dicomweb)}}


def _tell_of_problems(document: Document) -> None:
    """Replace the errors that the framework would answer by ours."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in INVALID:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for methods in document["paths"].values():
        for operation in methods.values():
            responses = operation["responses"]
            if any(name in json.dumps(responses.get("422", "")) for name in INVALID):
                del responses["422"]
            responses.setdefault("400", _problem("400"))
            responses.setdefault("default", _problem(""))


def _problem(status: str) -> Document:
    return {
        "description": WORDS.get(status, "What went wrong"),
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def openapi_resource(web: DicomWeb) -> list[Resource]:
    """Return the resource that describes those below its root."""

    async def tell(asked: Asked) -> Response:
        asked.choices(OFFERS)
        document = {
            "openapi": VERSION,
            "info": {"title": "Waystation DICOMweb", "version": waystation.__version__},
            "servers": [{"url": asked.base}],
            "paths": paths(web, there(web, asked), root=""),
            "components": {"schemas": {"Problem": PROBLEM_SCHEMA}},
        }
        return Response(json.dumps(document), media_type=JSON)

    return [
        Resource(
            method="GET",
            template="/openapi.json",
            handler=tell,
            summary="This description",
            right="search",
            offers=OFFERS,
            pacs=True,
        )
    ]


def paths(
    web: DicomWeb, some: Sequence[Resource] | None = None, root: str | None = None
) -> Document:
    """Return the paths of DICOMweb resources.

    some: those that are meant, None for all.  root: before each, None for the proper one.
    """
    before = web.root if root is None else root
    found: Document = {}
    for template, resources in by_template(web.resources if some is None else some).items():
        operations = {
            one.method.lower(): _operation(template, one)
            for one in resources
            if one.method.lower() in METHODS
        }
        if operations:
            found[before + template.replace("*}", "}")] = operations
    return found


def _operation(template: str, one: Resource) -> Document:
    names = [part[1:-1].rstrip("*") for part in template.split("/") if part[:1] == "{"]
    made: Document = {
        "tags": [f"DICOMweb {one.right}"],
        "summary": one.summary,
        "operationId": _operation_id(template, one),
        "parameters": [_path_parameter(name) for name in names]
        + [_query_parameter(name) for name in one.params],
        "responses": _responses(one),
    }
    if one.takes:
        content: Document = {kind.partition(";")[0]: {"schema": {}} for kind in one.takes}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _operation_id(template: str, one: Resource) -> str:
    words = re.findall(r"[A-Za-z]+", template)
    return "_".join([one.method.lower(), *words])


def _path_parameter(name: str) -> Document:
    words, schema = NAMES.get(name, (name, {"type": "string"}))
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": words,
        "schema": schema,
    }


def _query_parameter(name: str) -> Document:
    if name == KEYS:
        return {
            "name": "attributes",
            "in": "query",
            "required": False,
            "description": "Match keys: keyword, tag or path, and the value looked for",
            "style": "form",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    schema = QUERY.get(name, {"type": "string"})
    return {"name": name, "in": "query", "required": False, "schema": dict(schema)}


def _responses(one: Resource) -> Mapping[str, Document]:
    content: Document = {}
    for offer in one.offers:
        schema: Document = {}
        if offer.media in JSON_KINDS and not offer.outer:
            schema = {"type": ["array", "object"]}
        content.setdefault(offer.outer or offer.media, {"schema": schema})
    found: Document = {}
    for status in _of(SUCCESS, one.right, ("204",)):
        found[status] = {"description": WORDS[status]}
        if content:
            found[status]["content"] = content
    for status in _of(ERRORS, one.right, ("400",)):
        empty = {"description": WORDS[status]}
        found[status] = empty if status == "304" else _problem(status)
    if one.right == "store":
        # Which objects were refused, and why (PS3.18 section 10.5.3.3).
        found["409"]["content"] = {**found["409"]["content"], **content}
    return {**found, "default": _problem("")}


def _of(table: Mapping[str, Sequence[str]], right: str, otherwise: Sequence[str]) -> Sequence[str]:
    return table.get(right, otherwise)
