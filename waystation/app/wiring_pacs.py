"""Settings → how each PACS is called."""

from waystation.app.settings import Settings
from waystation.app.settings_pacs import PacsService, PacsSettings
from waystation.app.wiring_tls import call_tls
from waystation.model.peer import Remote
from waystation.model.upstream import UpstreamTerms


def upstream_terms(settings: Settings) -> dict[str, UpstreamTerms]:
    """Return how every PACS is called, by name.  Raises KeyError or OSError for its secrets."""
    return {name: terms_of(name, table, settings) for name, table in settings.pacs.items()}


def terms_of(name: str, table: PacsSettings, settings: Settings) -> UpstreamTerms:
    """Return how one PACS is called."""
    own = settings.dicom.ae_title
    waits, retry, calls = table.timeouts, table.retry, table.associations
    move = service(name, table, "move", own)
    return UpstreamTerms(
        name=name,
        find=service(name, table, "find", own),
        move=move,
        get=service(name, table, "get", own),
        tells_to=table.move_destination or own,
        senders=table.senders if isinstance(table.senders, tuple) else (),
        any_sender=table.senders == "any",
        retrieve=table.retrieve,
        fetch_level=table.fetch_level,
        federate=table.federate,
        priority=table.priority,
        charset=table.charset,
        find_most=1 if "sequential" in table.quirks else calls.find,
        retrieve_most=1 if "sequential" in table.quirks else calls.retrieve,
        idle_s=calls.idle,
        connect_s=waits.connect,
        associate_s=waits.associate,
        find_s=waits.find,
        retrieve_s=waits.retrieve,
        quiet_s=waits.quiet,
        attempts=retry.attempts,
        first_s=retry.first,
        ceiling_s=retry.ceiling,
        find_max=table.find_max,
        revalidate_s=table.revalidate,
        keep=table.keep,
        quirks=frozenset(table.quirks),
    )


def service(name: str, table: PacsSettings, word: str, own_title: str) -> Remote:
    """Return who serves ``find``, ``move`` or ``get`` of a PACS; ``get`` is like ``move``."""
    own: PacsService = getattr(table, word)
    like = table.move if word == "get" else PacsService()
    title = own.ae_title or like.ae_title or table.ae_title
    host = own.host or like.host or table.host
    assert title is not None
    assert host is not None
    return Remote(
        name=name,
        ae_title=title,
        host=host,
        port=own.port or like.port or table.port,
        calling_ae=own.calling_ae or like.calling_ae or table.calling_ae or own_title,
        tls=call_tls(table.tls),
    )
