"""TLS contexts for both directions (PS3.15 B.12, BCP 195): TLS 1.2 and 1.3 only.

Contract: raises `ConfigError` naming the file that cannot be used.  There is no fallback to
plaintext or to older versions anywhere (S-50).
"""

import ssl

from waystation.model.errors import ConfigError, UnreachableError
from waystation.model.peer import TlsFiles

# TLS 1.2 suites of S-49: ECDHE with AES-GCM; those of TLS 1.3 are fixed.
_CIPHERS = "ECDHE+AESGCM"
# The connection ended inside the handshake; everything else is somebody's certificate or setting.
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def _base(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _load_chain(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        # A text, even an empty one: without it OpenSSL would ask for it on the terminal.
        context.load_cert_chain(files.certificate, files.key or None, files.key_password)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(files.certificate, f"certificate or key not usable: {error}") from error


def _load_ca(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        context.load_verify_locations(files.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(files.ca, f"authorities not usable: {error}") from error


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of a listener; client certificates as ``files.client_auth`` says."""
    context = _base(ssl.PROTOCOL_TLS_SERVER)
    _load_chain(context, files)
    if files.ca:
        _load_ca(context, files)
    context.verify_mode = {
        "required": ssl.CERT_REQUIRED,
        "optional": ssl.CERT_OPTIONAL,
        "off": ssl.CERT_NONE,
    }[files.client_auth]
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context for calling a peer: chain and name are verified unless switched off."""
    context = _base(ssl.PROTOCOL_TLS_CLIENT)
    if files.ca:
        _load_ca(context, files)
    else:
        context.load_default_certs()
    if files.certificate:
        _load_chain(context, files)
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_failed(where: str, error: ssl.SSLError) -> UnreachableError:
    """Return why TLS did not come about; a refusal lasts until somebody changes a file (O7)."""
    reason = getattr(error, "verify_message", "") or error.reason or str(error)
    return UnreachableError(
        "tls", f"{where}: TLS failed: {reason}", permanent=not isinstance(error, _CUT)
    )
