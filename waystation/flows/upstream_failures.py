"""What the ways in which a PACS fails mean for who asked (W-62).

Contract: pure; errors and final statuses in, `UpstreamFailed` out.  Time-outs are 504; what may
pass by itself is 503; everything else that went wrong at the PACS is 502.
"""

from waystation.dicom.tags import format_tag, keyword_of
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.model.upstream import BAD_GATEWAY, TIMED_OUT, UNAVAILABLE, UpstreamFailed
from waystation.wire.commands import Command
from waystation.wire.status import OUT_OF_RESOURCES, status_text

SOP_CLASS_UNSUPPORTED = 0x0122


def failure_of(source: str, remote: Remote, error: UnreachableError | LostError) -> UpstreamFailed:
    """Return what an association that did not come about, or broke, means."""
    if isinstance(error, LostError):
        return UpstreamFailed(source, TIMED_OUT if error.timed_out else BAD_GATEWAY, str(error))
    if error.layer == "rejected":
        if not error.permanent:
            return UpstreamFailed(source, UNAVAILABLE, str(error))
        text = (
            f"{error}; it was called {remote.ae_title} by {remote.calling_ae}: one of the two is"
            " not known there"
        )
        return UpstreamFailed(source, BAD_GATEWAY, text)
    timed_out = isinstance(error.__cause__, TimeoutError)
    return UpstreamFailed(source, TIMED_OUT if timed_out else BAD_GATEWAY, str(error))


def failure_of_status(source: str, command: Command) -> UpstreamFailed:
    """Return what a final status that is neither success nor our own cancelling means."""
    text = f"answered {status_text(command.status)}"
    if command.offending_elements:
        names = (keyword_of(tag) or format_tag(tag) for tag in command.offending_elements)
        text += f" ({', '.join(names)})"
    status = UNAVAILABLE if command.status >> 8 == OUT_OF_RESOURCES >> 8 else BAD_GATEWAY
    return UpstreamFailed(source, status, text, dimse_status=command.status)
