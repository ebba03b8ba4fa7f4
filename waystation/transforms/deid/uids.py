"""New UIDs for old ones: the same everywhere, on every node, with the same key (D-23, D-26).

Contract: `new_uid` is a pure function of key and original.  Its value is a UUID of version 8
(RFC 9562) below 2.25 (PS3.5 B.2), at most 44 characters.  Registered UIDs stay as they are.
"""

import hmac
import re

STANDARD = b"1.2.840.10008"
_VERSION_8 = 0x8 << 76
_VARIANT = 0x2 << 62
_KEEP = (1 << 128) - 1 & ~(0xF << 76) & ~(0x3 << 62)
# At least five components: what people write with fewer are versions and section numbers.
_IN_TEXT = re.compile(rb"(?<![0-9.])[0-2](?:\.(?:0|[1-9][0-9]*)){4,}(?![0-9.]*[0-9])")


# What the Standard registers below its root has short components (PS3.6 annex A); devices that put
# dates and numbers of their own there made no registered UID of it.
_REGISTERED = re.compile(rb"1\.2\.840\.10008(\.[0-9]{1,4}){0,9}")


def is_standard(uid: bytes) -> bool:
    """Tell whether the Standard registered this UID, as far as its form tells."""
    return uid.startswith(STANDARD) and _REGISTERED.fullmatch(uid) is not None


def new_uid(key: bytes, original: bytes) -> bytes:
    """Return the UID that stands for ``original``; padding does not matter.

    An original that is no UID is mapped all the same, as the bytes that it is.
    """
    original = original.strip(b"\0 ")
    if not original or is_standard(original):
        return original
    number = int.from_bytes(hmac.digest(key, original, "sha256")[:16], "big")
    return b"2.25.%d" % (number & _KEEP | _VERSION_8 | _VARIANT)


def map_uids(key: bytes, value: bytes) -> bytes:
    """Return a value of UIDs, one or several, each mapped."""
    if b"\\" not in value:
        return new_uid(key, value)
    return b"\\".join(new_uid(key, one) for one in value.split(b"\\"))


def map_in_text(key: bytes, text: bytes) -> bytes:
    """Return ``text`` with every UID in it mapped, such as those of a URL."""
    if text.count(b".") < 4:
        return text
    return _IN_TEXT.sub(lambda found: new_uid(key, found[0]), text)
