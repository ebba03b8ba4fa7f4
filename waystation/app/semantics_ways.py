"""What files, secrets and neighbouring keys say about destinations over HTTP, and about hooks.

Contract: a missing secret or certificate is a fault with its line; a program that may not be run
and what is merely unsafe are warnings.  Nothing is connected to and nothing is run.
"""

from collections.abc import Iterator, Mapping

from waystation.app.faults import Problem
from waystation.app.lines import Path as KeyPath
from waystation.app.parts import Parts
from waystation.app.places import secret_problems, tls_problems
from waystation.app.settings_base import Secret
from waystation.app.settings_destination import DestinationSettings
from waystation.app.settings_ways import (
    CommandDestination,
    HttpDestination,
    WebhookDestination,
)

AUTH_SECRETS = ("password", "token", "client_secret")


def ways(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with destinations of kind stow, webhook and command."""
    for name, table in parts.destinations.items():
        at: KeyPath = ("destination", name)
        for place, secret in _secrets(table, at):
            yield from secret_problems(secret, place, environ)
        if isinstance(table, HttpDestination):
            yield from _http(table, at, environ)
        elif isinstance(table, CommandDestination):
            yield from _program(table.command[0], (*at, "command"))


def _secrets(table: DestinationSettings | None, at: KeyPath) -> Iterator[tuple[KeyPath, Secret]]:
    if isinstance(table, WebhookDestination) and table.secret is not None:
        yield (*at, "secret"), table.secret
    if isinstance(table, HttpDestination):
        for name, secret in table.secret_headers.items():
            yield (*at, "secret_headers", name), secret
        for key in AUTH_SECRETS:
            found = getattr(table.auth, key, None)
            if isinstance(found, Secret):
                yield (*at, "auth", key), found
    elif isinstance(table, CommandDestination):
        for name, secret in table.secret_environment.items():
            yield (*at, "secret_environment", name), secret


def _http(table: HttpDestination, at: KeyPath, environ: Mapping[str, str]) -> Iterator[Problem]:
    url = str(getattr(table, "url", ""))
    encrypted = url.startswith("https:")
    if table.tls is not None:
        yield from tls_problems(table.tls, (*at, "tls"), environ)
        if not encrypted:
            yield Problem(path=(*at, "tls"), text='has no effect: the address begins with "http:"')
        if not table.tls.verify:
            text = "anybody can pose as this destination"
            yield Problem(path=(*at, "tls", "verify"), text=text, warning=True)
        if table.tls.server_name and table.proxy:
            text = "cannot be checked through a proxy; write the name in the address"
            yield Problem(path=(*at, "tls", "server_name"), text=text)
    if (table.auth is not None or table.secret_headers) and not encrypted:
        text = "credentials go over the network in plain text; write https"
        yield Problem(path=(*at, "url"), text=text, warning=True)
    fetched = table.auth.token_url if table.auth is not None else None
    if fetched is not None and not fetched.startswith("https:"):
        text = "credentials go over the network in plain text; write https"
        yield Problem(path=(*at, "auth", "token_url"), text=text, warning=True)


def _program(program: str, at: KeyPath) -> Iterator[Problem]:
    from waystation.destinations.command import unfit

    if (problem := unfit(program)) is not None:
        # The lane asks again and waits: a program to come must not stop the whole node.
        yield Problem(path=at, text=problem.why, warning=True)
