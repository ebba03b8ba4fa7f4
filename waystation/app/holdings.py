"""Which classes and syntaxes a C-GET has to propose, asked of the peer beforehand.

Contract: SOP Classes in Study says it for a study where the peer knows that key; else each series
is asked for its images.  Where those do not tell their class, the modality of the series narrows
it down; where nothing is known, every class that is common is proposed.  The syntaxes are those
that the peer names as available, else all common ones.
"""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from waystation.app.asking import MODELS, SYNTAXES, Query, QueryRefusedError, ask, open_query
from waystation.app.identifier import LEVEL, Identifier
from waystation.dicom import tags, uids
from waystation.dicom.head import Head
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import QueryCall

UNIQUE = {
    "PATIENT": tags.PATIENT_ID,
    "STUDY": tags.STUDY_INSTANCE_UID,
    "SERIES": tags.SERIES_INSTANCE_UID,
    "IMAGE": tags.SOP_INSTANCE_UID,
}
LEVELS = tuple(UNIQUE)
ASKED = {
    "STUDY": ("SOPClassesInStudy",),
    "SERIES": ("Modality",),
    "IMAGE": ("SOPClassUID", "AvailableTransferSyntaxUID"),
}
COMPRESSED = (
    uids.JPEG_BASELINE,
    uids.JPEG_LOSSLESS_SV1,
    uids.JPEG_2000_LOSSLESS,
    uids.JPEG_2000,
    uids.RLE_LOSSLESS,
    uids.JPEG_LS_LOSSLESS,
    uids.JPEG_EXTENDED,
    uids.JPEG_LOSSLESS,
    uids.JPEG_LS_NEAR,
    uids.HTJ2K_LOSSLESS,
    uids.DEFLATED,
    uids.EXPLICIT_VR_BE,
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.103",
)
# Two contexts for native objects and one for compressed ones each: more do not fit.
COMMON = 42
_STORAGE = uids.ROOT + "5.1.4.1.1."
# What a series of a modality usually holds, as ends of the UIDs.
BY_MODALITY = {
    "CR": "1",
    "CT": "2 2.1",
    "DX": "1.1 1.1.1",
    "MG": "1.2 1.2.1 13.1.3",
    "MR": "4 4.1 4.2",
    "NM": "20",
    "OT": "7 7.1 7.2 7.3 7.4",
    "PT": "128 130",
    "RF": "12.2 12.2.1",
    "RTDOSE": "481.2",
    "RTIMAGE": "481.1",
    "RTPLAN": "481.5 481.8",
    "RTSTRUCT": "481.3",
    "SC": "7 7.1 7.2 7.3 7.4",
    "SEG": "66.4",
    "SR": "88.11 88.22 88.33 88.34 88.67",
    "US": "6.1 3.1",
    "XA": "12.1 12.1.1",
}


@dataclass(slots=True)
class Holdings:
    """SOP classes in the order found, and the syntaxes besides the two little endian ones."""

    classes: list[str] = field(default_factory=list)
    syntaxes: tuple[str, ...] = COMPRESSED


def anything() -> Holdings:
    """Return what is proposed to a peer that cannot be asked: what common modalities make."""
    names = [_STORAGE + end for ends in BY_MODALITY.values() for end in ends.split()]
    return Holdings(classes=list(dict.fromkeys(names))[:COMMON])


async def holdings(
    remote: Remote, model: str, identifiers: Sequence[Identifier], waits: Waits
) -> Holdings:
    """Return what the objects of ``identifiers`` are; raises `UnreachableError`."""
    sop_class = MODELS[model][0]
    try:
        call = await open_query(remote, sop_class, b"", waits)
    except UnreachableError as error:
        if error.layer == "associate" and error.permanent:
            return anything()
        raise
    survey = _Survey(call, model)
    try:
        for identifier in identifiers:
            await survey.look(identifier)
    except (QueryRefusedError, LostError):
        survey.found.clear()
    await call.release()
    if not all(survey.found):
        survey.found = dict.fromkeys(by_modality(survey.modalities))
    if not survey.found:
        return anything()
    known = tuple(syntax for syntax in survey.syntaxes if syntax not in SYNTAXES)
    return Holdings(list(survey.found), known if survey.all_told else COMPRESSED)


def by_modality(modalities: Iterable[str]) -> list[str]:
    """Return the classes that such series usually hold; none if one of them is unknown."""
    found: list[str] = []
    for modality in modalities:
        if modality not in BY_MODALITY:
            return []
        found += [_STORAGE + end for end in BY_MODALITY[modality].split()]
    return list(dict.fromkeys([*found, uids.SECONDARY_CAPTURE_STORAGE])) if found else []


class _Survey:
    """Goes down from the level asked for until the classes are known."""

    def __init__(self, call: QueryCall, model: str) -> None:
        self._call = call
        self._model = model
        self.found: dict[str, None] = {}
        self.syntaxes: dict[str, None] = {}
        self.modalities: dict[str, None] = {}
        self.all_told = True

    async def look(self, identifier: Identifier) -> None:
        """Add what ``identifier`` would retrieve."""
        level = identifier.text(LEVEL)
        keys = {
            tag: identifier.text(tag)
            for name, tag in UNIQUE.items()
            if identifier.text(tag) and LEVELS.index(name) <= LEVELS.index(level)
        }
        await self._below(level if level in UNIQUE else "STUDY", keys)

    async def _below(self, level: str, keys: dict[int, str]) -> None:
        for head in await self._ask(level, keys):
            if level == "IMAGE":
                self._image(head)
                continue
            told = [str(value) for value in head.values("SOPClassesInStudy") or []]
            if told and level == "STUDY":
                self.found.update(dict.fromkeys(told))
                self.all_told = False
                continue
            if level == "SERIES":
                self.modalities[head.text(tags.MODALITY)] = None
            unique = UNIQUE[level]
            below = LEVELS[LEVELS.index(level) + 1]
            await self._below(below, {**keys, unique: head.text(unique) or keys.get(unique, "")})

    def _image(self, head: Head) -> None:
        self.found[head.text(tags.SOP_CLASS_UID)] = None
        told = [str(value) for value in head.values("AvailableTransferSyntaxUID") or []]
        self.syntaxes.update(dict.fromkeys(told))
        self.all_told = self.all_told and bool(told)

    async def _ask(self, level: str, keys: dict[int, str]) -> list[Head]:
        identifier = Identifier({tag: (tags.vr_of(tag), text) for tag, text in keys.items()})
        identifier.elements[LEVEL] = ("CS", level)
        identifier.elements.setdefault(UNIQUE[level], ("UI", ""))
        identifier.default(ASKED.get(level, ()))
        query = Query(model=self._model, identifier=identifier)
        async with aclosing(ask(self._call, query)) as answers:
            return [head async for head in answers]
