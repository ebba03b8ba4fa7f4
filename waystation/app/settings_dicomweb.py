"""DICOMweb: the keys of ``[web]`` that it goes by."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from waystation.app.settings_base import (
    Count,
    ListenPort,
    Names,
    Networks,
    Table,
    _as_tuple,
    complaint,
)

TAKEN = ("/api", "/health", "/metrics", "/site.css", "/viewer")
LARGEST_PAGE = 10_000


def _base_path(path: str) -> str:
    if not path.startswith("/") or path.endswith("/") or " " in path or "//" in path:
        raise complaint('a base path starts with a slash and ends without one, like "/dicom-web"')
    if any(path == taken or path.startswith(taken + "/") for taken in TAKEN):
        raise complaint(f'"{path}" is taken already; choose another base path, like "/dicom-web"')
    return path


def _public_url(text: str) -> str:
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise complaint('expected the URL that callers use, like "https://pacs.example.org"')
    return text.rstrip("/")


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if text != "*" and text != f"{parts.scheme}://{parts.netloc}":
        raise complaint('an origin is scheme and host, like "https://viewer.example.org"')
    return text


BasePath = Annotated[str, AfterValidator(_base_path)]
BasePaths = Annotated[tuple[BasePath, ...], BeforeValidator(_as_tuple)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_as_tuple)]
Page = Annotated[Count, Field(le=LARGEST_PAGE)]


class ViewerSettings(Table):
    """``[web.viewer]``: the web viewer, served as soon as one is installed."""

    path: str = Field(
        default="", description="Folder of an unpacked @ohif/app; empty: viewer in the data folder"
    )
    port: ListenPort = Field(
        default=8081, description="Port of its own, on the address of [web]; 0 takes any free one"
    )


class DicomwebSettings(Table):
    """What ``[web]`` says of DICOMweb."""

    dicomweb: BasePath = Field(default="/dicom-web", description="Base path of DICOMweb")
    aliases: BasePaths = Field(
        default=("/qido-rs", "/wado-rs"),
        description="Further base paths; each serves everything",
    )
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default="",
        description="URL under which callers reach this node, for links in answers; empty: "
        "what a trusted proxy forwards, else the Host of the request",
    )
    trusted_proxies: Networks = Field(
        default=(), description="Addresses of proxies whose Forwarded and X-Forwarded-* count"
    )
    cors_origins: Origins = Field(
        default=(),
        description="Origins of web pages that may ask DICOMweb from a browser, or * for all",
    )
    anonymous: Literal["none", "read"] = Field(
        default="none",
        description="Callers beyond this machine without a login: nothing, or search and "
        "retrieve (read); console and API stay closed to them",
    )
    unknown_keys: Literal["reject", "warn"] = Field(
        default="reject",
        description="A query parameter that names nothing: 400 (reject), or left out with a "
        "Warning (warn); then a typing error in PatientID lists every patient",
    )
    ignored_params: Names = Field(
        default=(), description="Query parameters that are never looked at, like _"
    )
    max_results: Page = Field(
        default=5000, description="Most answers to one search; the rest are further pages"
    )
    default_transfer_syntax: Literal["standard", "as-stored"] = Field(
        default="standard",
        description="How objects leave where a request names no transfer syntax: in Explicit VR "
        "Little Endian, but for what is lossy (standard), or as they are stored",
    )
    viewer: ViewerSettings = Field(
        default_factory=ViewerSettings, description="The web viewer, once it is installed"
    )
    delete: bool = Field(
        default=False,
        description="Whether DICOMweb may delete studies, series and instances of the archive",
    )
