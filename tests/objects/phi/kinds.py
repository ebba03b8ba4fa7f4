"""The SOP classes of the test set, and what makes an object of each (D-44).

Contract: `KINDS` has at least twenty; a `Kind` says how its pixels look, where its device burns
the name in, and which transfer syntaxes it comes in.  `device_rules` gives the text of the
device rules that fit them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.objects.layouts import Picture
from tests.objects.phi import contents
from tests.objects.phi.key import Box, Sheet
from tests.objects.phi.packing import COLOUR, GREY, NATIVE
from tests.objects.phi.people import Person

ROOT = "1.2.840.10008.5.1.4.1.1."
TWELVE = Picture(rows=32, columns=48, allocated=16, stored=12)
SIXTEEN = Picture(rows=32, columns=48, allocated=16)
RGB = Picture(rows=48, columns=96, samples=3, photometric="RGB")
BANNER: Box = (0, 0, 96, 12)
CORNER: Box = (40, 34, 50, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One SOP class.  boxes: where names are drawn; extra: what else belongs into it."""

    name: str
    sop_class: str
    modality: str
    picture: Picture | None = None
    syntaxes: tuple[str, ...] = NATIVE
    boxes: tuple[Box, ...] = ()
    clean: bool = False
    held: bool = False
    extra: tuple[Callable[[Sheet, Person], None], ...] = field(default=())

    @property
    def model(self) -> str:
        return f"Model {self.name}"


def _kind(
    name: str, ending: str, modality: str, picture: Picture | None = None, **more: Any
) -> Kind:
    return Kind(name=name, sop_class=ROOT + ending, modality=modality, picture=picture, **more)


def _frames(picture: Picture, frames: int) -> Picture:
    return replace(picture, frames=frames)


YBR = Picture(rows=48, columns=96, samples=3, photometric="YBR_FULL_422", subsampled=True)
MIXED, COLOURED = (*NATIVE, *GREY), (*NATIVE, *COLOUR)
KINDS: tuple[Kind, ...] = (
    _kind("CT", "2", "CT", TWELVE, syntaxes=MIXED),
    _kind("MR", "4", "MR", TWELVE, syntaxes=MIXED),
    _kind("PT", "128", "PT", SIXTEEN, syntaxes=MIXED),
    _kind("NM", "20", "NM", _frames(SIXTEEN, 2)),
    _kind("CR", "1", "CR", TWELVE, syntaxes=MIXED),
    _kind("DX", "1.1", "DX", SIXTEEN, syntaxes=MIXED),
    _kind("MG", "1.2", "MG", TWELVE),
    _kind("XA", "12.1", "XA", _frames(TWELVE, 3), syntaxes=MIXED),
    _kind("RF", "12.2", "RF", TWELVE),
    _kind("US", "6.1", "US", RGB, syntaxes=COLOURED, boxes=(BANNER,)),
    _kind("US cine", "3.1", "US", _frames(RGB, 3), syntaxes=COLOURED, boxes=(BANNER, CORNER)),
    _kind("US 422", "6.1", "US", YBR, boxes=(BANNER,)),
    _kind("SC", "7", "OT", Picture(rows=48, columns=96), syntaxes=MIXED, boxes=(BANNER,)),
    _kind("SC colour", "7.4", "OT", _frames(RGB, 2), syntaxes=COLOURED, boxes=(CORNER,)),
    _kind("XC", "77.1.4", "XC", RGB, syntaxes=COLOURED, boxes=(CORNER,)),
    _kind("ES", "77.1.1", "ES", RGB, syntaxes=COLOURED, boxes=(BANNER,)),
    _kind("GM", "77.1.2", "GM", RGB, syntaxes=COLOURED, clean=True),
    _kind("OP", "77.1.5.1", "OP", RGB, syntaxes=COLOURED, boxes=(BANNER, CORNER)),
    _kind("SM", "77.1.6", "SM", _frames(RGB, 4), clean=True, extra=(contents.specimen,)),
    _kind("CT enhanced", "2.1", "CT", _frames(TWELVE, 3), extra=(contents.groups,)),
    _kind("MR enhanced", "4.1", "MR", _frames(TWELVE, 2), extra=(contents.groups,)),
    _kind("SEG", "66.4", "SEG", Picture(rows=20, columns=20, allocated=1, frames=3)),
    _kind("RT dose", "481.2", "RTDOSE", Picture(rows=16, columns=16, allocated=32, frames=2)),
    _kind("RT structures", "481.3", "RTSTRUCT", extra=(contents.structures,)),
    _kind("RT plan", "481.5", "RTPLAN", extra=(contents.plan,)),
    _kind("SR", "88.33", "SR", extra=(contents.report,)),
    _kind("KO", "88.59", "KO", extra=(contents.key_object,)),
    _kind("PR", "11.1", "PR", extra=(contents.presentation,)),
    _kind("PDF", "104.1", "DOC", held=True, extra=(contents.document,)),
    _kind("ECG", "9.1.2", "ECG", held=True, extra=(contents.waveform,)),
)


def device_rules() -> str:
    """Return the device rules of the devices in the set."""
    lines: list[str] = []
    for kind in KINDS:
        if kind.boxes or kind.clean:
            lines += ["[[device]]", f'name = "{kind.name}"', f'model = "{kind.model}"']
            boxes = [list(box) for box in kind.boxes]
            lines += [f"rectangles = {boxes}" if boxes else "clean = true"]
    return "\n".join(lines) + "\n"
