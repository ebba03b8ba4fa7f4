"""The archive of a running node as the API sees it (T-19, T-32, T-33).

Contract: implements `waystation.web.api_archive.ArchiveView`.
"""

from contextlib import aclosing

from waystation.app.identifier import LEVEL, Identifier
from waystation.app.node import Node
from waystation.app.people import People
from waystation.app.why import asked_for, asking
from waystation.dicom.tags import keyword_of, tag_for
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.index import corrections, doubts
from waystation.index.correcting import Order
from waystation.journal.audit import Event
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.matching.match import Matcher
from waystation.model.errors import ConfigError, StorageError
from waystation.model.query import Options
from waystation.web.api_archive import (
    CorrectionAsked,
    CorrectionSaid,
    DoubtSaid,
    DoubtsSaid,
    KeySaid,
    RecordSaid,
    WhyAsked,
)

MOST = 20


class NodeArchive:
    """Of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def why(self, asked: WhyAsked) -> list[RecordSaid]:
        """Hold a query against each record of a UID or number."""
        node, identifier = self._node, Identifier({})
        for word, text in asked.keys.items():
            identifier.add(f"{word}={text}")
        identifier.elements[LEVEL] = ("CS", asked.level)
        charset = "" if all(map(str.isascii, asked.keys.values())) else "ISO_IR 192"
        options = Options(fuzzy=asked.fuzzy, relational=True)
        zone = node.router.routing.zone
        matcher = Matcher(asking(identifier, charset, options), home=zone)
        alone = asked_for(identifier, asked.record, patient_root=asked.level == "PATIENT")
        query = read_identifier(
            alone.encode(EXPLICIT_VR_LE, charset), EXPLICIT_VR_LE, options=options
        )
        if isinstance(query, BadIdentifier):
            raise ConfigError("record", query.comment)
        area = node.queries.shown(asked.called_ae)
        visible = Matcher(query.with_keys(area), home=zone)
        found: list[RecordSaid] = []
        search = node.archivist.archive.search(query, home=zone)
        async with aclosing(search.run()) as answers:
            async for answer in answers:
                verdict = matcher.explain(answer.full)
                keys = [KeySaid(matched=line.matched, text=line.text) for line in verdict.lines]
                found.append(
                    RecordSaid(
                        study=answer.study_uid,
                        matched=verdict.matched,
                        shown=not area or visible.matches(answer.full),
                        keys=keys,
                    )
                )
                if len(found) == MOST:
                    break
        return found

    async def doubts(self, study: str, after: str, limit: int) -> DoubtsSaid:
        """Return what contradicts itself."""
        read = self._node.database.read
        if study:
            looked = doubts.Looked(doubts=await read(doubts.doubts_of(study)), after="")
        else:
            looked = await read(doubts.doubts(after, limit))
        said = [
            DoubtSaid(study=one.study, kind=one.kind, text=one.text, other=one.other)
            for one in looked.doubts
        ]
        return DoubtsSaid(doubts=said, after=looked.after)

    async def correct(self, asked: CorrectionAsked, author: str) -> dict[str, str]:
        """Correct studies one by one; what cannot be done leaves the others done."""
        values: dict[int, str] = {}
        for word, text in asked.values.items():
            try:
                values[tag_for(word)] = text
            except (KeyError, ValueError) as error:
                raise ConfigError("values", f"{word} is no keyword of DICOM") from error
        done: dict[str, str] = {}
        for study in dict.fromkeys(asked.studies):
            order = Order(study=study, values=values, author=author, because=asked.because)
            try:
                done[study] = await self._node.archivist.correct(order)
            except StorageError as error:
                done[study] = str(error)
        await self._record([study for study, why in done.items() if not why], asked, author)
        return done

    async def _record(self, studies: list[str], asked: CorrectionAsked, author: str) -> None:
        """Put it into the audit trail (T-32, S-64); never what is said of the patient."""
        people = self._node.annexes.find(People)
        if people is not None and studies:
            await people.trail.record(
                Event.PATIENT,
                author,
                studies=studies,
                corrected=sorted(asked.values) or "undone",
                because=asked.because,
            )

    async def corrections(self, study: str, limit: int) -> list[CorrectionSaid]:
        """Return what was corrected, the newest first."""
        return [
            CorrectionSaid(
                study=one.study,
                at=one.at,
                author=one.author,
                because=one.because,
                values={keyword_of(tag): text for tag, text in one.values.items()},
                undone_at=one.undone_at or None,
                undone_by=one.undone_by,
            )
            for one in await self._node.database.read(corrections.noted(study, limit))
        ]
