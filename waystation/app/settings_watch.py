"""Who hears of trouble, and reports: ``[alert]`` and ``[report.NAME]`` (R-80 to R-82)."""

import re
from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from waystation.app.settings_base import (
    Flag,
    Name,
    Names,
    PathText,
    Port,
    SecretSource,
    Table,
    complaint,
)
from waystation.app.settings_dicom import Wait
from waystation.app.settings_ways import _address
from waystation.timing.report_times import read_report_times

MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
RECIPIENT = 'expected a mail address, or the address of a webhook like "https://chat.example/hook"'


def is_webhook(text: str) -> bool:
    """Return whether a recipient is a webhook and not a mailbox."""
    return text.startswith(("http://", "https://"))


def _mailbox(text: str) -> str:
    if not MAILBOX.fullmatch(text):
        raise complaint('expected a mail address, like "radiology-it@hospital.example"')
    return text


def _recipients(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        if is_webhook(entry):
            _address(entry)
        elif not MAILBOX.fullmatch(entry):
            raise complaint(RECIPIENT)
    return tuple(dict.fromkeys(entries))


def _times(text: str) -> str:
    try:
        return read_report_times(text, UTC).text
    except ValueError as error:
        raise complaint(str(error)) from None


Recipients = Annotated[Names, AfterValidator(_recipients)]


class MailTable(Table):
    """The mail server that messages are handed to."""

    host: Name = Field(description="Host name or address")
    port: Port | None = Field(
        default=None, description='Its port; default is 587, or 465 with tls = "tls", or 25'
    )
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls: required on a plain connection; tls: from the first byte; "
        "none: plain text, which is unsafe",
    )
    ca: PathText | None = Field(
        default=None, description="Authorities that vouch for the server; default: the system's"
    )
    sender: Annotated[str, AfterValidator(_mailbox)] = Field(
        alias="from", description="Address that the messages come from"
    )
    user: Name | None = Field(default=None, description="User name, where it wants one")
    password: SecretSource | None = Field(default=None, description="Its password")


class HookTable(Table):
    """How webhooks are called."""

    secret: SecretSource | None = Field(
        default=None, description="Key that signs the messages (HMAC-SHA-256)"
    )
    ca: PathText | None = Field(
        default=None, description="Authorities that vouch for the servers; default: the system's"
    )


class AlertSettings(Table):
    """Who hears when something is wrong, once when it starts and once when it is over."""

    to: Recipients = Field(
        default=(), description="Mail addresses and addresses of webhooks; empty: only the log"
    )
    mail: MailTable | None = Field(default=None, description="The mail server, also of reports")
    webhook: HookTable = Field(
        default_factory=HookTable, description="How webhooks are called, also those of reports"
    )
    waiting_over: Wait = Field(
        default=600.0,
        description="A delivery that may leave has waited so long; a destination may have its own",
    )
    down_after: Wait = Field(
        default=120.0, description="A destination is down for so long; a blocked one counts at once"
    )
    clear_after: Wait = Field(
        default=300.0, description="It is over once all has been well for so long"
    )
    remind: Wait | None = Field(
        default=None, description="Tell again after so long, while it lasts; absent: never"
    )


class ReportTable(Table):
    """What happened since the last report, sent at its times."""

    at: Annotated[str, AfterValidator(_times)] = Field(
        description='Days and time: "07:00", "Mon-Fri 07:00", "weekly 07:00" (Mondays), '
        '"monthly 07:00" (the 1st), "monthly 15 07:00"'
    )
    zone: Name | None = Field(
        default=None, description="IANA name of the time zone; default is the host's"
    )
    to: Recipients = Field(
        default=(), description="Mail addresses and addresses of webhooks; default is alert.to"
    )
    covers: Names = Field(
        default=(), description="Destinations, groups and peers that it tells of; empty means all"
    )
    names: Flag = Field(
        default=False,
        description="True: it also lists studies with Patient ID and name; its readers must be "
        "allowed to know them",
    )
