"""Identities of patients as the journal keeps them: encrypted with a key of their project (D-29).

Contract: `sealed` encrypts a few bytes (AES-256-GCM, a random nonce in front), `unsealed` gives
them back or raises ValueError, which shows nothing of them.
"""

import os
from typing import Final

NONCE: Final = 12


def sealed(key: bytes, content: bytes) -> bytes:
    """Return ``content``, encrypted; key: 32 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, None)


def unsealed(key: bytes, envelope: bytes) -> bytes:
    """Return what an envelope holds.  Raises ValueError if it is not for this key, or damaged."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(envelope[:NONCE], envelope[NONCE:], None)
    except (InvalidTag, ValueError) as error:
        raise ValueError("sealed with another project key, or damaged") from error
