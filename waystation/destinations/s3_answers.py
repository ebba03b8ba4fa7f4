"""What an answer of an object store, or the lack of one, means for a delivery (R-54, section 7).

Contract: pure, and safe when in doubt.  The kinds of error that obstore tells apart are told by
their class.  HTTP status, S3's own code and the kind of a broken connection are in the text only:
they are looked for there, and where they are not found the fault is transient, which costs time
and never an image.
"""

import re

from waystation.model.outcome import Deferred, Fault

_STATUS = re.compile(r"\bstatus(?: code)?: (\d{3})\b")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"\bkind: (\w+)")
# Trouble before a byte of the request has left.
_BEFORE = {"Connect"}
# Refusals of ours that no repetition cures, whatever their status.
_OURS_TO_CHANGE = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "InvalidStorageClass",
    "NotImplemented",
    "PermanentRedirect",
}
_OBJECT = {400, 409, 413, 415, 422}
_PEER = {301, 307, 401, 403, 404, 405, 501}


def code_of(text: str) -> str:
    """Return S3's own word for the error, or an empty text."""
    found = _CODE.search(text)
    return found[1] if found else ""


def meaning(error: Exception, bucket: str) -> Deferred:
    """Return what the error means."""
    text = str(error)
    code = code_of(text)
    word = f" ({code})" if code else ""
    kind = type(error).__name__
    if isinstance(error, TimeoutError):
        return Deferred(fault=Fault.UNKNOWN, why="no answer in time", connected=True)
    if isinstance(error, FileNotFoundError):
        return _peer(f"there is no bucket {bucket}{word}")
    if kind in {"PermissionDeniedError", "UnauthenticatedError"}:
        return _peer(f"access to bucket {bucket} is refused{word}")
    if kind in {"NotSupportedError", "UnknownConfigurationKeyError"}:
        return _peer(f"the server cannot do this{word}")
    found = _STATUS.search(text)
    if found is not None:
        return _by_status(int(found[1]), code, word)
    layer = _KIND.search(text)
    if layer is not None and layer[1] in _BEFORE:
        return Deferred(fault=Fault.TRANSIENT, why="the server cannot be reached")
    if layer is not None:
        why = f"no answer from the server ({layer[1].lower()})"
        return Deferred(fault=Fault.UNKNOWN, why=why, connected=True)
    return Deferred(fault=Fault.TRANSIENT, why=f"the server failed{word}", connected=True)


def _by_status(status: int, code: str, word: str) -> Deferred:
    why = f"the server answered {status}{word}"
    if status in _PEER or code in _OURS_TO_CHANGE:
        return _peer(why)
    fault = Fault.OBJECT if status in _OBJECT else Fault.TRANSIENT
    return Deferred(fault=fault, why=why, connected=True)


def _peer(why: str) -> Deferred:
    return Deferred(fault=Fault.PEER, why=why, connected=True)
