"""Another application entity: who may call us, whom we call."""

from dataclasses import dataclass, field

# What a peer may be allowed (S-45).
RIGHTS = frozenset({"echo", "store", "find", "move", "get", "commit", "mpps", "worklist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of one side of TLS.  ``ca`` verifies the other side.

    client_auth: for a listener, ``required``, ``optional`` or ``off``.
    server_name: for a client, the name that the certificate must carry ("" = the host).
    """

    certificate: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)
    ca: str = ""
    client_auth: str = "required"
    server_name: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """An application entity that we call."""

    name: str
    ae_title: str
    host: str
    port: int
    calling_ae: str = "WAYSTATION"
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A ``[peer.NAME]`` table: who may call us.  Titles may hold ``*`` and ``?``.

    address: networks in CIDR notation; empty means any address.
    accept, refuse: SOP class UIDs, or UID prefixes ending in ``*`` (R-16).
    rights: what it may ask for, some of `RIGHTS`.
    """

    name: str
    ae_title: str
    address: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    max_associations: int = 50
    rights: frozenset[str] = RIGHTS
