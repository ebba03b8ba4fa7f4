"""``multipart/related`` bodies, written piece by piece (RFC 2387, PS3.18 section 8.6.1.2).

Contract: the sizes are known before the first byte is written, so that a request can announce its
length; nothing here holds a part.  The boundary is the caller's: random, so that no object can
contain it.
"""

CRLF = b"\r\n"
DICOM = "application/dicom"


def content_type(boundary: str) -> str:
    """Return the type of a whole body whose parts are DICOM files."""
    return f'multipart/related; type="{DICOM}"; boundary={boundary}'


def dicom_part(boundary: str) -> bytes:
    """Return what stands before one DICOM file; `CRLF` follows the file.

    The file says itself what its transfer syntax is.  The parameter that could repeat it here is
    left out: Orthanc (DICOMweb 1.7) drops a part that has one, and answers 200.
    """
    return f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode("ascii")


def end(boundary: str) -> bytes:
    """Return what ends the body."""
    return f"--{boundary}--\r\n".encode("ascii")


def related(media: str, boundary: str) -> str:
    """Return the type of a whole body whose parts are ``media``."""
    return f'multipart/related; type="{media}"; boundary={boundary}'


def part_head(boundary: str, media: str, syntax: str, location: str, size: int | None) -> bytes:
    """Return what stands before one part; `CRLF` follows the part (W-75, W-76).

    syntax: transfer syntax, "" for none.  location: absolute URL, "" for none.  size: of the
    part in bytes, None if it is not known.
    """
    lines = [
        f"--{boundary}",
        f"Content-Type: {media}" + (f"; transfer-syntax={syntax}" * bool(syntax)),
    ]
    if location:
        lines.append(f"Content-Location: {location}")
    if size is not None:
        lines.append(f"Content-Length: {size}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
