"""What can go wrong, sorted by who has to act."""


class WaystationError(Exception):
    """Root of every error we raise on purpose."""


class ConfigError(WaystationError):
    """The operator must change the configuration; ``where`` says which setting."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class PeerError(WaystationError):
    """The other side broke the protocol; ``abort_reason`` is the one to send.

    ``abort_source``/``abort_reason`` are those of an A-ABORT PDU (PS3.8 table 9-26).
    """

    def __init__(self, problem: str, *, abort_reason: int = 0, abort_source: int = 2) -> None:
        super().__init__(problem)
        self.abort_reason = abort_reason
        self.abort_source = abort_source


class RefusedError(WaystationError):
    """One operation ends with a failure status; the association lives on.

    ``status`` is the DIMSE status; ``comment`` (at most 64 characters, no patient data)
    becomes the Error Comment (0000,0902).
    """

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(f"{status:04X} {comment}")
        self.status = status
        self.comment = comment[:64]


class StorageError(WaystationError):
    """Disk or database could not keep a promise: full, broken, locked, damaged."""


class UnreachableError(WaystationError):
    """No association could be opened; ``layer`` says how far we came.

    layer: ``name`` (not resolved), ``connect``, ``tls``, ``associate`` (no answer), ``rejected``.
    """

    def __init__(self, layer: str, problem: str, *, permanent: bool = False) -> None:
        super().__init__(problem)
        self.layer = layer
        self.permanent = permanent


class MisuseError(WaystationError):
    """Our own code called a core out of order: a bug, never retried."""


class LostError(WaystationError):
    """An association ended before its time: abort, reset, or no answer in time.

    ``sent``: a message had been sent whose answer never came, so its fate is unknown.
    ``timed_out``: nothing had come for too long.
    """

    def __init__(self, problem: str, *, sent: bool = False, timed_out: bool = False) -> None:
        super().__init__(problem)
        self.sent = sent
        self.timed_out = timed_out
