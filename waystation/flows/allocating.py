"""Pseudonyms that are numbers, given in the order in which patients come (D-29).

Contract: a number belongs to one patient of one project for ever, whichever node gave it: it is
taken in one transaction of the journal.  Identities lie there encrypted, with a key that is not
there.  `Numbers` is called by worker threads; it waits for the loop that it was made in.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import TimeoutError as Late
from threading import Lock

from waystation.codecs.envelope import EXTRA
from waystation.codecs.identity_seal import sealed
from waystation.db.engine import Database
from waystation.flows.patience import patiently
from waystation.journal import deid_records
from waystation.model.delivery import HoldReason
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.pseudonyms import Patient, Pseudonym
from waystation.transforms.held import HeldError

DIGITS = 6
REMEMBERED = 10_000
WAIT_S = 60.0


class Numbers:
    """Of one profile.  clock: Unix seconds."""

    def __init__(
        self, database: Database, deidentifier: Deidentifier, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._deidentifier = deidentifier
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._lock = Lock()

    def __call__(self, patient: Patient) -> Pseudonym:
        """Return the pseudonym of a patient.  Raises `HeldError` if the journal does not answer."""
        digest, key = self._deidentifier.allocation(patient)
        with self._lock:
            number = self._known.get(digest)
        if number is None:
            number = self._allocated(digest, envelope(key, patient))
        text = pseudonym_text(self._deidentifier.profile.prefix, number)
        return Pseudonym(text, text)

    def _allocated(self, digest: bytes, envelope: bytes) -> int:
        project = self._deidentifier.profile.project
        job = deid_records.allocate(project, digest, envelope, self._clock())
        asked = asyncio.run_coroutine_threadsafe(patiently(self._database.write, job), self._loop)
        try:
            number = asked.result(WAIT_S)
        except Late as error:
            asked.cancel()
            why = "the journal gives no number for this patient now"
            raise HeldError(HoldReason.DEID_FAILED, why, transient=True) from error
        with self._lock:
            self._known[digest] = number
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return number


def pseudonym_text(prefix: str, number: int) -> str:
    """Return a number as it stands in objects."""
    return f"{prefix}{number:0{DIGITS}}"


def envelope(key: bytes, patient: Patient) -> bytes:
    """Return who a patient is, encrypted.  Raises `HeldError` where nothing can encrypt."""
    try:
        return sealed(key, identity_text(patient))
    except ImportError as error:
        raise HeldError(HoldReason.DEID_FAILED, f"numbers are sealed: {EXTRA}") from error


def identity_text(patient: Patient) -> bytes:
    """Return what is encrypted of a patient."""
    said = {"issuer": patient.issuer, "patient_id": patient.patient_id}
    return json.dumps(said | {"study": patient.of_study}).encode("ascii")
