"""An archive on a journal of its own, and small objects to put into it.

Contract: `Shelf.put` files objects as a plan does, in one transaction; `ask` gives the answers of
a query as what each key shows.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path

from waystation.blobs.reading import BlobReader
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.db.statement import Row
from waystation.dicom.charsets import encode
from waystation.dicom.compose import Elements, compose
from waystation.dicom.head import Head
from waystation.dicom.tags import tag_for, vr_of
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.flows.heads import head_from
from waystation.index.archive import Archive
from waystation.index.entry import entry_of
from waystation.index.filing import file_all
from waystation.index.pages import ImageRow
from waystation.index.search import Found
from waystation.journal import heads
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.heads import HeadSource
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival, Source
from waystation.model.instance import Instance
from waystation.model.plan import Plan, Target
from waystation.model.query import Key, Options, Query
from waystation.rules.duplicates import DuplicatePolicy, judge

NOW = 1_800_000_000.0
CT = "1.2.840.10008.5.1.4.1.1.2"
TO_ARCHIVE = Plan(targets=(Target(destination="archive", rules=("built-in",), archived=True),))
Said = Mapping[str, object]


def data_set(said: Said, syntax: str = EXPLICIT_VR_LE) -> bytes:
    """Return a data set of keywords with texts, bytes, or lists of items."""
    charset = str(said.get("SpecificCharacterSet", ""))
    return compose(
        _elements(said), syntax, lambda text, vr: encode(text, charset or "ISO_IR 192", vr)
    )


def _elements(said: Said) -> Elements:
    found: dict[int, tuple[str, object]] = {}
    for word, value in said.items():
        tag = tag_for(word)
        if isinstance(value, list):
            found[tag] = ("SQ", [_elements(item) for item in value])
        else:
            found[tag] = (vr_of(tag), value)
    return found  # type: ignore[return-value]


def ct(study: int, series: int = 1, number: int = 1, **said: object) -> dict[str, object]:
    """Return what a CT image of a study and series says."""
    uid = f"1.2.3.{study}"
    return {
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{uid}.{series}.{number}",
        "StudyInstanceUID": uid,
        "SeriesInstanceUID": f"{uid}.{series}",
        "Modality": "CT",
        "PatientID": f"P{study}",
        "PatientName": f"Name{study}^First",
        "StudyDate": f"2026{study % 12 + 1:02}{study % 28 + 1:02}",
        "StudyTime": "101500",
        "AccessionNumber": f"A{study}",
        "SeriesNumber": str(series),
        "InstanceNumber": str(number),
        **said,
    }


@lru_cache(maxsize=1)
def _empty(folder: str) -> bytes:
    """Return an empty journal: making one takes longer than most tests."""
    path = Path(folder) / "empty.db"
    migrate(path)
    return path.read_bytes()


class Shelf:
    """A journal with an archive.  last: the id of the newest arrival."""

    def __init__(self, folder: Path) -> None:
        path = folder / "journal.db"
        path.write_bytes(_empty(str(folder.parent)))
        self.database = Database(path)
        self.database.open()
        self.ids = IdSource()
        self.archive = Archive(self.database, self.heads)
        self.policy = DuplicatePolicy(resend_after_s=0.0, different="newest")
        self.heads_read = 0
        self._blobs = BlobReader(folder)
        self.last = 0

    def close(self) -> None:
        self.database.close()

    async def put(self, *objects: Said, syntax: str = EXPLICIT_VR_LE, at: float = NOW) -> None:
        """Archive objects in one transaction."""
        made = [self._adoption(said, syntax, at) for said in objects]
        await self.database.write(
            adopt(made, self.ids, at, self._judge, file=file_all(self.ids.next))
        )

    def _judge(self, arrival: Arrival, plan: Plan, earlier: Sequence[object]) -> Plan:
        return judge(self.policy, arrival, plan, earlier, NOW)  # type: ignore[arg-type]

    def _adoption(self, said: Said, syntax: str, at: float) -> Adoption:
        data = data_set(said, syntax)
        head = Head.from_bytes(data, syntax)
        entry = entry_of(head)
        self.last = self.ids.next()
        arrival = Arrival(
            id=self.last,
            received_at=at,
            source=Source(peer="ct1", calling_ae="CT1", called_ae="WS", address="127.0.0.1"),
            instance=Instance(
                sop_class_uid=entry.sop_class_uid,
                sop_instance_uid=entry.sop_instance_uid,
                study_uid=entry.study_uid,
                series_uid=entry.series_uid,
                transfer_syntax_uid=syntax,
            ),
            blob="",
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        return Adoption(arrival=arrival, plan=TO_ARCHIVE, data=data, entry=entry)

    async def heads(self, rows: Sequence[ImageRow]) -> list[Head | None]:
        self.heads_read += len(rows)
        found = await self.database.read(heads.sources([row.arrival_id for row in rows]))
        by_id = {source.arrival: source for source in found}
        return [self._head(by_id[row.arrival_id]) for row in rows]

    def _head(self, source: HeadSource) -> Head | None:
        return head_from(source, self._blobs) if source.data is not None else None

    async def run(self, sql: str) -> None:
        """Change the tables."""
        await self.database.write(lambda transaction: transaction.run(sql))

    async def rows(self, sql: str) -> list[Row]:
        """Return the rows of a statement."""
        return list(await self.database.read(lambda transaction: transaction.rows(sql)))

    async def find(
        self, query: Query, *, area: Sequence[Key] = (), most: int = 10_000
    ) -> list[Found]:
        """Return the answers to a query."""
        answers: list[Found] = []
        async with aclosing(self.archive.search(query, area=area).run()) as found:
            async for each in found:
                answers.append(each)
                if len(answers) == most:
                    break
        return answers

    async def ask(self, level: str, /, **asked: str) -> list[tuple[str, ...]]:
        """Return what the answers show of each key, several values joined by backslashes."""
        made = query(level, None, **asked)
        return [
            tuple("\\".join(found.record.values(key.tag, key.vr)) for key in made.keys)
            for found in await self.find(made)
        ]


def query(level: str, options: Options | None = None, /, **asked: str) -> Query:
    """Return a query; keys in the order of their tags."""
    keys = []
    for word, text in asked.items():
        tag = tag_for(word)
        keys.append(Key(tag, vr_of(tag), tuple(text.split("\\")) if text else ()))
    return Query(level=level, options=options or Options(relational=True)).with_keys(keys)
