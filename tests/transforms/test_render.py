"""What an object looks like: windows, tables, colours, views, marks (W-86 to W-88)."""

import base64
import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from tests.objects.pictures import (
    CT,
    STATE,
    as_pydicom,
    item,
    named,
    picture,
    pixels_of,
    rendered,
    shown,
    stored,
)
from tests.objects.public import as_dataset, public
from tests.objects.study import uid_of
from waystation.transforms.errors import UnfitError
from waystation.transforms.render_job import (
    REPRESENTATIVE,
    RenderJob,
    View,
    Window,
    quality_of,
    view_of,
    window_of,
)

RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)
GREYS = [
    *("693_J2KI.dcm", "CT_small.dcm", "JPEG2000.dcm", "MR_small.dcm", "MR_small_RLE.dcm"),
    *("MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_padded.dcm", "image_dfl.dcm"),
    *("examples_overlay.dcm", "rtdose_1frame.dcm", "liver_1frame.dcm"),
]


def _expected(data_set: Any) -> Any:
    """Return the shades as pydicom's own functions give them, 0 to 255."""
    frame = data_set.pixel_array
    meant = apply_modality_lut(frame, data_set)
    if "WindowWidth" not in data_set:
        low, high = float(meant.min()), float(meant.max())
        return (meant - low) / max(high - low, 1) * 255
    found = apply_voi_lut(meant, data_set).astype(float)
    bits, signed = data_set.BitsStored, data_set.PixelRepresentation
    ends = np.array([-(1 << bits - 1), (1 << bits - 1) - 1] if signed else [0, (1 << bits) - 1])
    low, high = apply_modality_lut(ends, data_set).astype(float)
    return (found - low) / (high - low) * 255


@pytest.mark.req("W-86")
@pytest.mark.parametrize("name", GREYS)
def test_real_images_have_the_shades_that_another_reader_finds(name: str) -> None:
    one = public()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _expected(as_dataset(one))
    assert np.abs(shown(one) - expected).max() <= 1


@pytest.mark.req("W-86")
def test_windows_follow_the_formulas_of_the_standard() -> None:
    image = picture(RAMP, RescaleSlope="2", RescaleIntercept="-100")
    meant = RAMP * 2.0 - 100
    linear = ((meant - (100 - 0.5)) / (200 - 1) + 0.5).clip(0, 1) * 255
    exact = ((meant - 100) / 200 + 0.5).clip(0, 1) * 255
    sigmoid = 255 / (1 + np.exp(-4 * (meant - 100) / 200))
    for function, expected in (("linear", linear), ("linear-exact", exact), ("sigmoid", sigmoid)):
        made = shown(image, window=Window(100, 200, function))
        assert np.abs(made - expected).max() <= 0.51
    said = {"WindowCenter": "100", "WindowWidth": "200", "VOILUTFunction": "SIGMOID"}
    own = picture(RAMP, RescaleSlope="2", RescaleIntercept="-100", **said)
    assert np.abs(shown(own) - sigmoid).max() <= 0.51
    step = shown(image, window=Window(100, 1, "linear"))
    assert (step == np.where(meant > 99.5, 255, 0)).all()


@pytest.mark.req("W-86")
def test_tables_bits_beyond_the_stored_ones_and_inversion_are_honoured() -> None:
    table = item(LUTDescriptor=[256, 0, 8], LUTData=bytes(reversed(range(256))))
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    assert (shown(picture(RAMP, VOILUTSequence=[table])) == 255 - RAMP).all()
    dirty = picture(RAMP | 0xF000, BitsStored=8, HighBit=7, WindowCenter="128", WindowWidth="256")
    assert (shown(dirty) == RAMP).all()
    high = picture(RAMP << 4, BitsStored=8, HighBit=11, WindowCenter="128", WindowWidth="256")
    assert (shown(high) == RAMP).all()
    signed = picture((RAMP.astype(np.int16) - 128), WindowCenter="0", WindowWidth="256")
    assert (shown(signed) == RAMP).all()
    inverse = picture(RAMP, PhotometricInterpretation="MONOCHROME1")
    assert (shown(inverse) == 255 - RAMP).all()
    several = picture(RAMP, WindowCenter=["9000", "128"], WindowWidth=["2", "256"])
    assert (shown(several, choice="window:2") == RAMP).all()
    assert not shown(several).any()
    with pytest.raises(UnfitError, match="2 windows, and no number 3"):
        shown(several, choice="window:3")


@pytest.mark.req("W-86")
def test_padding_does_not_darken_what_has_no_window() -> None:
    pixels = RAMP.astype(np.int16)
    pixels[0, 0] = -2000
    made = shown(picture(pixels, PixelPaddingValue=-2000))
    assert made[0, 0] == 0
    assert (made.ravel()[1:] == np.rint((RAMP.ravel()[1:] - 1) * 255 / 254)).all()


@pytest.mark.req("W-86")
def test_numbers_that_are_nonsense_leave_a_picture() -> None:
    said = {"WindowCenter": "12", "WindowWidth": "-5", "RescaleSlope": "0"}
    assert (shown(picture(RAMP, **said)) == RAMP).all()
    assert not shown(picture(np.full((4, 4), 7, np.uint16))).any()
    floats = named(1, Rows=2, Columns=2, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2")
    floats.BitsAllocated = 32
    values = np.array([0, 1, math.nan, 2], "<f4")
    floats.add_new(0x7FE00008, "OF", values.tobytes())
    assert shown(stored(floats)).ravel().tolist() == [0, 128, 0, 255]


@pytest.mark.req("W-86")
def test_colours_come_out_as_red_green_blue() -> None:
    rgb = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)
    assert (shown(picture(rgb)) == rgb).all()
    grey = np.full((2, 2, 3), 128, np.uint8)
    assert (shown(picture(grey, PhotometricInterpretation="YBR_FULL")) == 128).all()
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1)).reshape(2, 2, 3)
    assert (shown(picture(planes, PlanarConfiguration=1)) == rgb).all()
    palette = {
        f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16]
        for name in ("Red", "Green", "Blue")
    }
    ramp = (np.arange(256, dtype="<u2") << 8).tobytes()
    tables = {"Red": ramp, "Green": bytes(512), "Blue": ramp[::-1][1:] + b"\0"}
    data = {f"{name}PaletteColorLookupTableData": raw for name, raw in tables.items()}
    index = picture(
        RAMP.astype(np.uint8), PhotometricInterpretation="PALETTE COLOR", **palette, **data
    )
    made = shown(index)
    assert (made[:, :, 0] == RAMP).all()
    assert not made[:, :, 1].any()
    broken = picture(RAMP.astype(np.uint8), PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(UnfitError, match="palette"):
        shown(broken)


@pytest.mark.req("W-87")
def test_a_view_keeps_the_aspect_cuts_and_mirrors() -> None:
    image = picture(
        np.tile(np.arange(64, dtype=np.uint8), (32, 1)), WindowCenter="128", WindowWidth="256"
    )
    assert shown(image, view=View(32, 32)).shape == (16, 32)
    assert shown(image, view=View(128, 128)).shape == (64, 128)
    assert shown(image, view=View(128, 128), enlarge=False).shape == (32, 64)
    cut = shown(image, view=View(8, 8, 8, 8, 8, 8))
    assert (cut == np.arange(8, 16)).all()
    assert (shown(image, view=View(8, 8, 8, 8, -8, 8)) == np.arange(15, 7, -1)).all()
    assert shown(image, view=View(64, 64, 56, 0, 64, 8)).shape == (64, 64)
    with pytest.raises(UnfitError, match="no part"):
        shown(image, view=View(8, 8, 64, 0))


@pytest.mark.req("W-87")
@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((window_of, text) for text in ("", "40", "40,400", "40,x,linear", "40,0,linear")),
        *((window_of, text) for text in ("40,400,cubic", "nan,400,linear", "1,0,sigmoid")),
        *((window_of, text) for text in ("40,400,linear,1", "1e999,1,linear")),
        *((view_of, text) for text in ("", "10", "0,10", "10,-1", "10,10,1", "1,1,x", "9999999,1")),
        *((view_of, text) for text in ("30000,30000", "9,9,0,0,0,5", "9,9,-1,0", "9,9,1,1,1,1,1")),
        *((quality_of, text) for text in ("", "0", "101", "x", "1.5", "-1", "²")),
    ],
)
def test_parameters_that_mean_nothing_are_refused_with_a_sentence(read: Any, text: str) -> None:
    if read is view_of and text == "10,10,1":
        assert view_of(text) == View(10, 10, 1.0)
        return
    with pytest.raises(ValueError, match=r" "):
        read(text)


def test_parameters_mean_what_the_standard_says() -> None:
    assert window_of("40.5,400,linear-exact") == Window(40.5, 400, "linear-exact")
    assert view_of("10,20,,,-5,") == View(10, 20, None, None, -5.0, None)
    assert quality_of("100") == 100
    with pytest.raises(ValueError, match="width,height"):
        view_of("1,1,1,1", part=False)
    job = RenderJob(
        frames=(1, 2), window=Window(1, 2), view=View(3, 4, 0.5), presentation=("a", "b")
    )
    assert RenderJob.of_text(job.text()) == job


@pytest.mark.req("W-86")
def test_frames_come_in_the_order_asked_each_with_its_own_values() -> None:
    frames = np.stack([RAMP, RAMP, RAMP])
    groups = [
        item(
            PixelValueTransformationSequence=[
                item(RescaleSlope="1", RescaleIntercept=str(number), RescaleType="US")
            ],
            FrameVOILUTSequence=[item(WindowCenter="128.5", WindowWidth="256")],
        )
        for number in (0, 10, 20)
    ]
    one = picture(
        frames, PerFrameFunctionalGroupsSequence=groups, SharedFunctionalGroupsSequence=[]
    )
    said, made = rendered(one, RenderJob(kind="png", frames=(2, 0)))
    assert (said.frames, said.pictures, said.first) == (3, 2, 2)
    first, second = map(pixels_of, made)
    assert (first[0, 0], second[0, 0]) == (20, 0)
    assert rendered(one, RenderJob(frames=(REPRESENTATIVE,)))[0].first == 1
    assert rendered(one, RenderJob(frames=(3,))) == ((3, 0, 0), [])
    moving = rendered(one, RenderJob(kind="gif"))
    assert (moving[0].pictures, len(moving[1]), moving[1][0][:6]) == (1, 1, b"GIF89a")
    sixteen = pixels_of(rendered(one, RenderJob(kind="png16", frames=(0,)))[1][0])
    assert len(np.unique(sixteen)) == 256
    assert sixteen.max() > 65_000


@pytest.mark.req("W-87", "W-88")
def test_words_and_planes_are_drawn_only_when_asked_for() -> None:
    dark = np.zeros((200, 200), np.uint16)
    plane = np.zeros(200 * 200, np.uint8)
    plane[:200] = 1
    image = picture(dark)
    data = with_plane(image, plane)
    assert not shown(data).any()
    over = shown(data, overlays=True)
    assert over[0].all()
    assert not over[1:].any()
    assert shown(data, annotation=("patient",))[:40].any()
    assert not shown(data, annotation=("patient",))[100:].any()
    assert shown(data, annotation=("technique",))[100:].any()
    risky = picture(RAMP, BurnedInAnnotation="YES")
    assert shown(risky).any()
    with pytest.raises(UnfitError, match="identity"):
        shown(risky, small=True)


def with_plane(image: Any, plane: Any) -> Any:
    """Return ``image`` with an overlay plane."""
    data_set = as_pydicom(image)
    data_set.add_new(0x60000010, "US", 200)
    data_set.add_new(0x60000011, "US", 200)
    data_set.add_new(0x60000040, "CS", "G")
    data_set.add_new(0x60000050, "SS", [1, 1])
    data_set.add_new(0x60003000, "OW", np.packbits(plane, bitorder="little").tobytes())
    return stored(data_set)


@pytest.mark.req("W-86")
def test_a_presentation_state_says_how_its_image_looks() -> None:
    image = picture(RAMP, "target", WindowCenter="1", WindowWidth="1")
    state = named(
        "state",
        SOPClassUID=STATE,
        Modality="PR",
        SoftcopyVOILUTSequence=[
            item(
                ReferencedImageSequence=[item(ReferencedSOPInstanceUID=uid_of("x"))],
                WindowCenter="0",
                WindowWidth="2",
            ),
            item(
                ReferencedImageSequence=[
                    item(
                        ReferencedSOPClassUID=CT,
                        ReferencedSOPInstanceUID=uid_of("picture", "target"),
                    )
                ],
                WindowCenter="128",
                WindowWidth="256",
            ),
        ],
        PresentationLUTShape="INVERSE",
        ImageRotation=90,
        ImageHorizontalFlip="N",
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge="1",
        ShutterRightVerticalEdge="16",
        ShutterUpperHorizontalEdge="2",
        ShutterLowerHorizontalEdge="16",
        ShutterPresentationValue=0,
    )
    text = base64.b64encode(stored(state).data_set).decode()
    made = shown(image, presentation=("1.2.840.10008.1.2.1", text))
    expected = 255 - RAMP
    expected[0] = 0
    assert (made == np.rot90(expected, -1)).all()


@pytest.mark.req("W-73")
def test_what_has_no_pixels_or_is_a_video_is_refused_in_words() -> None:
    for name in ("test-SR.dcm", "rtplan.dcm"):
        with pytest.raises(UnfitError, match="no pixels"):
            shown(public()[name])
    with pytest.raises(UnfitError, match="video"):
        rendered(replace(picture(RAMP), transfer_syntax="1.2.840.10008.1.2.4.102"), RenderJob())
