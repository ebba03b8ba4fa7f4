"""The web viewer: the files of an unpacked @ohif/app on a port of their own (W-141).

Contract: one origin for the viewer and the DICOMweb roots, so that no cross-origin rule is needed.
Only files that were there at the start are served, by their names then: no name from the wire goes
into a path.  What looks like a page of the viewer gets its ``index.html``.  ``app-config.js`` is
ours.  Pages run nothing that does not come from here (Content-Security-Policy).
"""

import base64
import hashlib
import json
import mimetypes
import re
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from waystation.web.dicomweb import DicomWeb
from waystation.web.problems import problem

INDEX: Final = "/index.html"
CONFIG: Final = "/app-config.js"
TYPES: Final = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript"}
MOST_FILES: Final = 20_000
# Bundlers put a digest of the content into such names.
_LASTING = re.compile(r"[.-/][0-9a-f]{16,}\.")
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Viewer:
    """An ASGI application.  folder: the unpacked files; raises OSError if they are not there."""

    def __init__(self, folder: Path, dicomweb: DicomWeb) -> None:
        self._dicomweb = dicomweb
        self._files = _files(folder)
        index = (folder / INDEX[1:]).read_bytes()
        self._headers = {
            "content-security-policy": _policy(index),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer: ASGIApp = self._dicomweb
        if not self._dicomweb.owns(scope["path"]):
            answer = self._page(Request(scope, receive))
        await answer(scope, receive, send)

    def _page(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return problem(405, "This cannot be done here")
        path = request.scope["path"]
        if path == CONFIG:
            text = configuration(self._dicomweb.root)
            return Response(text, media_type="text/javascript", headers=self._fields("no-cache"))
        last = path.rpartition("/")[2]
        file = self._files.get(path) or (self._files.get(INDEX) if "." not in last else None)
        if file is None:
            return problem(404, "There is no such page")
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
        lasting = path in self._files and _LASTING.search(path)
        age = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return FileResponse(
            file, media_type=kind or "application/octet-stream", headers=self._fields(age)
        )

    def _fields(self, age: str) -> dict[str, str]:
        return {**self._headers, "cache-control": age}


def _files(folder: Path) -> dict[str, Path]:
    """Return what is served by its path; links are left out."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found["/" + path.relative_to(folder).as_posix()] = path
        if len(found) > MOST_FILES:
            raise OSError(f"{folder} holds more than {MOST_FILES} files: it is no viewer")
    return found


def _policy(index: bytes) -> str:
    """Return what its pages may do: the scripts of ``index.html`` are named by their digests."""
    digests = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        for text in _INLINE.findall(index)
    ]
    scripts = " ".join(("'self'", "blob:", "'wasm-unsafe-eval'", *digests))
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "frame-src 'self' blob:",
            "object-src 'self' blob:",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def configuration(root: str) -> str:
    """Return ``app-config.js``; root: path of DICOMweb on this origin."""
    source: dict[str, Any] = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "dicomweb",
        "configuration": {
            "friendlyName": "Waystation archive",
            "name": "waystation",
            "wadoUriRoot": root,
            "qidoRoot": root,
            "wadoRoot": root,
            "qidoSupportsIncludeField": True,
            "supportsReject": False,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "thumbnail",
            "enableStudyLazyLoad": True,
            "singlepart": "bulkdata,pdf",
            "bulkDataURI": {"enabled": True},
            "omitQuotationForMultipartRequest": False,
        },
    }
    settings: dict[str, Any] = {
        "routerBasename": None,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "defaultDataSourceName": "dicomweb",
        "dataSources": [source],
    }
    return f"window.config = {json.dumps(settings)};\n"
