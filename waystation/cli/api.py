"""The running node of a configuration, reached through its API.

Contract: the node says in ``data/node.json`` where it listens.  `running` returns a connection
only if the process that wrote the file answers there; a file left by a crash, or a stranger on
the same port, count as "not running".  Proxies of the environment are never used.
"""

import json
import os
import ssl
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from waystation.model.errors import ConfigError, UnreachableError, WaystationError

PLACES = (Path("waystation.toml"), Path("/etc/waystation/waystation.toml"))
TIMEOUT_S = 60.0
# A decision about a million deliveries is carried out piece by piece.
DECISION_S = 3600.0
ASK_S = 5.0
BAD_REQUEST = 400
NONE_STORED = 409


class NodeApi:
    """The API under ``base``, such as ``http://127.0.0.1:8080``.

    key: of the node, for whom its data folder belongs to; "" for none.
    """

    def __init__(
        self, base: str, key: str = "", opener: urllib.request.OpenerDirector | None = None
    ) -> None:
        self._base = base
        self._key = key
        self._opener = opener or urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        """Return the JSON of a GET; "" and None parameters are left out."""
        given = {name: value for name, value in (params or {}).items() if value not in ("", None)}
        query = "?" + urllib.parse.urlencode(given, doseq=True) if given else ""
        return self._ask(urllib.request.Request(self._base + path + query), TIMEOUT_S)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the JSON of a POST."""
        request = urllib.request.Request(
            self._base + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        return self._ask(request, DECISION_S)

    def pid(self) -> int:
        """Return the process id of whoever answers; raise `UnreachableError` if nobody does."""
        found = self._ask(urllib.request.Request(self._base + "/api/v1/status"), ASK_S)
        return int(found.get("pid", 0)) if isinstance(found, dict) else 0

    def send(self, method: str, path: str, body: Mapping[str, object]) -> Any:
        """Return the JSON of a request with a body."""
        request = urllib.request.Request(
            self._base + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        return self._ask(request, TIMEOUT_S)

    def upload(self, path: str, file: IO[bytes], size: int, kind: str) -> Any:
        """Send a file of a media type; return the JSON of the answer, also of a refusal."""
        headers = {
            "Content-Type": kind,
            "Content-Length": str(size),
            "Accept": "application/dicom+json",
        }
        request = urllib.request.Request(self._base + path, data=file, headers=headers)
        if self._key:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        try:
            with self._opener.open(request, timeout=DECISION_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == NONE_STORED:
                return json.load(error)
            return _problem(error)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError("connect", f"{self._base}: {reason}") from error

    def _ask(self, request: urllib.request.Request, timeout_s: float) -> Any:
        if self._key:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return _problem(error)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError("connect", f"{self._base}: {reason}") from error


def _problem(error: urllib.error.HTTPError) -> Any:
    """Return the answer to a rejected reload; raise every other problem in its own words.

    What names an option of ours is a mistake of whoever wrote it.
    """
    try:
        body = json.load(error)
    except ValueError:
        body = {}
    if error.code == 422:
        return body
    title, detail = body.get("title", f"HTTP {error.code}"), body.get("detail", "")
    where, _, wrong = detail.partition(": ")
    if error.code == BAD_REQUEST and where.startswith("--"):
        raise ConfigError(where, wrong)
    raise WaystationError(f"{title}: {detail}" if detail else str(title))


def announced(data: Path) -> tuple[str, int] | None:
    """Return URL and process id as the node on the folder ``data`` told them, or None."""
    try:
        known = json.loads((data / "node.json").read_text(encoding="utf-8"))
        url, pid = str(known["web"]), int(known["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (url, pid) if url.startswith(("http://", "https://")) else None


def running(data: Path) -> NodeApi | None:
    """Return the API of the node that works on the folder ``data``, or None."""
    told = announced(data)
    if told is None:
        return None
    url, pid = told
    api = NodeApi(url, _key(data), opener(data))
    try:
        return api if api.pid() == pid else None
    except (UnreachableError, WaystationError):
        return None


def opener(data: Path) -> urllib.request.OpenerDirector:
    """Return what calls the node on a folder: over TLS only the one with its own certificate."""
    direct = urllib.request.ProxyHandler({})
    try:
        known = json.loads((data / "node.json").read_text(encoding="utf-8"))
        certificate = str(known["certificate"])
    except (OSError, ValueError, KeyError, TypeError):
        return urllib.request.build_opener(direct)
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=context))


def _key(data: Path) -> str:
    """Return what lets the owner of the folder in, "" for anybody else."""
    try:
        return (data / "api.key").read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def store_path(data: Path) -> str:
    """Return the path at which the node on the folder ``data`` takes objects (PS3.18 10.5)."""
    known = json.loads((data / "node.json").read_text(encoding="utf-8"))
    return f"{known.get('dicomweb', '/dicom-web')}/studies"


def data_folder(stated: Path | None) -> Path:
    """Return the data folder that the configuration names.

    The rest of the file is not judged: the queue stays at hand while somebody edits the rules,
    and a question costs no more than it must.  Raises `ConfigFaults` if the file does not even
    say this much.
    """
    path = stated or next((place for place in PLACES if place.exists()), None)
    try:
        text = path.read_text(encoding="utf-8-sig") if path else ""
        table = tomllib.loads(text).get("node", {})
        data = os.environ.get("WAYSTATION__NODE__DATA", table.get("data", "var"))
        folder = path.resolve().parent if path else Path.cwd()
        return Path(os.path.normpath(folder / data.strip("\"'")))
    except (OSError, ValueError, AttributeError):
        from waystation.app.read import find_file, load

        return Path(load(find_file(stated), os.environ).settings.node.data)


def need_running(data: Path) -> NodeApi:
    """Return the API of the running node; raise `UnreachableError` saying what is missing."""
    api = running(data)
    if api is None:
        raise UnreachableError(
            "connect", f"no node is running on {data} (or its web listener is off)"
        )
    return api


def who() -> str:
    """Return the name that decisions are recorded under: the login of this user."""
    import getpass

    try:
        return getpass.getuser()[:64]
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
