"""The test set: subjects, each with several objects and their answers (D-44).

Contract: `cases` is a pure function of the number of a subject: the same bytes on every machine
with the same libraries.  A `Case` holds the object, the file it may come in (whose preamble and
file meta tell who it is, too), and what must be true of it afterwards.
"""

import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.objects.elements import PREAMBLE, element
from tests.objects.files import Stored
from tests.objects.phi import places
from tests.objects.phi.burned import background, burn, hide
from tests.objects.phi.key import WITHOUT_OBJECT, Answer, Sheet, un_stays_un
from tests.objects.phi.kinds import KINDS, Kind
from tests.objects.phi.packing import BIG, DEFLATED, EXPLICIT, IMPLICIT, NATIVE, packed
from tests.objects.phi.people import Person, person
from waystation.transforms.stream import recoded

PIXELS = 0x7FE00010
OBJECTS = 6  # of each subject
HIGH_BITS = "high bits"


@dataclass(frozen=True, slots=True)
class Case:
    """One object of one subject.  held: it may be held instead."""

    who: Person
    kind: Kind
    stored: Stored
    file: bytes
    answers: tuple[Answer, ...]

    @property
    def name(self) -> str:
        return f"subject {self.who.number}, {self.kind.name}, {self.stored.sop_instance}"


def subjects(count: int, first: int = 0) -> Iterator[list[Case]]:
    """Yield the objects of each subject."""
    for number in range(first, first + count):
        yield cases(number)


def cases(number: int) -> list[Case]:
    """Return the objects of a subject."""
    who = person(number)
    kinds = [KINDS[(number * OBJECTS + place) % len(KINDS)] for place in range(OBJECTS)]
    return [_case(who, kind, place) for place, kind in enumerate(kinds)]


def _case(who: Person, kind: Kind, place: int) -> Case:
    turn = who.number // (len(KINDS) // OBJECTS) + place
    syntax = kind.syntaxes[turn % len(kind.syntaxes)]
    with warnings.catch_warnings(), pydicom.config.disable_value_validation(), un_stays_un():
        # Some of the values are wrong on purpose.
        warnings.simplefilter("ignore")
        sheet = _filled(who, kind, place, turn)
        if kind.picture is not None:
            _draw(sheet, who, kind, (syntax, turn))
        data_set = _encoded(sheet.data_set, syntax)
    answers = tuple(
        answer for answer in sheet.answers if not kind.held or answer.action in WITHOUT_OBJECT
    )
    stored = Stored(
        sop_class=kind.sop_class,
        sop_instance=who.uid("instance", place),
        transfer_syntax=syntax,
        data_set=data_set,
    )
    return Case(who, kind, stored, _file(stored, who), answers)


def _filled(who: Person, kind: Kind, place: int, turn: int) -> Sheet:
    sheet = Sheet(Dataset())
    if who.charset:
        sheet.put(0x00080005, "CS", who.charset.split("\\"))
    sheet.stays(0x00080008, "CS", "ORIGINAL\\PRIMARY")
    sheet.put(0x00080016, "UI", kind.sop_class)
    sheet.uid(0x00080018, who.uid("instance", place))
    sheet.stays(0x00080060, "CS", kind.modality)
    sheet.stays(0x00080070, "LO", "ACME")
    sheet.stays(0x00081090, "LO", kind.model)
    sheet.stays(0x00180015, "CS", "CHEST")
    sheet.uid(0x0020000E, who.uid("series", place))
    sheet.stays(0x00200011, "IS", str(place + 1))
    sheet.stays(0x00200013, "IS", "1")
    for part in (places.patient, places.study, places.descriptions, places.nested):
        part(sheet, who)
    places.private(sheet, who)
    places.unlisted(sheet, who)
    places.odd(sheet, who)
    further = (places.graphics, places.signatures, places.broken)
    for part in (further[turn % 3], further[(turn + 1) % 3]):
        part(sheet, who)
    for extra in kind.extra:
        extra(sheet, who)
    return sheet


def _draw(sheet: Sheet, who: Person, kind: Kind, how: tuple[str, int]) -> None:
    """Put the pixels in, the name drawn where the device draws it."""
    syntax, turn = how
    picture = kind.picture
    assert picture is not None
    lossy = syntax not in NATIVE and picture.samples == 3 and syntax.endswith(".50")
    if lossy:
        picture = replace(picture, photometric="YBR_FULL_422")
    _describe(sheet.data_set, picture)
    numbers = background(picture, who.number)
    for box in kind.boxes:
        burn(numbers, picture, f"{who.name.partition('^')[0]} {who.patient_id}", box)
        sheet.answers.append(Answer("pixels_hidden", (PIXELS,), box=box))
    if syntax in NATIVE:
        raw = picture.laid_out(numbers)
        if picture.stored == 12 and turn % 4 == 0:
            raw = hide(raw, picture, who.patient_id)
            sheet.put(0x60100010, "US", picture.rows)
            sheet.put(0x60100100, "US", 16)
            sheet.put(0x60100102, "US", 12)
            sheet.answers.append(Answer("pixels_hidden", (PIXELS,), (HIGH_BITS,)))
        sheet.put(PIXELS, "OB" if picture.allocated <= 8 else "OW", raw)
    else:
        sheet.put(PIXELS, "OB", encapsulate(packed(syntax, numbers, picture)))
        sheet.data_set[PIXELS].is_undefined_length = True
    sheet.note("pixels_retained", PIXELS)
    if turn % 2:
        _icon(sheet, who)
    if lossy:
        sheet.stays(0x00282110, "CS", "01")


def _describe(data_set: Any, picture: Any) -> None:
    data_set.SamplesPerPixel = picture.samples
    data_set.PhotometricInterpretation = picture.photometric
    if picture.samples > 1:
        data_set.PlanarConfiguration = picture.planar
    data_set.Rows, data_set.Columns = picture.rows, picture.columns
    data_set.NumberOfFrames = picture.frames
    data_set.BitsAllocated, data_set.BitsStored = picture.allocated, picture.bits
    data_set.HighBit, data_set.PixelRepresentation = picture.highest_bit, 0


def _icon(sheet: Sheet, who: Person) -> None:
    """Add an icon whose bytes spell the patient's number."""
    icon = sheet.item(0x00880200)
    text = who.patient_id.encode().ljust(64, b"\0")
    for tag, value in ((0x00280002, 1), (0x00280010, 8), (0x00280011, 8), (0x00280100, 8)):
        icon.put(tag, "US", value)
    icon.put(0x00280004, "CS", "MONOCHROME2")
    icon.put(0x00280101, "US", 8)
    icon.put(0x00280102, "US", 7)
    icon.put(0x00280103, "US", 0)
    icon.put(PIXELS, "OB", text)
    icon.note("text_removed", PIXELS, who.patient_id)


def _encoded(data_set: Any, syntax: str) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR = syntax == IMPLICIT
    out.is_little_endian = True
    write_dataset(out, data_set)
    made = bytes(out.getvalue())
    if syntax == BIG:
        return recoded(made, EXPLICIT, BIG)
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(made) + packer.flush()
        return body + b"\0" * (len(body) % 2)
    return made


def _file(stored: Stored, who: Person) -> bytes:
    """Return it as a file that tells who it is before the data set begins."""
    body = b"".join(
        (
            element(0x00020001, "OB", b"\0\1"),
            element(0x00020002, "UI", stored.sop_class),
            element(0x00020003, "UI", stored.sop_instance),
            element(0x00020010, "UI", stored.transfer_syntax),
            element(0x00020012, "UI", who.uid("content")),
            element(0x00020016, "AE", f"AE{who.serial[-8:]}"),
            element(0x00020100, "UI", who.uid("content", 1)),
            element(0x00020102, "OB", who.patient_id.encode()),
        )
    )
    preamble = who.accession.encode().ljust(128, b"\0") + PREAMBLE[128:]
    return preamble + element(0x00020000, "UL", len(body)) + body + stored.data_set
