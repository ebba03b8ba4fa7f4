"""What the settings say of the web, as its parts go by it."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the frame of DICOMweb is set.

    roots: paths, the first is the proper one.  origins: of pages that may ask (CORS), "*" for all.
    open: whether callers beyond this machine may search and retrieve without a login.
    rate: requests of one caller in a second, twice as many at once; 0 for any number.
    """

    roots: tuple[str, ...] = ("/dicom-web", "/qido-rs", "/wado-rs")
    public_url: str = ""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    origins: tuple[str, ...] = ()
    open: bool = False
    rate: int = 0
