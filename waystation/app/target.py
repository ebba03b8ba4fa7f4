"""Whom a command talks to: ``AET@host:port``, or the name of a destination in the configuration.

Contract: raises `ConfigError` naming the word that cannot be understood; connects to nobody.
"""

from waystation.app import wiring
from waystation.app.settings import Settings
from waystation.app.settings_destination import DicomDestination
from waystation.model.errors import ConfigError
from waystation.model.peer import Remote
from waystation.wire.names import is_ae_title

HOW = "expected AET@host:port or the name of a destination of kind dicom"


def read_target(text: str, settings: Settings, calling_ae: str) -> Remote:
    """Return the application entity that ``text`` names."""
    if "@" not in text:
        table = settings.destination.get(text)
        if not isinstance(table, DicomDestination):
            raise ConfigError(text, HOW)
        return wiring.remote(text, table, calling_ae)
    title, _, place = text.rpartition("@")
    host, _, port = place.rpartition(":")
    if not is_ae_title(title) or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(text, HOW)
    return Remote(
        name=text,
        ae_title=title,
        host=host.strip("[]"),
        port=int(port),
        calling_ae=calling_ae,
    )
