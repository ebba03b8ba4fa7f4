"""Secrets and TLS files of a destination: from the words of the file to what a part is given."""

import os
from pathlib import Path

from waystation.app.settings_base import SecretSource, reveal
from waystation.app.settings_destination import CallTls
from waystation.app.settings_dicom import ListenerTls
from waystation.app.settings_node import WebTls
from waystation.model.peer import TlsFiles


def secret(source: SecretSource | None) -> str:
    """Return the secret, "" for none.  Raises KeyError or OSError if it is not there."""
    return "" if source is None else reveal(source, dict(os.environ))


def text(path: Path | None) -> str:
    """Return ``path`` as text, "" for none."""
    return "" if path is None else str(path)


def call_tls(table: CallTls | None) -> TlsFiles | None:
    """Return the files of a call with TLS; None for a plain one."""
    if table is None:
        return None
    return TlsFiles(
        certificate=text(table.certificate),
        key=text(table.key),
        key_password=secret(table.key_password),
        ca=text(table.ca),
        server_name=table.server_name or "",
        verify=table.verify,
    )


def listening_tls(table: ListenerTls | None) -> TlsFiles | None:
    """Return the files of a listener's TLS, of DICOM or HL7; None for a plain one."""
    if table is None:
        return None
    return TlsFiles(
        certificate=str(table.certificate),
        key=str(table.key),
        key_password=secret(table.key_password),
        ca=text(table.client_ca),
        client_auth=table.client_auth or ("required" if table.client_ca else "off"),
    )


def web_tls(table: WebTls | None) -> TlsFiles | None:
    """Return the files of the HTTP listener's TLS; None for a plain one."""
    if table is None:
        return None
    return TlsFiles(
        certificate=str(table.certificate),
        key=str(table.key),
        key_password=secret(table.key_password),
        client_auth="off",
    )
