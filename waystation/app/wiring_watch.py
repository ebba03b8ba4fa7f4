"""``[alert]``, ``[report.NAME]`` and ``[log]`` → what watching, reports and the event log go by."""

from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from waystation.app.logs import LEVELS
from waystation.app.settings import Settings
from waystation.app.settings_watch import MailTable, is_webhook
from waystation.app.wiring_schedule import Windows
from waystation.app.wiring_tls import secret, text
from waystation.app.zones import zone_named
from waystation.flows.conditions import Limits
from waystation.flows.eventlog import EventSettings
from waystation.flows.messages import Audience, Teller
from waystation.flows.outbox import Ways
from waystation.flows.report import Cast, ReportSettings
from waystation.model.errors import ConfigError
from waystation.model.peer import TlsFiles
from waystation.timing.incident import Patience
from waystation.timing.report_times import read_report_times

if TYPE_CHECKING:
    from waystation.net.mail import MailServer

PORTS = {"starttls": 587, "tls": 465, "none": 25}


def audience(recipients: Iterable[str]) -> Audience:
    """Return who is meant by a list of mail addresses and webhooks."""
    everybody = tuple(recipients)
    return Audience(
        mail=tuple(each for each in everybody if not is_webhook(each)),
        webhooks=tuple(each for each in everybody if is_webhook(each)),
    )


def ways(settings: Settings) -> Ways:
    """Return how messages leave.  Raises `ConfigError` if a secret cannot be used."""
    table = settings.alert
    try:
        mail = None if table.mail is None else _mail(table.mail)
        key = _key(secret(table.webhook.secret))
    except (OSError, LookupError) as error:
        raise ConfigError("alert", f"secret not usable: {error}") from error
    return Ways(mail=mail, key=key, hook_ca=text(table.webhook.ca))


def _mail(table: MailTable) -> "MailServer":
    from waystation.net.mail import MailServer

    return MailServer(
        host=table.host,
        port=table.port or PORTS[table.tls],
        sender=table.sender,
        tls=table.tls,
        files=TlsFiles(ca=text(table.ca)),
        user=table.user or "",
        password=secret(table.password),
    )


def _key(shown: str) -> bytes:
    if not shown:
        return b""
    from waystation.destinations.webhook import key_of

    try:
        return key_of(shown)
    except ValueError as error:
        raise ConfigError("alert.webhook.secret", "what follows whsec_ is no base64") from error


def patience(settings: Settings) -> Patience:
    """Return when to tell, and when it is over."""
    table = settings.alert
    return Patience(clear_after_s=table.clear_after, remind_s=table.remind or 0.0)


def limits(settings: Settings) -> Limits:
    """Return what counts as wrong."""
    table = settings.alert
    own = {name: each.waiting_over for name, each in settings.destination.items()}
    silent = {name: each.silent_after for name, each in settings.peer.items()}
    return Limits(
        waiting_over_s=table.waiting_over,
        down_after_s=table.down_after,
        waiting_over={name: seconds for name, seconds in own.items() if seconds is not None},
        silent_after={name: seconds for name, seconds in silent.items() if seconds is not None},
        optional=_optional(settings),
    )


def _optional(settings: Settings) -> frozenset[str]:
    """Return the destinations that are optional wherever a rule or a group names them."""
    ways = [way for rule in settings.rule for way in rule.send]
    needed = {way.to for way in ways if way.required}
    needed |= {member.to for group in settings.group.values() for member in group.members}
    return frozenset(way.to for way in ways if not way.required) - needed


def teller(settings: Settings, windows: Windows) -> Teller:
    """Return who tells whom."""
    zone: tzinfo = windows.local or UTC
    return Teller(node=settings.node.name, zone=zone, audience=audience(settings.alert.to))


def reports(settings: Settings, windows: Windows) -> list[ReportSettings]:
    """Return the reports."""
    found = []
    for name, table in settings.report.items():
        zone = zone_named(table.zone) if table.zone else windows.local
        found.append(
            ReportSettings(
                name=name,
                times=read_report_times(table.at, zone or UTC),
                audience=audience(table.to or settings.alert.to),
                zone=zone or UTC,
                covers=frozenset(table.covers),
                names=table.names,
            )
        )
    return found


def cast(settings: Settings) -> Cast:
    """Return of whom there is to tell."""
    return Cast(
        node=settings.node.name,
        destinations=[*settings.destination, *settings.group],
        peers=list(settings.peer),
    )


def events(settings: Settings, level: int, form: str, key: bytes) -> EventSettings:
    """Return what the event log shows.  level: where nothing else is said."""
    return EventSettings(
        level=level,
        by_destination=_levels({name: each.log for name, each in settings.destination.items()}),
        by_peer=_levels({name: each.log for name, each in settings.peer.items()}),
        json=form == "json",
        key=None if settings.log.identifiers == "plain" else key,
        kinds={name: kind_of(each) for name, each in settings.destination.items()},
    )


def kind_of(table: object) -> str:
    """Return the kind of a destination, as the file names it."""
    return str(getattr(table, "kind", ""))


def _levels(words: Mapping[str, str | None]) -> dict[str, int]:
    return {name: LEVELS[word] for name, word in words.items() if word is not None}
