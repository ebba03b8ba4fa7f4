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
_UNREACHED = re.compile(r"\bkind: Connect\b|\bError\(\s*Connect\b")
_OTHER_REGION = "inner: BareRedirect"
# Refusals that a change of ours, or of the bucket, has to cure, whatever their status.
_TO_CHANGE = {
    *("AuthorizationHeaderMalformed", "ExpiredToken", "InvalidToken", "InvalidStorageClass"),
    *("IllegalLocationConstraintException", "InvalidBucketName", "NotImplemented"),
    *("NoSuchBucket", "PermanentRedirect", "AccessDenied"),
}
# Told with a status that usually blames the object.
_PASSING = {
    *("RequestTimeout", "IncompleteBody", "BadDigest", "OperationAborted", "NoSuchUpload"),
    *("ConditionalRequestConflict", "XAmzContentSHA256Mismatch"),
}
_OBJECT = {400, 409, 413, 415, 422}
_PEER = {301, 307, 401, 403, 404, 405, 501}


def code_of(error: Exception) -> str:
    """Return S3's own word for the error, or an empty text."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def meaning(error: Exception, bucket: str) -> Deferred:
    """Return what the error means."""
    if isinstance(error, TimeoutError):
        return _unknown("no answer in time")
    code, text, kind = code_of(error), str(error), type(error).__name__
    word = f" ({code})" if code else ""
    if kind in {"PermissionDeniedError", "UnauthenticatedError"}:
        return _peer(f"access to bucket {bucket} is refused{word}")
    if code in _PASSING or kind == "AlreadyExistsError":
        return _transient(f"the server is busy with this object{word}")
    if isinstance(error, FileNotFoundError):
        return _peer(f"there is no bucket {bucket}{word}")
    if _OTHER_REGION in text:
        return _peer(f"bucket {bucket} is in another region")
    if (found := _STATUS.search(text)) is not None:
        return _by_status(int(found[1]), code, word)
    if _UNREACHED.search(text):
        return Deferred(fault=Fault.TRANSIENT, why="the server cannot be reached")
    if (layer := _KIND.search(text)) is not None:
        return _unknown(f"no answer from the server ({layer[1].lower()})")
    return _transient("the server failed")


def _by_status(status: int, code: str, word: str) -> Deferred:
    why = f"the server answered {status}{word}"
    if status in _PEER or code in _TO_CHANGE:
        return _peer(why)
    if status in _OBJECT:
        return Deferred(fault=Fault.OBJECT, why=why, connected=True)
    return _transient(why)


def _peer(why: str) -> Deferred:
    return Deferred(fault=Fault.PEER, why=why, connected=True)


def _transient(why: str) -> Deferred:
    return Deferred(fault=Fault.TRANSIENT, why=why, connected=True)


def _unknown(why: str) -> Deferred:
    return Deferred(fault=Fault.UNKNOWN, why=why, connected=True)
