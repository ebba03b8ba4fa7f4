"""``kind = "stow"``, ``"webhook"`` and ``"command"`` → the settings of their destinations.

The HTTP client is imported when a destination needs it: it costs a node without one nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from waystation.app.settings_destination import DestinationSettings
from waystation.app.settings_ways import (
    CommandDestination,
    HttpDestination,
    StowDestination,
    WebhookDestination,
)
from waystation.app.wiring_tls import call_tls, secret
from waystation.destinations.base import Destination
from waystation.model.errors import ConfigError

if TYPE_CHECKING:
    from waystation.net.credentials import Identity
    from waystation.net.http import HttpSettings

HOOKS = "hooks"


def stow_destination(name: str, table: DestinationSettings, _own_title: str) -> Destination:
    """Return the way out that a table of kind stow describes."""
    from waystation.destinations.stow import StowDestination as Stow
    from waystation.destinations.stow import StowSettings

    assert isinstance(table, StowDestination)
    return Stow(
        name,
        StowSettings(
            url=table.url,
            http=http_settings(name, table),
            identity=identity(name, table),
            max_objects=table.max_per_request,
            max_bytes=table.max_request,
            probe=table.probe,
            trust_status=table.trust_status,
            retry_on_warning=table.retry_on_warning,
        ),
    )


def webhook_destination(name: str, table: DestinationSettings, _own_title: str) -> Destination:
    """Return the way out that a table of kind webhook describes."""
    from waystation.destinations.webhook import WebhookDestination as Webhook
    from waystation.destinations.webhook import WebhookSettings, key_of

    assert isinstance(table, WebhookDestination)
    try:
        key = key_of(secret(table.secret))
    except ValueError as error:
        where = f"destination.{name}.secret"
        raise ConfigError(where, "what follows whsec_ is no base64") from error
    return Webhook(
        name,
        WebhookSettings(
            url=table.url,
            http=http_settings(name, table),
            identity=identity(name, table),
            key=key,
            fields=table.fields,
            max_objects=table.max_per_event,
        ),
    )


def command_destination(name: str, table: CommandDestination, data: Path) -> Destination:
    """Return the way out that a table of kind command describes.  data: the node's folder."""
    from waystation.destinations.command import CommandDestination as Command
    from waystation.destinations.command import CommandSettings

    secrets = {key: secret(source) for key, source in table.secret_environment.items()}
    return Command(
        name,
        CommandSettings(
            command=table.command,
            work=data / HOOKS,
            timeout_s=table.timeout,
            environment=tuple((table.environment | secrets).items()),
            show_output=table.show_output,
        ),
    )


def http_settings(name: str, table: HttpDestination) -> HttpSettings:
    """Return how to call the server of a destination."""
    from waystation.net.http import HttpSettings, HttpWaits

    waits = table.timeouts
    where = f"destination.{name}.secret_headers"
    secrets = {
        key: _in_header(f"{where}.{key}", secret(source))
        for key, source in table.secret_headers.items()
    }
    return HttpSettings(
        waits=HttpWaits(
            connect_s=waits.connect, progress_s=waits.progress, response_s=waits.response
        ),
        tls=call_tls(table.tls),
        headers=tuple((table.headers | secrets).items()),
        proxy=table.proxy or "",
    )


def identity(name: str, table: HttpDestination) -> Identity:
    """Return who we are to the server of a destination."""
    from waystation.net.credentials import Basic, Bearer, Fetched
    from waystation.net.http import HttpSettings

    auth = table.auth
    if auth is None:
        return None
    if auth.user is not None:
        return Basic(user=auth.user, password=secret(auth.password))
    if auth.token is not None:
        return Bearer(token=_in_header(f"destination.{name}.auth.token", secret(auth.token)))
    assert auth.token_url is not None
    assert auth.client_id is not None
    return Fetched(
        token_url=auth.token_url,
        client_id=auth.client_id,
        client_secret=secret(auth.client_secret),
        scope=auth.scope,
        # The token server is another machine; only the way out of the house is the same.
        http=HttpSettings(proxy=table.proxy or ""),
    )


def _in_header(where: str, value: str) -> str:
    """Return a secret that a header can carry."""
    if not value.isascii() or not value.isprintable():
        raise ConfigError(where, "the secret is not printable ASCII, so no header can carry it")
    return value
