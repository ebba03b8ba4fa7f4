"""Single objects in memory, in every transfer syntax: compressed ones wrap noise as fragments."""

import zlib
from dataclasses import replace
from io import BytesIO

from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.objects.elements import EXPLICIT_LITTLE, file_meta
from tests.objects.files import Stored
from tests.objects.study import KINDS, Kind, data_sets

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
ENCAPSULATED = {
    "JPEG baseline": "1.2.840.10008.1.2.4.50",
    "JPEG extended": "1.2.840.10008.1.2.4.51",
    "JPEG lossless": "1.2.840.10008.1.2.4.57",
    "JPEG lossless SV1": "1.2.840.10008.1.2.4.70",
    "JPEG-LS lossless": "1.2.840.10008.1.2.4.80",
    "JPEG-LS near lossless": "1.2.840.10008.1.2.4.81",
    "JPEG 2000 lossless": "1.2.840.10008.1.2.4.90",
    "JPEG 2000": "1.2.840.10008.1.2.4.91",
    "MPEG-2": "1.2.840.10008.1.2.4.100",
    "MPEG-4": "1.2.840.10008.1.2.4.102",
    "HEVC": "1.2.840.10008.1.2.4.107",
    "HTJ2K lossless": "1.2.840.10008.1.2.4.201",
    "HTJ2K": "1.2.840.10008.1.2.4.203",
    "RLE": "1.2.840.10008.1.2.5",
}


def sample(kind: str | Kind = "tiny", *, seed: object = 0) -> Stored:
    """Return one object, explicit VR little endian or whatever ``kind`` says."""
    return study(1, seed, kind)[0]


def study(count: int, seed: object = 0, kind: str | Kind = "tiny") -> list[Stored]:
    """Return ``count`` objects of one study."""
    what = KINDS[kind] if isinstance(kind, str) else kind
    return [
        Stored(
            sop_class=what.sop_class,
            sop_instance=sop_uid,
            transfer_syntax=what.transfer_syntax,
            data_set=data_set,
        )
        for sop_uid, data_set in data_sets(what, count, seed)
    ]


def compressed(transfer_syntax: str, *, seed: object = 0) -> Stored:
    """Return one object whose pixels are a fragment of noise in ``transfer_syntax``."""
    kind = replace(KINDS["tiny"], transfer_syntax=transfer_syntax, compressed_bytes=2000)
    return sample(kind, seed=seed)


def deflated(*, seed: object = 0) -> Stored:
    """Return one object in the deflated syntax (PS3.5 section A.5)."""
    plain = sample(seed=seed)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = packer.compress(plain.data_set) + packer.flush()
    body += b"\0" * (len(body) % 2)
    return replace(plain, transfer_syntax=DEFLATED, data_set=body)


def reencoded(transfer_syntax: str, *, seed: object = 0) -> Stored:
    """Return one object in another uncompressed syntax, encoded by pydicom."""
    plain = sample(seed=seed)
    data_set = dcmread(BytesIO(as_file(plain)))
    out = DicomBytesIO()
    out.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    out.is_little_endian = transfer_syntax != EXPLICIT_BIG
    write_dataset(out, data_set)
    return replace(plain, transfer_syntax=transfer_syntax, data_set=out.getvalue())


def in_syntax(transfer_syntax: str, *, seed: object = 0) -> Stored:
    """Return one object in any of the syntaxes of this module."""
    if transfer_syntax == EXPLICIT_LITTLE:
        return sample(seed=seed)
    if transfer_syntax == DEFLATED:
        return deflated(seed=seed)
    if transfer_syntax in (IMPLICIT_LITTLE, EXPLICIT_BIG):
        return reencoded(transfer_syntax, seed=seed)
    return compressed(transfer_syntax, seed=seed)


def as_file(stored: Stored) -> bytes:
    """Return the object as a DICOM file (PS3.10)."""
    meta = file_meta(stored.sop_class, stored.sop_instance, stored.transfer_syntax)
    return meta + stored.data_set
