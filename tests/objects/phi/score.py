"""Scoring by ten actions: correct of required, partial credit for text (D-45).

Contract: `score` reads originals and outputs with pydicom, never with the engine's walk.  The shift
of a patient's dates, the mapping of each UID and each pseudonym are learnt from the first output
that shows them; everything else must agree.  A missing object is right for removals and
consistency, wrong for whatever should have been kept.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np

from tests.objects import public
from tests.objects.files import Stored
from tests.objects.phi.generate import HIGH_BITS, Case
from tests.objects.phi.key import ACTIONS, WITHOUT_OBJECT, Answer, Path, Private, un_stays_un
from tests.objects.phi.spellings import encodings, moved
from waystation.transforms.decode import DECODERS
from waystation.transforms.transcode import transcode

LONGEST_SHIFT = 3650


@dataclass(slots=True)
class Score:
    """required, correct: by action.  misses: what was wrong, in words."""

    required: Counter[str] = field(default_factory=Counter)
    correct: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    misses: list[str] = field(default_factory=list)

    def share(self, action: str) -> float:
        """Return correct ÷ required; 1 if nothing was asked."""
        return self.correct[action] / self.required[action] if self.required[action] else 1.0

    @property
    def overall(self) -> float:
        return sum(self.correct.values()) / max(1, sum(self.required.values()))

    def add(self, other: "Score") -> None:
        """Take over what another score counted."""
        self.required += other.required
        for action, right in other.correct.items():
            self.correct[action] += right
        self.misses += other.misses

    @property
    def table(self) -> str:
        """The shares, a line each."""
        lines = [
            f"{action:18} {self.share(action):8.3%} of {self.required[action]}"
            for action in ACTIONS
        ]
        return "\n".join([*lines, f"{'overall':18} {self.overall:8.3%}"])


@dataclass(slots=True)
class Known:
    """What was learnt: days by patient, new UID by old, pseudonym by patient."""

    shifts: dict[str, int] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    pseudonyms: dict[str, str] = field(default_factory=dict)


def score(
    cases: Iterable[Case], outputs: Mapping[str, Stored], known: Known | None = None
) -> Score:
    """Return the score; outputs: by SOP Instance UID of the original."""
    made, learnt = Score(), known if known is not None else Known()
    with warnings.catch_warnings(), un_stays_un():
        # Some of the values are wrong on purpose.
        warnings.simplefilter("ignore")
        for case in cases:
            _score_one(case, outputs.get(case.stored.sop_instance), made, learnt)
    return made


def _score_one(case: Case, output: Stored | None, made: Score, known: Known) -> None:
    data_set = None if output is None else public.parsed(output.data_set, output.transfer_syntax)
    for answer in case.answers:
        right = (
            float(answer.action in WITHOUT_OBJECT)
            if output is None
            else _right(case, answer, (data_set, output), known)
        )
        made.required[answer.action] += 1
        made.correct[answer.action] += right
        if right < 1:
            shown = "no object" if data_set is None else _text(found(data_set, answer.path))
            what = f"{answer.action} {spelled(answer.path)} {answer.words}"
            made.misses.append(f"{what}: {shown[:60]!r} ({case.name})")


def spelled(path: Path) -> str:
    """Return a path in words."""
    return ".".join(
        f"[{step}]"
        if isinstance(step, int) and step < 0x1000
        else f"{step:08X}"
        if isinstance(step, int)
        else f"{step.creator}:{step.group:04X}{step.offset:02X}"
        for step in path
    )


def found(data_set: Any, path: Path) -> Any:
    """Return the element at a path, None if it is not there.

    Of a sequence that pydicom does not know as one, the sequence.
    """
    here: Any = data_set
    for step in path:
        if isinstance(getattr(here, "value", None), bytes):
            return here
        try:
            if isinstance(step, Private):
                here = here.private_block(step.group, step.creator)[step.offset]
            elif hasattr(here, "value"):
                here = here.value[step]
            else:
                here = here[step]
        except (KeyError, IndexError, TypeError):
            return None
    return here


def _text(element: Any) -> str:
    if element is None or element.value is None:
        return ""
    if element.VR == "SQ":
        return "\n".join(map(str, element.value))
    value = element.value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _right(case: Case, answer: Answer, after: tuple[Any, Stored], known: Known) -> float:
    data_set, output = after
    if answer.action in ("pixels_hidden", "pixels_retained"):
        return float(_pixels(case, answer, output))
    element = found(data_set, answer.path)
    text = _text(element)
    if answer.action == "tag_retained":
        return float(element is not None)
    if answer.action == "text_notnull":
        return float(bool(text.strip("\0 ")))
    there = sum(_says(element, text, word) for word in answer.words)
    if answer.action == "text_retained":
        return there / len(answer.words)
    if answer.action == "text_removed":
        return 1 - there / len(answer.words)
    (original,) = answer.words
    if answer.action == "uid_changed":
        return float(original not in text)
    return float(_agrees(case, answer.action, (original, text), known))


def _says(element: Any, text: str, word: str) -> bool:
    """Tell whether a word stands in an element; bytes are read in any encoding."""
    value = getattr(element, "value", None)
    if isinstance(value, bytes) and any(form in value for form in encodings(word)):
        return True
    return word.lower() in text.lower()


def _agrees(case: Case, action: str, values: tuple[str, str], known: Known) -> bool:
    original, text = values
    if action == "date_shifted":
        days = known.shifts.setdefault(case.who.patient_id, _difference(original, text))
        return -LONGEST_SHIFT <= days <= -1 and text == moved(original, days) + original[8:]
    store = known.uids if action == "uid_consistent" else known.pseudonyms
    if original not in store:
        if not text or text == original or text in store.values():
            return False
        store[original] = text
    return store[original] == text


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _difference(original: str, text: str) -> int:
    try:
        return (_day(text) - _day(original)).days
    except ValueError:
        return 0


def frames_of(stored: Stored) -> Any:
    """Return stored numbers as unsigned containers, shape (frames, rows, columns, samples)."""
    if stored.transfer_syntax in DECODERS or stored.transfer_syntax in (
        public.BIG,
        public.DEFLATED,
    ):
        out = BytesIO()
        ways = (stored.transfer_syntax, public.EXPLICIT)
        transcode(BytesIO(stored.data_set), BytesIO(), out, ways, lambda _: None)
        stored = Stored(
            sop_class=stored.sop_class,
            sop_instance=stored.sop_instance,
            transfer_syntax=public.EXPLICIT,
            data_set=out.getvalue(),
        )
    said = public.parsed(stored.data_set, stored.transfer_syntax)
    raw = said.PixelData
    if said.BitsAllocated == 1:
        return np.frombuffer(raw, np.uint8)
    shape = (int(said.get("NumberOfFrames", 1)), said.Rows, said.Columns, said.SamplesPerPixel)
    cells = np.frombuffer(raw, f"<u{said.BitsAllocated // 8}")
    if said.PhotometricInterpretation == "YBR_FULL_422":
        return cells[: shape[0] * shape[1] * shape[2] * 2].reshape(shape[0], shape[1], -1, 4).copy()
    return cells[: np.prod(shape)].reshape(shape).copy()


def _pixels(case: Case, answer: Answer, output: Stored) -> bool:
    before, after = frames_of(case.stored), frames_of(output)
    picture = case.kind.picture
    assert picture is not None
    if answer.words == (HIGH_BITS,):
        return not (after >> picture.bits).any()
    if before.shape != after.shape:
        return False
    halves = 2 if picture.subsampled else 1
    if answer.box is not None:
        inside = after[_area(answer.box, halves)]
        return len(np.unique(inside.reshape(-1, inside.shape[-1]), axis=0)) == 1
    for box in case.kind.boxes:
        before[_area(box, halves)] = after[_area(box, halves)] = 0
    if any(one.words == (HIGH_BITS,) for one in case.answers):
        before &= (1 << picture.bits) - 1
    return bool(np.array_equal(before, after))


def _area(box: tuple[int, int, int, int], halves: int) -> tuple[slice, slice, slice]:
    left, top, width, height = box
    return (
        slice(None),
        slice(top, top + height),
        slice(left // halves, -(-(left + width) // halves)),
    )
