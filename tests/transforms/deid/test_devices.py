"""Which pixels go, which objects are held: device rules, risk classes, approvals (D-20, D-32)."""

import re
import tomllib
from dataclasses import replace

import pytest

from tests.objects.elements import element, encapsulated, header
from tests.objects.layouts import Picture
from tests.objects.public import EXPLICIT, IMPLICIT
from waystation.dicom.head import Head
from waystation.transforms.deid.device_rules import offered, read_devices
from waystation.transforms.deid.devices import (
    DeviceRule,
    PixelDecision,
    PixelSettings,
    decide,
    fits,
    matches,
)
from waystation.transforms.deid.risk import RISKS
from waystation.transforms.redact_job import Rectangle, RedactJob

CT, US, SC = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "6.1", "7"))
RLE, MPEG4, JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.50"
PICTURE = Picture(rows=60, columns=80)
RULES = """
[[device]]
name = "banner"
modality = "US"
manufacturer = "ACME*"
model = ["Echo 7", "Echo 9"]
rows = 60
columns = [80, 100]
rectangles = [[0, 0, 80, 10], [70, 50, 10, 10]]
[[device]]
name = "regions"
modality = "US"
model = "Scan*"
keep = "us-regions"
[[device]]
name = "middle"
modality = "US"
model = "Middle"
keep = [[10, 10, 20, 20]]
[[device]]
name = "too wide"
model = "Wide"
rectangles = [[0, 0, 81, 1]]
[[device]]
name = "clean one"
model = "Clean"
clean = true
[[device]]
name = "unlooked"
model = "New"
confirmed = false
clean = true
[[device]]
name = "dose sheets"
modality = "CT"
image_type = ["DERIVED", "SCREEN SAVE"]
other = { SeriesDescription = "*dose*" }
rectangles = [[0, 0, 80, 30]]
"""
SETTINGS = PixelSettings(rules=read_devices(tomllib.loads(RULES)))


def region(left: int, top: int, right: int, bottom: int) -> bytes:
    corners = ((0x00186018, left), (0x0018601A, top), (0x0018601C, right), (0x0018601E, bottom))
    body = b"".join(element(tag, "UL", value) for tag, value in corners)
    return header(0xFFFEE000, "UN", 0)[:4] + len(body).to_bytes(4, "little") + body


def head(
    model: str = "Unknown",
    *,
    sop_class: str = US,
    modality: str = "US",
    burned: str = "",
    image_type: str = "ORIGINAL",
    description: str = "",
    conversion: str = "",
    regions: tuple[tuple[int, int, int, int], ...] = (),
    overlay: bytes = b"",
    syntax: str = EXPLICIT,
) -> Head:
    """Return the head of a small object with pixels."""
    items = b"".join(region(*one) for one in regions)
    first = [element(0x00080008, "CS", image_type), element(0x00080016, "UI", sop_class)]
    first += [element(0x00080060, "CS", modality)] if modality else []
    first += [element(0x00080064, "CS", conversion)] if conversion else []
    first += [element(0x00080070, "LO", "Acme Medical")]
    first += [element(0x0008103E, "LO", description), element(0x00081090, "LO", model)]
    first += [element(0x00186011, "SQ", items)] if regions else []
    first += [PICTURE.head()]
    first += [element(0x00280301, "CS", burned)] if burned else []
    raw = PICTURE.laid_out(PICTURE.numbers())
    pixels = element(0x7FE00010, "OW", raw) if syntax == EXPLICIT else encapsulated([b"12"])
    return Head.from_bytes(b"".join(first) + overlay + pixels, syntax)


def ask(one: Head, settings: PixelSettings = SETTINGS, **said: bool) -> PixelDecision:
    return decide(one, settings, **said)


@pytest.mark.req("D-33")
def test_a_rule_gives_its_rectangles_and_the_first_that_fits_counts() -> None:
    job = RedactJob(rectangles=(Rectangle(0, 0, 80, 10), Rectangle(70, 50, 10, 10)))
    assert ask(head("ECHO 7")) == PixelDecision(job=job, cleaned=True, rule="banner")
    assert ask(head("Echo 8")).held == "burned-in state unknown"
    first = DeviceRule(name="first", where=((0x00080060, ("US",)),), clean=True)
    assert ask(head("Echo 7"), replace(SETTINGS, rules=(first, *SETTINGS.rules))).rule == "first"
    dose = head(sop_class=CT, modality="CT", image_type="DERIVED\\SECONDARY\\SCREEN SAVE")
    assert ask(dose).held
    sheet = head(
        *("x",),
        sop_class=CT,
        modality="CT",
        image_type="DERIVED\\SECONDARY\\SCREEN SAVE",
        description="Dose Report",
    )
    assert ask(sheet).rule == "dose sheets"


@pytest.mark.req("D-33")
def test_what_is_kept_is_the_ultrasound_regions_or_a_list() -> None:
    found = ask(head("Scanner", regions=((5, 6, 24, 35), (40, 6, 59, 35))))
    assert found.job == RedactJob(keep=(Rectangle(5, 6, 20, 30), Rectangle(40, 6, 20, 30)))
    assert ask(head("Scanner")).held == "it names no ultrasound regions"
    assert "outside the image" in ask(head("Scanner", regions=((5, 6, 80, 35),))).held
    assert "outside the image" in ask(head("Scanner", regions=((5, 6, 3, 35),))).held
    assert ask(head("Scanner", regions=((0, 0, 79, 59),))).held
    assert ask(head("Middle")).job == RedactJob(keep=(Rectangle(10, 10, 20, 20),))


@pytest.mark.req("D-33")
def test_a_rectangle_outside_of_the_image_holds() -> None:
    found = ask(head("Wide"))
    assert found.held.endswith("lies outside the image of 80 x 60")
    assert found.job is None
    assert not found.cleaned


@pytest.mark.req("D-33")
def test_a_rule_that_nobody_confirmed_is_no_rule() -> None:
    assert ask(head("New")).held == "burned-in state unknown"
    assert ask(head("New", sop_class=CT, modality="CT")) == PixelDecision()


@pytest.mark.req("D-32")
def test_clean_devices_pass_unless_the_object_says_yes() -> None:
    assert ask(head("Clean")) == PixelDecision(cleaned=True, rule="clean one")
    assert ask(head("Clean", burned="YES")).held
    assert ask(head("Clean", burned="YES"), approved=True).cleaned


@pytest.mark.req("D-32")
@pytest.mark.parametrize(
    ("burned", "modality", "sop_class", "believed", "held"),
    [
        ("YES", "CT", CT, False, True),
        ("YES", "CT", CT, True, True),
        ("yes", "CT", CT, False, True),
        ("PERHAPS", "CT", CT, False, True),
        ("NO\\YES", "CT", CT, False, True),
        ("NO", "CT", CT, False, False),
        ("", "CT", CT, False, False),
        ("", "US", US, False, True),
        ("", "US", US, True, True),
        ("NO", "US", US, False, True),
        ("NO", "US", US, True, False),
        ("YES", "US", US, True, True),
        ("", "CT", US, False, True),
        ("", "US", CT, False, True),
        ("", "", CT, False, True),
        ("", "MR", SC, False, True),
        ("", "OT", CT, False, True),
    ],
)
def test_burned_in_states(
    burned: str, modality: str, sop_class: str, believed: bool, held: bool
) -> None:
    one = head(burned=burned, modality=modality, sop_class=sop_class)
    found = ask(one, believed=believed)
    assert bool(found.held) is held
    assert found.job is None
    assert not found.cleaned
    if held:
        approved = ask(one, believed=believed, approved=True)
        assert approved == PixelDecision(cleaned=True)


@pytest.mark.req("D-32")
@pytest.mark.parametrize(
    ("image_type", "description", "conversion", "risk"),
    [
        ("DERIVED\\SECONDARY\\SCREEN SAVE", "", "", "screen"),
        ("ORIGINAL", "Screenshot 1", "", "screen"),
        ("DERIVED\\PRIMARY\\DOSE_INFO", "", "", "dose"),
        ("ORIGINAL", "Patient Protocol", "", "dose"),
        ("ORIGINAL", "", "DF", "film"),
        ("ORIGINAL", "", "WSD", "SC"),
    ],
)
def test_pictures_of_screens_sheets_and_films_are_at_risk_in_any_modality(
    image_type: str, description: str, conversion: str, risk: str
) -> None:
    one = head(
        modality="CT",
        sop_class=CT,
        image_type=image_type,
        description=description,
        conversion=conversion,
    )
    found = ask(one)
    assert found.held == "burned-in state unknown"
    assert risk in found.risks
    fewer = replace(SETTINGS, risk=frozenset(RISKS) - set(found.risks))
    assert not ask(one, fewer).held


@pytest.mark.req("D-32")
def test_a_person_is_asked_only_where_the_profile_says_so() -> None:
    assert not ask(head()).approvable
    assert ask(head(), replace(SETTINGS, unknown="approve")).approvable


OVERLAY = element(0x60000010, "US", 60) + element(0x60000102, "US", 12)


@pytest.mark.req("D-20")
def test_overlays_in_high_bits_are_zeroed_and_hold_what_is_compressed() -> None:
    one = head(modality="MR", sop_class=CT, overlay=OVERLAY)
    assert ask(one).job == RedactJob(unused_bits=True)
    assert ask(one, PixelSettings(clean=False)).job == RedactJob(unused_bits=True)
    assert ask(head("Echo 7", overlay=OVERLAY)).job == replace(
        ask(head("Echo 7")).job or RedactJob(), unused_bits=True
    )
    data = OVERLAY + element(0x60003000, "OW", bytes(600))
    assert ask(head(modality="MR", sop_class=CT, overlay=data)) == PixelDecision()
    both = element(0x60000100, "US", 16) + element(0x60003000, "OW", bytes(600))
    assert ask(head(modality="MR", sop_class=CT, overlay=both)).job == RedactJob(unused_bits=True)
    packed = head(modality="MR", sop_class=CT, overlay=OVERLAY, syntax=RLE)
    assert "high bits" in ask(packed).held
    assert "high bits" in ask(packed, approved=True).held


@pytest.mark.req("D-35")
def test_videos_are_held_and_lossy_objects_where_the_profile_says_so() -> None:
    assert "video" in ask(head("Echo 7", syntax=MPEG4)).held
    assert ask(head("Echo 7", syntax=JPEG)).job
    assert "loss" in ask(head("Echo 7", syntax=JPEG), replace(SETTINGS, lossy="hold")).held


def test_without_the_option_and_without_pixels_there_is_nothing_to_decide() -> None:
    assert ask(head(burned="NO"), PixelSettings(clean=False)) == PixelDecision()
    none = element(0x00080016, "UI", US) + element(0x00280301, "CS", "YES")
    assert ask(Head.from_bytes(none, EXPLICIT)) == PixelDecision()
    elsewhere = none + element(0x00287FE0, "UR", "http://x")
    assert ask(Head.from_bytes(elsewhere, EXPLICIT)).held


@pytest.mark.req("D-32", "D-39")
def test_what_says_that_it_shows_the_patient_is_held_without_the_option_too() -> None:
    plain = PixelSettings(clean=False)
    assert "show who it is" in ask(head(burned="YES"), plain).held
    assert not ask(head(burned="YES"), plain).approvable
    assert ask(head(burned="YES"), replace(plain, unknown="approve")).approvable
    assert ask(head(burned="YES"), plain, approved=True) == PixelDecision()


@pytest.mark.req("D-39")
@pytest.mark.parametrize(("more", "held"), [(0, False), (2, True), (64, True)])
def test_bytes_behind_the_image_do_not_leave(more: int, held: bool) -> None:
    data = b"".join(
        (
            *(element(0x00080016, "UI", CT), element(0x00080060, "CS", "CT")),
            *(element(0x00280002, "US", 1), element(0x00280008, "IS", "2")),
            *(element(0x00280010, "US", 5), element(0x00280011, "US", 5)),
            *(element(0x00280100, "US", 8), element(0x7FE00010, "OB", bytes(50 + more))),
        )
    )
    one = Head.from_bytes(data, EXPLICIT)
    assert bool(ask(one, PixelSettings(clean=False)).held) is held


def test_numbers_of_implicit_and_big_endian_heads_are_read() -> None:
    rule = DeviceRule(name="x", sizes=((60, None),))
    plain = b"\x28\0\x10\0\2\0\0\0\x3c\0"
    assert fits(rule, Head.from_bytes(plain, IMPLICIT))
    big = b"\0\x28\0\x10US\0\2\0\x3c"
    assert fits(rule, Head.from_bytes(big, "1.2.840.10008.1.2.2"))


@pytest.mark.parametrize(
    ("pattern", "value", "fit"),
    [
        ("echo", "ECHO", True),
        ("echo", "echo 7", False),
        ("echo*", "Echo 7", True),
        ("*7", "Echo 7", True),
        ("*cho*", "Echo 7", True),
        ("e*o*7", "Echo 7", True),
        ("e*o*o*7", "Echo 7", False),
        ("ab*ba", "aba", False),
        ("*", "", True),
        ("", "", True),
        ("", "x", False),
        ("a**b", "ab", True),
    ],
)
def test_patterns(pattern: str, value: str, fit: bool) -> None:
    assert matches(pattern, value) is fit


@pytest.mark.req("D-33")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "x: unknown"),
        ("device = 1", "expected a list of tables"),
        ("[[device]]\nclean = true", "fits every object"),
        ("[[device]]\nmodality = 1\nclean = true", "modality: expected a text"),
        ("[[device]]\nmodality = []\nclean = true", "modality: expected a text"),
        ('[[device]]\nmodality = "US"', "say rectangles or keep"),
        ('[[device]]\nmodality = "US"\nclean = true\nrectangles = [[0, 0, 1, 1]]', "not both"),
        ('[[device]]\nmodality = "US"\nkeep = "everything"', "us-regions"),
        ('[[device]]\nmodality = "US"\nkeep = []', "list of [left"),
        ('[[device]]\nmodality = "US"\nrectangles = [[0, 0, 1]]', "list of [left"),
        ('[[device]]\nmodality = "US"\nrectangles = [[0, 0, 1, true]]', "list of [left"),
        ('[[device]]\nmodality = "US"\nrectangles = [[0, 0, 0, 1]]', "has no area"),
        ('[[device]]\nmodality = "US"\nrows = 0\nclean = true', "number of pixels"),
        ('[[device]]\nmodality = "US"\nname = 3\nclean = true', "name: expected a text"),
        ('[[device]]\nmodell = "US"\nclean = true', "modell: unknown"),
        ('[[device]]\nother = { Nonsense = "x" }\nclean = true', "other.Nonsense"),
        ('[[device]]\nother = { PixelData = "x" }\nclean = true', "holds no text"),
        ('[[device]]\nmodality = "US"\nconfirmed = 1\nclean = true', "true or false"),
    ],
)
def test_a_rule_that_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_devices(tomllib.loads(text))


@pytest.mark.req("D-43")
def test_a_rule_is_offered_for_the_device_that_a_person_looked_at() -> None:
    one = head('Echo "9*"', image_type="DERIVED\\SECONDARY")
    for rectangles in ((Rectangle(0, 0, 80, 10), Rectangle(1, 2, 3, 4)), ()):
        (rule,) = read_devices(tomllib.loads(offered(one, "room 7", rectangles)))
        assert fits(rule, one)
        assert rule.rectangles == rectangles
        assert rule.clean is not bool(rectangles)
        assert rule.sizes == ((60, 80),)
        assert not fits(rule, head("Echo 8", image_type="DERIVED\\SECONDARY"))
        assert not fits(rule, head('Echo "9*"'))
