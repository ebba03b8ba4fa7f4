"""The secrets of one project: one that is kept in a file, five that are made of it (D-24).

Contract: `derive` gives the sub-keys by HKDF with SHA-256 (RFC 5869), one for each purpose, so
that what is known of one purpose says nothing about another.  Nothing here shows a key: `Keys`
prints its id only.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from hashlib import sha256

SECRET_BYTES = 32
PURPOSES = ("uid", "patient", "date", "accession", "text")
_INFO = b"waystation de-identification 1 "


@dataclass(frozen=True, slots=True)
class Keys:
    """The sub-keys of one project, 32 bytes each."""

    key_id: str
    uid: bytes = field(repr=False)
    patient: bytes = field(repr=False)
    date: bytes = field(repr=False)
    accession: bytes = field(repr=False)
    text: bytes = field(repr=False)


def derive(secret: bytes, key_id: str) -> Keys:
    """Return the sub-keys of a project.  Raises ValueError unless the secret has 32 bytes."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a project key has {SECRET_BYTES} bytes, this one {len(secret)}")
    extracted = mac(b"\0" * SECRET_BYTES, secret)
    made = {name: mac(extracted, _INFO + name.encode() + b"\1") for name in PURPOSES}
    return Keys(key_id, **made)


def mac(key: bytes, *parts: bytes) -> bytes:
    """Return HMAC-SHA-256 of ``parts``, told apart by their lengths if there are several."""
    if len(parts) == 1:
        return hmac.digest(key, parts[0], "sha256")
    told = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(key, told, "sha256")


def read_secret(data: bytes) -> bytes:
    """Return the secret that a file or variable holds.

    32 bytes as they are, or 64 hexadecimal digits, or their base64; white space around it is
    nothing.  Raises ValueError, which never shows what was read.
    """
    if len(data) == SECRET_BYTES:
        return data
    text = data.strip()
    try:
        if len(text) == 2 * SECRET_BYTES:
            return binascii.unhexlify(text)
        if len(text) in (43, 44):
            secret = base64.b64decode(text.rstrip(b"=") + b"=", validate=True)
            if len(secret) == SECRET_BYTES:
                return secret
    except binascii.Error:
        pass
    raise ValueError("expected 32 random bytes, 64 hexadecimal digits or base64 of 32 bytes")


def fingerprint(secret: bytes) -> str:
    """Return 16 digits by which two secrets can be compared without showing them."""
    return mac(secret, _INFO + sha256(_INFO).digest()).hex()[:16]
