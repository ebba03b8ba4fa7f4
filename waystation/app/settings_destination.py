"""The ways out: ``[destination.NAME]``, one model for each kind."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from waystation.app.quantities import Duration
from waystation.app.settings_base import (
    AETitle,
    Count,
    Flag,
    Host,
    LogLevel,
    Names,
    PathText,
    Port,
    Table,
    _ae_title,
    _as_tuple,
    complaint,
)
from waystation.app.settings_call import CallTls as CallTls
from waystation.app.settings_dicom import PduSize, Wait
from waystation.app.settings_pace import LimitSettings
from waystation.app.settings_schedule import WindowText
from waystation.app.settings_when import RefuseWhen
from waystation.destinations.contexts import POLICIES
from waystation.destinations.naming import DEFAULT_TEMPLATE, read_template


def _calling_ae(text: str) -> str:
    if text in {"own", "passthrough"}:
        return text
    if text.startswith("fixed:"):
        return f"fixed:{_ae_title(text.removeprefix('fixed:'))}"
    raise complaint('expected "own", "passthrough" or "fixed:NAME"')


def _transcode(text: str) -> str:
    if text not in POLICIES:
        raise complaint(f"expected one of {', '.join(POLICIES)}")
    return text


def _template(text: str) -> str:
    try:
        read_template(text)
    except ValueError as error:
        raise complaint(str(error)) from None
    return text


Template = Annotated[str, AfterValidator(_template)]
Waits = Annotated[tuple[Wait, ...], Field(min_length=1), BeforeValidator(_as_tuple)]


VERIFY_AFTER = (
    "Time it has to confirm; what it did not confirm by then is sent again, once, and then held"
)


class RetrySettings(Table):
    """When to try again."""

    first: Wait = Field(default=30.0, description="Pause after the first failure; then doubling")
    cap: Wait = Field(default=3600.0, description="No pause is longer")
    lifetime: Wait = Field(
        default=7 * 86_400.0, description="From the first failed attempt until held as expired"
    )
    tries: Count = Field(default=5, description="Failures charged to one object until it is held")
    object: Waits = Field(
        default=(60.0, 300.0, 1800.0, 7200.0),
        description="Pauses after failures of one object; the last one repeats",
    )


class CallTimeouts(Table):
    """How long we wait for a destination."""

    connect: Wait = Field(default=10.0, description="For the TCP connection and TLS")
    associate: Wait = Field(default=30.0, description="For the answer to A-ASSOCIATE-RQ")
    response: Wait = Field(default=60.0, description="For a response, without progress")
    release: Wait = Field(default=5.0, description="For the end of an association")


class DestinationSettings(Table):
    """What all kinds have in common."""

    accept: Names = Field(default=(), description="SOP classes sent there; empty means all")
    refuse: Names = Field(default=(), description="SOP classes never sent there")
    refuse_when: RefuseWhen = Field(
        default=None, description="Conditions, as of a rule, of objects that are never sent there"
    )
    window: WindowText = Field(
        default="always",
        description="When it may be sent to: a schedule, or the name of a [schedule.NAME]",
    )
    closing: Literal["object", "finish-study"] = Field(
        default="object", description="What still goes when the window shuts"
    )
    stat_waits: Flag = Field(
        default=False, description="Whether stat waits for the window like everything else"
    )
    send_anyway_after: Wait | None = Field(
        default=None, description="What has waited so long goes whatever the window"
    )
    probe_outside_window: Flag = Field(
        default=False, description="Whether it is asked while shut if it answers again"
    )
    parallel: Count = Field(default=2, description="Studies sent side by side")
    split_study: Flag = Field(
        default=False,
        description="Whether associations share a study, which gives up its order for speed",
    )
    limits: LimitSettings | None = Field(
        default=None, description="Most bytes per second and objects per minute"
    )
    only_deidentified: Flag = Field(
        default=False,
        description="Nothing is sent but what a rule with deidentify made here; whatever else "
        "comes to it is held, also by a replay or a release",
    )
    optional_for: Wait = Field(
        default=86_400.0, description='Life of deliveries with "required" = false'
    )
    waiting_over: Wait | None = Field(
        default=None,
        description="Alert when a delivery that may leave has waited so long; default 10 minutes",
    )
    log: LogLevel | None = Field(
        default=None, description="Least severity of lines about deliveries; default is log.level"
    )
    retry: RetrySettings = Field(default_factory=RetrySettings, description="When to try again")


class DicomDestination(DestinationSettings):
    """Another application entity, sent to by C-STORE."""

    kind: Literal["dicom"] = Field(description="Kind of destination")
    host: Host = Field(description="Host name or address")
    port: Port = Field(default=104, description="Its port")
    ae_title: AETitle = Field(description="Its AE title")
    calling_ae: Annotated[str, AfterValidator(_calling_ae)] = Field(
        default="own",
        description="Title we call with: own, passthrough (the sender's), or fixed:NAME",
    )
    linger: Duration = Field(
        default=5.0, description="How long an idle association stays open; at most four do"
    )
    max_per_association: Count = Field(default=1000, description="Objects per association")
    reuse: Literal["study", "series", "any"] = Field(
        default="study", description="What one association may carry"
    )
    timeouts: CallTimeouts = Field(
        default_factory=CallTimeouts, description="How long we wait for it"
    )
    retry_on_warning: Flag = Field(
        default=False, description="Whether a warning status counts as a failure of the object"
    )
    transcode: Annotated[str, AfterValidator(_transcode)] = Field(
        default="uncompressed",
        description="Fallback if it refuses the stored syntax: never, uncompressed (another "
        "uncompressed one), decompress, or lossless (compress without loss too)",
    )
    verify: Literal["commitment", "query"] | None = Field(
        default=None,
        description="How it is asked, once something was delivered, whether it has it: by storage "
        "commitment, or by C-FIND; default is not at all",
    )
    verify_after: Wait = Field(default=3600.0, description=VERIFY_AFTER)
    commit_by: Flag = Field(
        default=False,
        description='Whether its own promise (verify = "commitment") is enough for us to promise '
        "the same to a sender that asks for storage commitment",
    )
    max_pdu: PduSize = Field(default=128 * 2**10, description="Largest P-DATA-TF we send")
    tls: CallTls | None = Field(default=None, description="Call with TLS")


class FolderDestination(DestinationSettings):
    """A folder that finished files appear in."""

    kind: Literal["folder"] = Field(description="Kind of destination")
    path: PathText = Field(
        description="The folder; counts from the file's folder. While it is missing, as an "
        "unmounted share is, nothing is sent"
    )
    create: Flag = Field(
        default=False, description="Whether it is made when the configuration is loaded"
    )
    name: Template = Field(
        default=DEFAULT_TEMPLATE,
        description="Template of the file name; fields in braces, values are sanitised",
    )
