"""Objects with their identity again: the other end of encrypted originals (D-31).

Contract: an object is restored whole, under its original UIDs, or not at all; the file it came
from stays.  The private key is read where this runs and goes nowhere; it has no place on a
gateway.
"""

from dataclasses import dataclass
from pathlib import Path

from waystation.app.anonymizing import FAILED, LEFT_OUT, WRITTEN, Done, place_of
from waystation.app.object_files import Draft, FileObject, is_dicom, opened
from waystation.codecs.envelope import opened as opened_envelope
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, identity
from waystation.dicom.part10 import file_meta
from waystation.flows.splicing import plain
from waystation.transforms.deid.originals import envelopes_of, restore
from waystation.transforms.errors import UnfitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who may restore.  key, certificate: PEM.  password: of the key, None if it has none."""

    key: bytes
    certificate: bytes
    password: bytes | None = None


class Reidentifier:
    """Works in one process."""

    def __init__(self, who: Recipient, output: Path) -> None:
        self._who = who
        self._output = output

    def work(self, path: Path, *, named: bool) -> Done:
        """Restore one file."""
        try:
            with opened(path) as source:
                place = self._restored(source)
        except DatasetError as error:
            if named or is_dicom(path):
                return Done(path=path, state=FAILED, why=str(error))
            return Done(path=path, state=LEFT_OUT, why="no DICOM file")
        except (UnfitError, ValueError) as error:
            return Done(path=path, state=FAILED, why=str(error))
        except OSError as error:
            return Done(path=path, state=FAILED, why=error.strerror or type(error).__name__)
        return Done(path=path, state=WRITTEN, place=place)

    def close(self) -> None:
        """Nothing is held."""

    def _restored(self, source: FileObject) -> str:
        head, syntax = source.head, source.head.transfer_syntax_uid
        envelopes = envelopes_of(head)
        if not envelopes:
            raise ValueError("it carries no encrypted originals")
        made = restore(head, self._opened(envelopes))
        whose = identity(Head.from_bytes(made, plain(syntax)))
        place = place_of(whose)
        draft = Draft(self._output / place)
        try:
            draft.meta(file_meta(whose.sop_class_uid, whose.sop_instance_uid, syntax))
            draft.write(source.spliced(made, -1))
            if not draft.take_place():
                raise ValueError("another object of this UID is there already")
        finally:
            draft.drop()
        return place

    def _opened(self, envelopes: list[bytes]) -> bytes:
        who, problem = self._who, ValueError("it carries no encrypted originals")
        for one in envelopes:
            try:
                return opened_envelope(one, who.key, who.certificate, who.password)
            except ValueError as error:
                problem = error
        raise problem
