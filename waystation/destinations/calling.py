"""How a DICOM destination is called: settings, titles, new associations.

Contract (R-48, R-53): an association may be shared by what has the same `Caller.key`.  `open`
raises what `Call.open` raises.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from waystation.destinations.contexts import Pair
from waystation.model.delivery import Delivery
from waystation.model.peer import Remote
from waystation.net.client import Call, Waits
from waystation.wire.limits import Limits
from waystation.wire.negotiate import propose


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomSettings:
    """How to call.  calling: ``own``, ``passthrough`` or ``fixed:NAME`` (R-53).

    transcode: what may be done where the stored syntax is refused, one of `contexts.POLICIES`.
    originator: AE title and Message ID of the C-MOVE that asked for it.
    """

    remote: Remote
    calling: str = "own"
    waits: Waits = Waits()
    limits: Limits = Limits()
    linger_s: float = 5.0
    max_per_association: int = 1000
    reuse: str = "study"
    retry_on_warning: bool = False
    transcode: str = "uncompressed"
    originator: tuple[str, int] | None = None


class Caller:
    """Opens associations to one destination."""

    def __init__(self, settings: DicomSettings) -> None:
        self.settings = settings
        self.opened = 0

    async def open(self, calling_ae: str, pairs: Sequence[Pair]) -> Call:
        """Open an association that offers ``pairs`` of (SOP class, transfer syntax)."""
        settings = self.settings
        contexts = propose([(sop_class, [syntax]) for sop_class, syntax in pairs])[0]
        self.opened += 1
        return await Call.open(
            replace(settings.remote, calling_ae=calling_ae),
            contexts,
            settings.waits,
            settings.limits,
        )

    def calling_ae(self, delivery: Delivery) -> str:
        """Return the title to call with for this delivery."""
        calling = self.settings.calling
        if calling.startswith("fixed:"):
            return calling.removeprefix("fixed:")
        if calling == "passthrough" and delivery.calling_ae:
            return delivery.calling_ae
        return self.settings.remote.calling_ae

    def key(self, delivery: Delivery) -> tuple[str, str]:
        """Return what an association may be shared by (R-48)."""
        match self.settings.reuse:
            case "any":
                shared = ""
            case "series":
                shared = delivery.series_uid
            case _:
                shared = delivery.study_uid
        return (self.calling_ae(delivery), shared)
