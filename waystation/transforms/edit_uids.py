"""New UIDs for old ones: a keyed mapping that needs no memory (R-65, D-26).

Contract: the same key and UID give the same new one on every node, for ever; well-known UIDs stay.
A new UID is ``2.25.`` and the decimal of 128 bits of an HMAC, with version 8 and variant bits of
RFC 9562: at most 44 characters.
"""

import hmac

WELL_KNOWN = b"1.2.840.10008."
# Study, Series and SOP Instance UID, and everything that refers to one of them (PS3.6).
_MAPPED = frozenset(
    {
        *(0x00080018, 0x0020000D, 0x0020000E),  # of the object itself
        *(0x00080058, 0x00081155, 0x00081167, 0x00083001, 0x00089124, 0x00041511),
        *(0x00200242, 0x00209161, 0x00400554, 0x0040A171, 0x0040A124, 0x0040DB0C, 0x00880140),
    }
)
_VERSION, _VARIANT = 8, 2


def is_mapped(tag: int) -> bool:
    """Tell whether an element names a study, a series or an instance."""
    return tag in _MAPPED


def new_uid(key: bytes, uid: bytes) -> bytes:
    """Return what a UID becomes; padding is not counted."""
    plain = uid.strip(b"\0 ")
    if not plain or plain.startswith(WELL_KNOWN):
        return plain
    digest = int.from_bytes(hmac.digest(key, plain, "sha256")[:16], "big")
    digest = digest & ~(0xF << 76) | _VERSION << 76
    digest = digest & ~(0x3 << 62) | _VARIANT << 62
    return b"2.25.%d" % digest
