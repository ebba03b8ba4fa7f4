"""Which classes and syntaxes a C-GET has to propose, asked of the peer beforehand.

Contract: SOP Classes in Study says it for a study of few classes where the peer knows that key;
else each series is asked for its images.  Where those do not tell their class, the modality of
the series narrows it down; where nothing is known, every class that is common is proposed.  The
syntaxes are those that the peer names as available, else all common ones.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from waystation.app.asking import MODELS, SYNTAXES, Query, QueryRefusedError, ask, open_query
from waystation.app.identifier import LEVEL, Identifier
from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.flows.get_contexts import COMPRESSED, by_modality, common
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
# So many classes in every syntax fit into one association; of more, the objects are asked.
MOST_TOLD = 127 // (len(SYNTAXES) + len(COMPRESSED))


@dataclass(slots=True)
class Holdings:
    """SOP classes in the order found, and the syntaxes besides the two little endian ones."""

    classes: list[str] = field(default_factory=list)
    syntaxes: tuple[str, ...] = COMPRESSED


def anything() -> Holdings:
    """Return what is proposed to a peer that cannot be asked: what common modalities make."""
    return Holdings(classes=common())


async def holdings(
    remote: Remote, model: str, identifiers: Sequence[Identifier], waits: Waits
) -> list[Holdings]:
    """Return what the objects of each identifier are; raises `UnreachableError`."""
    sop_class = MODELS[model][0]
    try:
        call = await open_query(remote, sop_class, b"", waits)
    except UnreachableError as error:
        if error.layer == "associate" and error.permanent:
            return [anything() for _ in identifiers]
        raise
    found: list[Holdings] = []
    for identifier in identifiers:
        survey = _Survey(call, model)
        try:
            await survey.look(identifier)
        except QueryRefusedError:
            survey.found.clear()
        except LostError:
            found += [anything() for _ in identifiers[len(found) :]]
            break
        found.append(survey.told())
    await call.release()
    return found


class _Survey:
    """Goes down from the level asked for until the classes are known."""

    def __init__(self, call: QueryCall, model: str) -> None:
        self._call = call
        self._model = model
        self.found: dict[str, None] = {}
        self.syntaxes: dict[str, None] = {}
        self.modalities: dict[str, None] = {}
        self.all_told = True

    def told(self) -> Holdings:
        """Return what was found; of what nobody told, what it may be."""
        classes = list(self.found) if all(self.found) else by_modality(self.modalities)
        if not classes:
            return anything()
        known = tuple(syntax for syntax in self.syntaxes if syntax not in SYNTAXES)
        return Holdings(classes, known if self.all_told else COMPRESSED)

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
            if told and level == "STUDY" and len(told) <= MOST_TOLD:
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
