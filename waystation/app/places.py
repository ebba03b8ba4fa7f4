"""Files and folders that the configuration names: are they there, can they be made?

Contract: only looks.  A missing key or secret is a fault, as the node could not start; a missing
destination folder is a warning, as the share may be mounted later.  A place that we may not even
look at counts as missing.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from waystation.app.faults import Problem
from waystation.app.lines import Path as KeyPath
from waystation.app.parts import Parts
from waystation.app.settings_base import Secret, Table
from waystation.app.settings_destination import DicomDestination, FolderDestination
from waystation.app.settings_dicom import DicomSettings
from waystation.app.settings_node import NodeSettings, WebSettings

TLS_FILES = ("certificate", "key", "ca", "client_ca")


def files_and_folders(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with the places of the configuration."""
    node, dicom = parts.single.get("node"), parts.single.get("dicom")
    if isinstance(node, NodeSettings):
        yield from _data_folder(node.data)
    if isinstance(dicom, DicomSettings) and dicom.tls is not None:
        yield from tls_problems(dicom.tls, ("dicom", "tls"), environ)
    web = parts.single.get("web")
    if isinstance(web, WebSettings) and web.tls is not None:
        yield from tls_problems(web.tls, ("web", "tls"), environ)
    for name, destination in parts.destinations.items():
        at: KeyPath = ("destination", name)
        if isinstance(destination, DicomDestination) and destination.tls is not None:
            yield from tls_problems(destination.tls, (*at, "tls"), environ)
        if isinstance(destination, FolderDestination):
            yield from _destination_folder(destination, at)


def _destination_folder(table: FolderDestination, at: KeyPath) -> Iterator[Problem]:
    if os.path.exists(table.path) and not os.path.isdir(table.path):
        yield Problem(path=(*at, "path"), text="is a file; write a folder")
    elif not table.create and not os.path.isdir(table.path):
        text = "is not there: the lane waits until it is (create = true makes it at the start)"
        yield Problem(path=(*at, "path"), text=text, warning=True)


def _data_folder(folder: Path) -> Iterator[Problem]:
    """The folder must exist, or its nearest existing ancestor must let us make it."""
    nearest = folder
    while not os.path.exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not os.path.isdir(nearest):
        yield Problem(path=("node", "data"), text="cannot be a folder: a file stands in its way")
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield Problem(path=("node", "data"), text="is not writable, or cannot be made")


def tls_problems(table: Table, at: KeyPath, environ: Mapping[str, str]) -> Iterator[Problem]:
    for key in TLS_FILES:
        path = getattr(table, key, None)
        if path is not None and not os.path.isfile(path):
            yield Problem(path=(*at, key), text="there is no such file")
    has_certificate = getattr(table, "certificate", None) is not None
    if has_certificate is not (getattr(table, "key", None) is not None):
        missing = "key" if has_certificate else "certificate"
        yield Problem(path=(*at, missing), text="is missing: certificate and key go together")
    if getattr(table, "client_auth", None) in {"required", "optional"} and not getattr(
        table, "client_ca", None
    ):
        yield Problem(path=(*at, "client_ca"), text="is missing: who vouches for the callers?")
    secret = getattr(table, "key_password", None)
    if isinstance(secret, Secret):
        yield from secret_problems(secret, (*at, "key_password"), environ)


def secret_problems(secret: Secret, at: KeyPath, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with the place of a secret."""
    if secret.env is not None and not environ.get(secret.env):
        yield Problem(path=(*at, "env"), text="there is no such environment variable")
    if secret.file is None:
        return
    try:
        mode = secret.file.stat().st_mode
    except OSError:
        yield Problem(path=(*at, "file"), text="there is no such file")
        return
    if not stat.S_ISREG(mode):
        yield Problem(path=(*at, "file"), text="is no file")
    elif mode & stat.S_IROTH:
        yield Problem(path=(*at, "file"), text="everyone may read this file", warning=True)
