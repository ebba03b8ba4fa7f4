"""DICOMweb: the keys of ``[web]`` that it goes by."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from waystation.app.quantities import Duration
from waystation.app.settings_base import (
    Count,
    ListenPort,
    Names,
    Networks,
    Table,
    _as_tuple,
    complaint,
)

TAKEN = (
    *("/api", "/health", "/metrics", "/static", "/viewer", "/sign-in", "/sign-out", "/setup"),
    *("/account", "/users", "/tokens", "/audit", "/lanes", "/worklist"),
)
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


def _partial_status(status: int) -> int:
    if status not in (200, 206):
        raise complaint("expected 206, or 200 for clients that refuse it")
    return status


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
    requests_per_second: Annotated[int, Strict(), Field(ge=0)] = Field(
        default=1000,
        description="Requests of one caller for DICOMweb in a second, twice as many at once; more "
        "are answered 429; 0 sets no limit",
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
    search_cache: Duration = Field(
        default=60.0,
        description="How long the answers of PACS to one search are kept, so that its pages fit "
        "together",
    )
    partial: Literal["refuse", "serve"] = Field(
        default="refuse",
        description="A study of which a PACS did not give everything: an error (refuse), or what "
        "there is, marked as incomplete (serve)",
    )
    partial_status: Annotated[int, Strict(), AfterValidator(_partial_status)] = Field(
        default=206, description="Status of what is served incomplete: 206, or 200 for old clients"
    )
    retry_after_max: Duration = Field(
        default=60.0, description="No caller is told to wait longer than this (Retry-After)"
    )
    viewer: ViewerSettings = Field(
        default_factory=ViewerSettings, description="The web viewer, once it is installed"
    )
    delete: bool = Field(
        default=False,
        description="Whether DICOMweb may delete studies, series and instances of the archive",
    )
