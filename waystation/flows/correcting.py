"""Objects of the archive as they leave: with what persons corrected about their studies (T-32).

Contract: `Corrections` knows in memory what is in force, so that it costs nothing where nothing is
corrected.  `CorrectedCargo` gives verified bytes with the corrected head before the untouched tail;
an object that cannot carry its correction is a `StorageError`: it never leaves as it was.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import lru_cache
from typing import Any

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Pieces, stock_of
from waystation.dicom.charsets import encode
from waystation.dicom.compose import compose
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicomweb.json_model import BULK, Composer, dumped
from waystation.flows.heads import plain_syntax
from waystation.flows.splicing import Original, read
from waystation.index import corrections
from waystation.index.corrections import ELEMENTS, Correction
from waystation.index.object_texts import Described
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.correction import corrected
from waystation.transforms.held import HeldError

UTF_8 = "ISO_IR 192"
CHARACTER_SET = 0x00080005
PLACE = "\ue000"


class Corrections:
    """Of one node.  system: its name, for the record of changes."""

    def __init__(self, database: Database, system: Callable[[], str]) -> None:
        self._database = database
        self._system = system
        self._by_study: dict[str, Correction] = {}

    async def load(self) -> None:
        """Read what is in force."""
        self._by_study = await self._database.read(corrections.all_in_force())

    def put(self, study: str, correction: Correction | None) -> None:
        """Take note of what is in force of a study from now on, None for nothing."""
        if correction is None:
            self._by_study.pop(study, None)
        else:
            self._by_study[study] = correction

    def of(self, study: str) -> Correction | None:
        """Return what is corrected of a study."""
        return self._by_study.get(study)

    def version(self, study: str) -> str:
        """Return a text that changes with the corrections of a study, "" for none."""
        found = self.of(study)
        return "" if found is None else f"{found.at} {sorted(found.values.items())}"

    def shown(self, study: str, head: Head | None) -> Head | None:
        """Return the head of an object as a query shows it."""
        found = self.of(study)
        if head is None or found is None:
            return head
        try:
            data = self.applied(head, found)
            return Head.from_bytes(data, plain_syntax(head.transfer_syntax_uid))
        except (HeldError, DatasetError):
            return None

    def applied(self, head: Head, correction: Correction) -> bytes:
        """Return the bytes of a corrected head.  Raises `HeldError` or `DatasetError`."""
        return corrected(head, correction.values, now=correction.at, system=self._system())


class CorrectedCargo:
    """A cargo whose objects leave corrected.  workers: where heads are edited."""

    def __init__(self, cargo: Cargo, book: Corrections, workers: Executor) -> None:
        self._cargo = cargo
        self._stock = stock_of(cargo)
        self._book = book
        self._workers = workers

    def at_hand(self, delivery: Delivery) -> bytes | None:
        """Return the data set if it is in memory and nothing is corrected."""
        return None if self._book.of(delivery.study_uid) else self._stock(delivery)

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the verified data set, corrected.  Raises `StorageError`."""
        payload = await self._cargo.load(delivery)
        found = self._book.of(delivery.study_uid)
        if found is None:
            return payload
        try:
            original = await read(payload, delivery.transfer_syntax_uid)
            return await asyncio.get_running_loop().run_in_executor(
                self._workers, self._spliced, original, found, delivery.size_bytes
            )
        except HeldError as error:
            raise StorageError(f"cannot be corrected: {error.why}") from error
        except DatasetError as error:
            raise StorageError(f"cannot be corrected: {error}") from error

    def _spliced(self, original: Original, found: Correction, size: int) -> bytes | Pieces:
        head = self._book.applied(original.head, found)
        whole = original.whole(head, -1)
        if whole is not None:
            return whole
        return Pieces(
            original.pieces(head, -1), size_bytes=size - original.head.pixel_offset + len(head)
        )


class CorrectedTexts:
    """Metadata of objects (`flows.metadata`) with what was corrected of their studies."""

    def __init__(
        self, texts: Callable[[Sequence[Described]], Awaitable[list[bytes]]], book: Corrections
    ) -> None:
        self._texts = texts
        self._book = book

    async def texts(self, objects: Sequence[Described]) -> list[bytes]:
        """Return the metadata of some objects, in order.  Raises `StorageError`."""
        found = await self._texts(objects)
        given = [self._book.of(one.study_uid) for one in objects]
        if not any(given):
            return found
        # Of an object with many frames this takes seconds.
        return await asyncio.to_thread(_laid_over, found, given)

    def versioned(self, objects: Sequence[Described]) -> Sequence[Described]:
        """Return objects whose digests change with what is corrected of them."""
        return [
            replace(one, sha256=hashlib.sha256(one.sha256 + version.encode()).digest())
            if (version := self._book.version(one.study_uid))
            else one
            for one in objects
        ]


def _laid_over(texts: Sequence[bytes], given: Sequence[Correction | None]) -> list[bytes]:
    return [
        text if correction is None else described(text, correction)
        for text, correction in zip(texts, given, strict=True)
    ]


@lru_cache(maxsize=256)
def _attributes(values: tuple[tuple[int, str], ...]) -> dict[str, Any]:
    """Return corrected values as DICOM JSON."""
    data = compose(
        {CHARACTER_SET: ("CS", UTF_8), **{tag: (ELEMENTS[tag], text) for tag, text in values}},
        EXPLICIT_VR_LE,
        lambda text, vr: encode(text, UTF_8, vr),
    )
    text = Composer().text(Head.from_bytes(data, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    found: dict[str, Any] = json.loads(text)
    return {name: one for name, one in found.items() if int(name, 16) in dict(values)}


def described(text: bytes, correction: Correction) -> bytes:
    """Return the metadata of an object (DICOM JSON) with corrected values."""
    # A place for a URL is a byte that JSON does not allow.
    whole: dict[str, Any] = json.loads(text.replace(BULK, PLACE.encode()))
    whole |= _attributes(tuple(sorted(correction.values.items())))
    return dumped(dict(sorted(whole.items()))).encode().replace(PLACE.encode(), BULK)
