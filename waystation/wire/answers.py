"""What the world hears when something fails: rows E1 to E15 of the reliability spec, as data.

Contract: one row per case.  Belts and web pages take their answer from here and so do the tests
and the tables of the conformance statement (PS3.2 N.7-8, N.7-9, N.7-42, N.7-43); no other place
decides which number a failure gets.  No row holds a success.
"""

from dataclasses import dataclass

from waystation.wire.items import ABSTRACT_SYNTAX_REFUSED, TRANSFER_SYNTAXES_REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One failure and its answers; what does not apply is None or empty.

    status: of the DIMSE response.  reject: A-ASSOCIATE-RJ result, source, reason.
    abort: A-ABORT source, reason.  context_result: of one presentation context.
    http: the possible HTTP statuses.  stow: Failure Reason (0008,1197) of the instance.
    retry_after: HTTP answers carry Retry-After.
    """

    row: str
    case: str
    status: int | None = None
    reject: tuple[int, int, int] | None = None
    abort: tuple[int, int] | None = None
    context_result: int | None = None
    http: tuple[int, ...] = ()
    stow: int | None = None
    retry_after: bool = False


_FULL = (2, 3, 2)

ANSWERS: dict[str, Answer] = {
    "volume-full": Answer(
        row="E1",
        case="volume over its mark, quota, inodes",
        reject=_FULL,
        status=0xA700,
        http=(503,),
        stow=0xA700,
        retry_after=True,
    ),
    "storage-failed": Answer(
        row="E2",
        case="no space, quota, I/O error, failed sync, rename or read-back",
        status=0xA700,
        http=(503,),
        stow=0xA700,
    ),
    "journal-failed": Answer(
        row="E3",
        case="journal locked, full or lost",
        status=0xA700,
        http=(503,),
        stow=0xA700,
    ),
    "unforeseen": Answer(
        row="E3",
        case="unforeseen exception",
        status=0x0110,
        http=(503,),
        stow=0x0110,
    ),
    "draining": Answer(row="E4", case="starting or draining", reject=_FULL, http=(503,)),
    "grace-over": Answer(row="E4", case="end of grace while draining", abort=(0, 0), http=(503,)),
    "too-many": Answer(
        row="E5", case="association, socket or rate limit", reject=_FULL, http=(429, 503)
    ),
    "mismatch": Answer(
        row="E6",
        case="command, context and data set disagree on UIDs or class",
        status=0xA900,
        http=(409,),
        stow=0xA900,
    ),
    "malformed": Answer(
        row="E7",
        case="cut, malformed, required UID missing, data set limit",
        status=0xC000,
        http=(409,),
        stow=0xC000,
    ),
    "validation": Answer(
        row="E8", case="validation rejects", status=0xC001, http=(409,), stow=0xC001
    ),
    "not-authorised": Answer(
        row="E9",
        case="object filter, missing right, refused by routing",
        status=0x0124,
        http=(403,),
        stow=0x0124,
    ),
    "class-not-served": Answer(
        row="E10",
        case="class not served",
        status=0x0122,
        context_result=ABSTRACT_SYNTAX_REFUSED,
        http=(409,),
        stow=0x0122,
    ),
    "syntax-not-accepted": Answer(
        row="E10", case="STOW syntax not accepted", http=(409,), stow=0xC122
    ),
    "conflict": Answer(
        row="E11",
        case="same UID, other bytes, policy refuse",
        status=0xA900,
        http=(409,),
        stow=0xA900,
    ),
    "message-id-in-use": Answer(row="E12", case="message id in use", status=0x0210),
    "unknown-command": Answer(row="E12", case="unknown command", status=0x0211),
    "malformed-field": Answer(row="E12", case="malformed field of a command", status=0x0212),
    "called-title": Answer(
        row="E13", case="called AE title refused", reject=(1, 1, 7), http=(401, 403)
    ),
    "caller": Answer(
        row="E13",
        case="calling AE title, address or certificate refused",
        reject=(1, 1, 3),
        http=(401, 403),
    ),
    "identity": Answer(row="E13", case="user identity refused", reject=(1, 1, 1), http=(401, 403)),
    "application-context": Answer(
        row="E14", case="application context not supported", reject=(1, 1, 2), http=(415,)
    ),
    "protocol-version": Answer(
        row="E14", case="protocol version not supported", reject=(1, 2, 2), http=(415,)
    ),
    "abstract-syntax": Answer(
        row="E14",
        case="abstract syntax not supported",
        context_result=ABSTRACT_SYNTAX_REFUSED,
        http=(415,),
    ),
    "transfer-syntax": Answer(
        row="E14",
        case="transfer syntaxes not supported",
        context_result=TRANSFER_SYNTAXES_REFUSED,
        http=(415,),
    ),
    "pdu-unknown": Answer(row="E15", case="PDU unknown", abort=(2, 1), http=(400,)),
    "pdu-unexpected": Answer(row="E15", case="PDU out of sequence", abort=(2, 2), http=(400,)),
    "pdu-invalid": Answer(
        row="E15", case="PDU with bad length or parameter", abort=(2, 6), http=(400,)
    ),
}
