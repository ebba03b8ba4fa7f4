"""``[worklist]`` → what is shown under which called AE title, and what the gate must know."""

from waystation.app.settings import Settings
from waystation.app.settings_archive import key_of
from waystation.app.settings_worklist import WorklistArea, WorklistIds
from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.dicom.uids import MODALITY_WORKLIST_FIND, MPPS
from waystation.flows.find import Manner
from waystation.flows.worklist import SUPPORTED, Area
from waystation.index.step_search import Scope
from waystation.matching.entry_ids import IdForms
from waystation.model.query import Key

WORKLIST_RIGHTS = frozenset({"echo", "mpps", "worklist"})


def worklist_served(settings: Settings) -> dict[str, bytes]:
    """Return the classes of the worklist, with what we support of their negotiation."""
    return {MODALITY_WORKLIST_FIND: SUPPORTED, MPPS: b""} if settings.worklist.enabled else {}


def worklist_doors(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the called AE titles of areas, each with the peers that may come."""
    if not settings.worklist.enabled:
        return {}
    areas = settings.worklist.area.values()
    own = {settings.dicom.ae_title, *settings.dicom.aliases}
    return {
        title: tuple(area.peers) for area in areas for title in area.ae_title if title not in own
    }


def area_of(settings: Settings, called_ae: str, peer: str = "") -> Area | None:
    """Return what a called AE title shows to a peer, None if nothing (T-50)."""
    table = settings.worklist
    for name, area in table.area.items():
        if called_ae in area.ae_title:
            return None if area.peers and peer not in area.peers else _area(settings, name, peer)
    if table.area and table.unknown_area == "reject":
        return None
    return _area(settings, "", peer)


def named_area(settings: Settings, name: str, peer: str = "") -> Area | None:
    """Return an area by its name; "" is what is shown without areas."""
    if name and name not in settings.worklist.area:
        return None
    return _area(settings, name, peer)


def _area(settings: Settings, name: str, peer: str) -> Area:
    table, caller = settings.worklist, settings.peer.get(peer)
    area = table.area.get(name)
    own = area.serve_incomplete if area else None
    charset = (caller and caller.answer_charset) or (area and area.answer_charset)
    return Area(
        name=name,
        scope=Scope(
            area=name if area else None,
            when=_keys(area),
            incomplete=table.serve_incomplete if own is None else own,
        ),
        manner=Manner(
            fuzzy=bool((caller and caller.fuzzy) or (area and area.fuzzy)),
            strict=table.identifiers == "strict",
            forgiving=caller is not None and caller.bad_values == "no-match",
            charset=charset or table.answer_charset,
            transliterate=table.transliterate,
            guesses=caller.charset_guess if caller else DEFAULT_GUESSES,
        ),
    )


def _keys(area: WorklistArea | None) -> tuple[Key, ...]:
    when = area.when if area and area.when else {}
    return tuple(key_of(word, asked) for word, asked in when.items())


def id_forms(settings: Settings, name: str) -> IdForms:
    """Return how ids are written in an area."""
    area = settings.worklist.area.get(name)
    table: WorklistIds = (area and area.ids) or settings.worklist.ids
    return IdForms(accession=table.accession, procedure=table.procedure, step=table.step)


def splits(settings: Settings, name: str) -> bool:
    """Tell whether a file with several steps becomes several at once, in an area."""
    area = settings.worklist.area.get(name)
    own = area.split_steps if area else None
    return settings.worklist.split_steps if own is None else own
