"""Which transfer syntaxes can be read and written here, without loading any codec.

Contract: asks only whether the packages are installed.  `reason` says what to install.
"""

from functools import cache
from importlib.util import find_spec

from waystation.dicom.uids import (
    ENCAPSULATED_UNCOMPRESSED,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR,
    RLE_LOSSLESS,
    name_of,
)

EXTRA = 'pip install "waystation[codecs]"'
CORE_READS = frozenset(
    {
        *(ENCAPSULATED_UNCOMPRESSED, JPEG_BASELINE, JPEG_EXTENDED, RLE_LOSSLESS),
        *(JPEG_2000_LOSSLESS, JPEG_2000),
        *(HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K),
    }
)
EXTRA_READS = frozenset({JPEG_LOSSLESS, JPEG_LOSSLESS_SV1, JPEG_LS_LOSSLESS, JPEG_LS_NEAR})
# In the order in which we would rather send.
CORE_WRITES = (JPEG_2000_LOSSLESS, RLE_LOSSLESS)
ALL_WRITES = (JPEG_2000_LOSSLESS, JPEG_LS_LOSSLESS, RLE_LOSSLESS, HTJ2K_LOSSLESS)


@cache
def has_extra() -> bool:
    """Tell whether the extra ``codecs`` is installed."""
    return find_spec("imagecodecs") is not None


def reads() -> frozenset[str]:
    """Return the compressed syntaxes that can be decoded."""
    return CORE_READS | EXTRA_READS if has_extra() else CORE_READS


def writes() -> tuple[str, ...]:
    """Return the compressed syntaxes that can be written without loss, best first."""
    return ALL_WRITES if has_extra() else CORE_WRITES


def reason(transfer_syntax_uid: str) -> str:
    """Return why a compressed syntax cannot be decoded here, or ""."""
    if transfer_syntax_uid in reads():
        return ""
    name = name_of(transfer_syntax_uid)
    if transfer_syntax_uid in EXTRA_READS:
        return f"{name} cannot be decoded without the extra: {EXTRA}"
    return f"{name} is passed through only"
