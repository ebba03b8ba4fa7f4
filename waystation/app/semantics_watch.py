"""Alerts and reports that could reach nobody, or that somebody else could read.

Contract: yields problems and warnings; looks whether files and secrets are there and connects to
nothing.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.places import secret_problems, tls_problems
from waystation.app.settings_base import is_loopback
from waystation.app.settings_watch import AlertSettings, MailTable, ReportTable, is_webhook
from waystation.app.zones import UnknownZoneError, zone_named

PLAIN = "goes over the network in plain text; write https"


def watching(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with ``[alert]`` and the reports."""
    alert = parts.single.get("alert")
    if not isinstance(alert, AlertSettings):
        return
    at: Path = ("alert",)
    yield from _recipients(alert, alert.to, (*at, "to"))
    if alert.mail is not None:
        yield from _mail(alert.mail, (*at, "mail"), environ)
    if alert.webhook.secret is not None:
        yield from secret_problems(alert.webhook.secret, (*at, "webhook", "secret"), environ)
    yield from tls_problems(alert.webhook, (*at, "webhook"), environ)
    for name, table in parts.named.get("report", {}).items():
        if isinstance(table, ReportTable):
            yield from _report(parts, alert, table, ("report", name))


def _recipients(alert: AlertSettings, names: tuple[str, ...], at: Path) -> Iterator[Problem]:
    for place, name in enumerate(names):
        if not is_webhook(name):
            if alert.mail is None:
                text = "needs a mail server: write host and from under [alert.mail]"
                yield Problem(path=(*at, place), text=text)
        elif name.startswith("http:") and not is_loopback(urlsplit(name).hostname or ""):
            yield Problem(path=(*at, place), text=PLAIN, warning=True)


def _mail(mail: MailTable, at: Path, environ: Mapping[str, str]) -> Iterator[Problem]:
    yield from tls_problems(mail, at, environ)
    if mail.password is not None:
        yield from secret_problems(mail.password, (*at, "password"), environ)
    if (mail.user is None) is not (mail.password is None):
        missing = "password" if mail.password is None else "user"
        yield Problem(path=(*at, missing), text="is missing: user and password go together")
    if mail.tls == "none" and mail.user is not None:
        text = 'the password goes over the network in plain text; write "starttls"'
        yield Problem(path=(*at, "tls"), text=text, warning=True)


def _report(parts: Parts, alert: AlertSettings, table: ReportTable, at: Path) -> Iterator[Problem]:
    if not table.to and not alert.to:
        yield Problem(path=(*at, "to"), text="is missing: who is to get it?")
    yield from _recipients(alert, table.to, (*at, "to"))
    if table.zone is not None:
        try:
            if zone_named(table.zone) is None:
                text = "its data are missing on this machine: UTC is used"
                yield Problem(path=(*at, "zone"), text=text, warning=True)
        except UnknownZoneError as error:
            yield Problem(path=(*at, "zone"), text=str(error))
    known = {*parts.destinations, *parts.peers, *parts.named.get("group", {})}
    for place, name in enumerate(table.covers):
        if name not in known:
            near = closest(name, known)
            text = f'no destination, group or peer "{name}"{near}'
            yield Problem(path=(*at, "covers", place), text=text)
