"""Whether an object may show who the patient is, and which of its pixels go (D-20, D-32, D-33).

Contract: `decide` is a pure function of the head as it came in (before identity was taken out of
it), the pixel settings of the profile, and what is known of the sender.  It gives a
`PixelDecision`: pass, redact (with the job for the codec child), or held (with a reason that
shows nothing of the patient).  The first device rule that matches counts; it applies to every
object that it matches, whatever Burned In Annotation says.

Rules are read by `transforms.deid.device_rules`.
"""

from dataclasses import dataclass, field
from typing import Literal

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_BE
from waystation.dicom.scan import form_of
from waystation.dicom.uids import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.transforms.deid.risk import RISKS, is_video, risks_of
from waystation.transforms.redact_job import LOSSY_SYNTAXES, Lossy, Rectangle, RedactJob

BURNED_IN, REGIONS, PROVIDER = 0x00280301, 0x00186011, 0x00287FE0
ROWS, COLUMNS = 0x00280010, 0x00280011
SAMPLES, BITS, FRAMES = 0x00280002, 0x00280100, 0x00280008
FLOAT_BITS = {0x7FE00008: 32, 0x7FE00009: 64}
REGION_CORNERS = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)  # left, top, right, bottom
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
# Why pixels are held until a device rule, or a person, says what they show.
NOT_CLEANED = "its pixels show who it is, and the profile does not clean them"
NO_RULE = "burned-in annotation, and no device rule says where"
UNKNOWN = "burned-in state unknown"
NATIVE = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule:
    """Which objects of one device look alike, and what to do with their pixels.

    where: tag → patterns (`matches`), one of which must fit; every tag must fit.  sizes: (rows,
    columns), one of which must be equal; empty: any.  image_type: values that must all occur.
    confirmed: a person vouches for it; else it is never used.
    """

    name: str
    where: tuple[tuple[int, tuple[str, ...]], ...] = ()
    sizes: tuple[tuple[int | None, int | None], ...] = ()
    image_type: tuple[str, ...] = ()
    rectangles: tuple[Rectangle, ...] = ()
    keep: Literal["", "us-regions"] = ""
    keep_rectangles: tuple[Rectangle, ...] | None = None
    clean: bool = False
    confirmed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSettings:
    """The ``pixels`` table of a profile, read.

    clean: the option Clean Pixel Data (113101) is on.  rules: in the order of the file.  risk:
    names of `RISKS`.  unknown: an object whose burned-in state is not known is held for good, or
    until a person approves it.  lossy: see `RedactJob`.
    """

    clean: bool = True
    rules: tuple[DeviceRule, ...] = ()
    risk: frozenset[str] = frozenset(RISKS)
    unknown: Literal["hold", "approve"] = "hold"
    lossy: Lossy = "decode"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDecision:
    """What becomes of the pixels of one object.

    job: what a codec child must do before the object may leave; None: nothing.  held: why it may
    not leave, "" if it may.  cleaned: every frame was handled by a rule or approved by a person,
    so that Burned In Annotation may say NO.  rule: the name of the device rule.  approvable: a
    person's approval would let it pass.
    """

    job: RedactJob | None = None
    held: str = ""
    cleaned: bool = False
    rule: str = ""
    approvable: bool = False
    risks: tuple[str, ...] = field(default=())


def decide(
    head: Head, settings: PixelSettings, *, believed: bool = False, approved: bool = False
) -> PixelDecision:
    """Return what becomes of the pixels of ``head``.

    believed: the sender is marked as one whose Burned In Annotation NO is true.  approved: a
    person looked at all frames of this object and said that they show nobody.
    """
    if PROVIDER in head.elements:
        return PixelDecision(held="its pixels lie elsewhere (Pixel Data Provider URL)")
    if not head.whole:
        return PixelDecision(held="its head is too large to be looked through")
    if not has_pixels(head):
        return PixelDecision()
    hidden = has_hidden_overlay(head)
    if hidden and head.transfer_syntax_uid not in NATIVE:
        return PixelDecision(held="it may hide an overlay in the high bits of compressed pixels")
    if has_more(head):
        return PixelDecision(held="its Pixel Data is longer than its image")
    if not settings.clean:
        if burned_in(head) == "YES" and not approved:
            return PixelDecision(held=NOT_CLEANED, approvable=settings.unknown == "approve")
        return PixelDecision(job=RedactJob(unused_bits=True) if hidden else None)
    return _cleaned(head, settings, hidden, (believed, approved))


def _cleaned(
    head: Head, settings: PixelSettings, hidden: bool, said: tuple[bool, bool]
) -> PixelDecision:
    believed, approved = said
    nothing_more = RedactJob(unused_bits=True) if hidden else None
    rule = next((rule for rule in settings.rules if fits(rule, head)), None)
    state = burned_in(head)
    if rule is not None and not (rule.clean and state == "YES"):
        return _by_rule(head, rule, hidden, settings.lossy)
    if approved:
        return PixelDecision(job=nothing_more, cleaned=True)
    risks = risks_of(head, settings.risk)
    approvable = settings.unknown == "approve"
    if state == "YES":
        return PixelDecision(held=NO_RULE, approvable=approvable, risks=risks)
    if not risks or (state == "NO" and believed):
        return PixelDecision(job=nothing_more)
    return PixelDecision(held=UNKNOWN, approvable=approvable, risks=risks)


def _by_rule(head: Head, rule: DeviceRule, hidden: bool, lossy: Lossy) -> PixelDecision:
    if rule.clean:
        job = RedactJob(unused_bits=True) if hidden else None
        return PixelDecision(job=job, cleaned=True, rule=rule.name)
    keep = rule.keep_rectangles
    if rule.keep:
        keep = ultrasound_regions(head)
        if not keep:
            return PixelDecision(held="it names no ultrasound regions", rule=rule.name)
    job = RedactJob(rectangles=rule.rectangles, keep=keep, unused_bits=hidden, lossy=lossy)
    rows, columns = number(head, ROWS), number(head, COLUMNS)
    try:
        job.check(rows, columns)
    except ValueError as error:
        return PixelDecision(held=str(error), rule=rule.name)
    if any((one.width, one.height) == (columns, rows) for one in keep or ()):
        return PixelDecision(held="what is to be kept is the whole image", rule=rule.name)
    syntax = head.transfer_syntax_uid
    if is_video(syntax):
        return PixelDecision(held="pixels of a video cannot be blacked", rule=rule.name)
    if lossy == "hold" and syntax in LOSSY_SYNTAXES:
        return PixelDecision(held="its pixels were compressed with loss", rule=rule.name)
    return PixelDecision(job=job, cleaned=True, rule=rule.name)


def fits(rule: DeviceRule, head: Head) -> bool:
    """Tell whether every condition of a rule is true, and a person confirmed the rule."""
    if not rule.confirmed:
        return False
    if rule.sizes and not any(
        rows in (None, number(head, ROWS)) and columns in (None, number(head, COLUMNS))
        for rows, columns in rule.sizes
    ):
        return False
    if rule.image_type:
        there = {value.upper() for value in texts(head, 0x00080008)}
        if not all(value.upper() in there for value in rule.image_type):
            return False
    return all(_any_fits(patterns, texts(head, tag)) for tag, patterns in rule.where)


def _any_fits(patterns: tuple[str, ...], values: list[str]) -> bool:
    return any(matches(pattern, value) for pattern in patterns for value in values or [""])


def matches(pattern: str, value: str) -> bool:
    """Tell whether ``*`` and the other letters of a pattern, case aside, give the whole value."""
    head, *parts = pattern.upper().split("*")
    text = value.upper()
    if not parts:
        return text == head
    last = parts.pop()
    if not text.startswith(head) or len(text) < len(head) + len(last) or not text.endswith(last):
        return False
    at, end = len(head), len(text) - len(last)
    for part in parts:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def texts(head: Head, tag: int) -> list[str]:
    """Return the values of a text element without padding."""
    raw = head.raw(tag) or b""
    return [one.strip("\0 ") for one in raw.decode("latin-1").split("\\")] if raw else []


def number(head: Head, tag: int) -> int:
    """Return the first value of an element that holds numbers of 16 or 32 bits; 0 if absent."""
    raw = head.raw(tag) or b""
    big = form_of(head.transfer_syntax_uid) == EXPLICIT_BE
    width = 4 if tag in REGION_CORNERS else 2
    return int.from_bytes(raw[:width], "big" if big else "little")


def burned_in(head: Head) -> str:
    """Return Burned In Annotation: YES, NO or "" (absent).  What is neither counts as YES."""
    said = {value.upper() for value in texts(head, BURNED_IN)} - {""}
    if not said:
        return ""
    return "NO" if said == {"NO"} else "YES"


def has_pixels(head: Head) -> bool:
    """Tell whether there is Pixel Data of any kind at the top."""
    return any(tag in head.elements for tag in PIXELS)


def has_more(head: Head) -> bool:
    """Tell whether native pixels are followed by bytes that no image shows: nobody knows what."""
    if head.transfer_syntax_uid not in NATIVE:
        return False
    pixels = [(tag, head.elements[tag][2]) for tag in PIXELS if tag in head.elements]
    samples = number(head, ROWS) * number(head, COLUMNS) * max(1, number(head, SAMPLES))
    if not samples:
        return False
    said = (texts(head, FRAMES) or [""])[0]
    frames = max(1, int(said)) if said.isascii() and said.isdigit() else 1
    for tag, length in pixels:
        bits = FLOAT_BITS.get(tag) or number(head, BITS)
        needed = (samples * bits * frames + 7) // 8
        # An odd length is padded (PS3.5 8.1.1).
        if bits and length > needed + needed % 2:
            return True
    return False


def has_hidden_overlay(head: Head) -> bool:
    """Tell whether an overlay may lie in Pixel Data: it has no data of its own, or more than one
    bit is allocated for it (PS3.3 C.9.2, retired).
    """
    groups = {tag & 0xFFFF0000 for tag in head.elements if 0x6000 <= tag >> 16 <= 0x601E}
    return any(_lies_in_pixels(head, base) for base in groups if not base & 0x10000)


def _lies_in_pixels(head: Head, base: int) -> bool:
    if base | 0x0100 in head.elements and number(head, base | 0x0100) != 1:
        return True
    described = any(base | part in head.elements for part in (0x0010, 0x0100, 0x0102))
    return described and base | 0x3000 not in head.elements


def ultrasound_regions(head: Head) -> tuple[Rectangle, ...]:
    """Return the Sequence of Ultrasound Regions as rectangles (PS3.3 C.8.5.5)."""
    found = []
    try:
        for item in head.items(REGIONS):
            if any(tag not in item.elements for tag in REGION_CORNERS):
                return ()
            left, top, right, bottom = (number(item, tag) for tag in REGION_CORNERS)
            found.append(Rectangle(left, top, right - left + 1, bottom - top + 1))
    except DatasetError:
        return ()
    return tuple(found)
