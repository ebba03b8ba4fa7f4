"""``verify`` of the destinations → how each is asked whether it has what it got (R-60)."""

from collections.abc import Callable, Mapping, Sequence

from waystation.app.settings import Settings
from waystation.app.settings_destination import DestinationSettings, DicomDestination
from waystation.app.settings_ways import StowDestination
from waystation.app.wiring_tls import call_tls
from waystation.flows.verify import Terms
from waystation.flows.verifying import CommitmentAsk, FindAsk
from waystation.model.peer import Remote
from waystation.net.client import Waits

FIXED = "fixed:"


class Verifiers:
    """The terms of the configuration in force; made anew when that is another."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._of: Settings | None = None
        self._terms: dict[str, Terms] = {}

    def terms(self) -> Mapping[str, Terms]:
        """Return the terms of the destinations that have to confirm, by name."""
        settings = self._settings()
        if settings is not self._of:
            self._of = settings
            own_title = settings.dicom.ae_title
            made = {
                name: _terms(name, table, own_title) for name, table in settings.destination.items()
            }
            self._terms = {name: terms for name, terms in made.items() if terms is not None}
        return self._terms

    def covering(self) -> Sequence[str]:
        """Return the destinations whose promise is enough for ours."""
        return covering(self._settings())


def covering(settings: Settings) -> list[str]:
    """Return the names of the destinations with ``commit_by``."""
    return [
        name
        for name, table in settings.destination.items()
        if isinstance(table, DicomDestination) and table.commit_by
    ]


def hears_reports(settings: Settings) -> bool:
    """Return whether some destination reports commitment to us."""
    return any(
        isinstance(table, DicomDestination) and table.verify == "commitment"
        for table in settings.destination.values()
    )


def _terms(name: str, table: DestinationSettings, own_title: str) -> Terms | None:
    if isinstance(table, DicomDestination) and table.verify is not None:
        ask = CommitmentAsk if table.verify == "commitment" else FindAsk
        verifier = ask(_remote(name, table, own_title), _waits(table))
        return Terms(verifier=verifier, after_s=table.verify_after)
    if isinstance(table, StowDestination) and table.verify is not None:
        from waystation.app.wiring_ways import http_settings, identity
        from waystation.flows.verifying_qido import QidoAsk

        qido = QidoAsk(table.url, http_settings(name, table), identity(name, table))
        return Terms(verifier=qido, after_s=table.verify_after)
    return None


def _remote(name: str, table: DicomDestination, own_title: str) -> Remote:
    """Return whom to ask.  A title that is passed through is nobody's to ask with: ours is."""
    calling = table.calling_ae
    fixed = calling.startswith(FIXED)
    return Remote(
        name=name,
        ae_title=table.ae_title,
        host=table.host,
        port=table.port,
        calling_ae=calling.removeprefix(FIXED) if fixed else own_title,
        tls=call_tls(table.tls),
    )


def _waits(table: DicomDestination) -> Waits:
    waits = table.timeouts
    return Waits(
        connect_s=waits.connect,
        associate_s=waits.associate,
        response_s=waits.response,
        release_s=waits.release,
    )
