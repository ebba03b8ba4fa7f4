"""``multipart/related`` bodies, written piece by piece (RFC 2387, PS3.18 section 8.6.1.2).

Contract: the sizes are known before the first byte is written, so that a request can announce its
length; nothing here holds a part.  The boundary is the caller's: random, so that no object can
contain it.
"""

import re

CRLF = b"\r\n"
DICOM = "application/dicom"
_UID = re.compile(r"[0-9.]{1,64}")


def content_type(boundary: str) -> str:
    """Return the type of a whole body whose parts are DICOM files."""
    return f'multipart/related; type="{DICOM}"; boundary={boundary}'


def dicom_part(boundary: str, transfer_syntax_uid: str) -> bytes:
    """Return what stands before one DICOM file; `CRLF` follows the file.

    A syntax that is no UID came from a peer and is left out: it could end the header line.
    """
    syntax = transfer_syntax_uid if _UID.fullmatch(transfer_syntax_uid) else ""
    what = f"{DICOM}; transfer-syntax={syntax}" if syntax else DICOM
    return f"--{boundary}\r\nContent-Type: {what}\r\n\r\n".encode("ascii")


def end(boundary: str) -> bytes:
    """Return what ends the body."""
    return f"--{boundary}--\r\n".encode("ascii")
