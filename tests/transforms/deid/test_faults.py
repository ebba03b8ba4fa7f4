"""Whatever breaks inside the engine, no byte leaves (D-39)."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, el
from tests.transforms.deid.treating import SECRET as TREATING_KEY
from tests.transforms.deid.treating import Row, encoded, engine, object_of
from waystation.dicom.head import Head
from waystation.transforms import deid
from waystation.transforms.deid.choice import meaning_of
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.needles import _made
from waystation.transforms.deid.result import NO_FACTS, Deidentified, DeidFacts, Held

SECRET = "Muster-4711-Geheim"
# The way in, and what only describes or reads profiles, is no part of a treatment.
OUTSIDE = {"Deidentifier.treat", "Deidentifier.__init__", "Deidentifier.tools_digest"}
# The ways into verification: what they raise, the belts take for a failure.
OUTSIDE |= {"Check.over", "Check.refusal", "Pass.__init__"}
OUTSIDE |= {"Pass.feed", "Pass.faults", "Pass.refusal"}
READERS = {"profile_read", "device_rules", "words", "__init__"}
CODE: list[Row] = [(0x00080100, "SH", "121033"), (0x00080102, "SH", "DCM")]
AGED: list[Row] = [
    (0x0040A040, "CS", "NUM"),
    (0x0040A043, "SQ", [CODE]),
    (0x0040A300, "SQ", [[(0x0040A30A, "DS", "50")]]),
]
CHARACTERISTICS: list[Row] = [
    (0x00080301, "US", b"\x29\0"),
    (0x00080302, "LO", "ACME"),
    (0x00080303, "CS", "MIXED"),
    (0x00080304, "US", b"\x10\0\x11\0"),
]
ROWS: list[Row] = [
    (0x00080005, "CS", "ISO_IR 100"),
    (0x00080020, "DA", "20200310"),
    (0x0008002A, "DT", "20200310101112"),
    (0x00080030, "TM", "101112"),
    (0x00080022, "DA", "unreadable"),
    (0x00080050, "SH", "ACC"),
    (0x00080055, "AE", "PACS"),
    (0x00080300, "SQ", [CHARACTERISTICS]),
    (0x00081030, "LO", "Chest 5 mm Muster"),
    (0x00081050, "PN", "Hand^840"),
    (0x00081115, "SQ", [[(0x0020000E, "UI", "1.2.3.4.5.7")]]),
    (0x00081140, "SQ", [[(0x00081155, "UI", "1.2.3.4.5.6")]]),
    (0x00082218, "SQ", [[(0x00080100, "SH", "1"), (0x00080102, "SH", "99X")]]),
    (0x00100040, "CS", "M"),
    (0x00101010, "AS", "095Y"),
    (0x00120010, "LO", "Sponsor"),
    (0x00120040, "LO", "Subject"),
    (0x00181160, "SH", b"M\xfcller of 1.2.3.4.5.6"),
    (0x00187050, "CS", "1.2.3.9.9.9"),
    (0x00200010, "SH", "7"),
    (0x00290010, "LO", "ACME"),
    (0x00291010, "LO", "safe"),
    (0x00291011, "DA", "20200310"),
    (0x52009229, "SQ", [[(0x00100010, "PN", "A"), (0x00100020, "LO", "B")]]),
    (0x00400555, "SQ", [AGED]),
    (0x60000010, "US", b"\2\0"),
    (0x60000022, "LO", "chest"),
    (0x60003000, "OW", b"\0\1"),
    (0x00700001, "SQ", [[(0x00700009, "SQ", [[(0x00700022, "FL", bytes(8))]])]]),
    (0x00280010, "US", b"\1\0"),
    (0x00280011, "US", b"\1\0"),
    (0x00180015, "CS", "HAND"),
    (0x00181161, "LO", "x https://1.2.3.4.5.6"),
]
RULES = '[[device]]\nname = "x"\nmodality = "C*T"\nmodel = "Z"\nrectangles = [[0, 0, 1, 1]]\n'
REGIONS = '[[device]]\nname = "x"\nmodality = "U*"\nkeep = "us-regions"\n'
REGION: list[Row] = [(tag, "UL", b"\0\0\0\0") for tag in (0x00186018, 0x0018601A)]
REGION += [(tag, "UL", b"\4\0\0\0") for tag in (0x0018601C, 0x0018601E)]
FACTS = DeidFacts(approved=True, trusted=True)


def _profile() -> Deidentifier:
    return engine(
        *("retain_modified_dates", "retain_patient_characteristics", "clean_descriptors"),
        *("clean_structured_content", "retain_device_identity", "clean_graphics"),
        *("retain_safe_private", "clean_pixel_data", "clean_recognizable_visual_features"),
        files={"safe": "creator,group,element\nACME,0029,10\nACME,0029,11\n", "rules": RULES},
        private={"safe": ["safe"]},
        pixels={"rules": ["rules"]},
        text={"mode": "allow-list"},
        pseudonym={"prefix": "P-", "also": ["subject", "accession", "study"]},
        rule=[{"tag": "PatientSex", "do": "dummy", "value": "F"}],
    )


def _head(*more: Row, sop_class: str = "1.2.840.10008.5.1.4.1.1.2", modality: str = "CT") -> Head:
    given = {row[0] for row in more}
    rows = [row for row in ROWS if row[0] not in given]
    made = encoded(object_of(*rows, *more, sop_class=sop_class, modality=modality))
    data = made + el(0x7FE00010, "OW", b"\1\2")
    return Head.from_bytes(data, EXPLICIT)


def _sealing(who: Deidentifier) -> Deidentifier:
    return Deidentifier(who.profile, KEYS, version="1", seal=_scrambled)


def _scrambled(content: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in content)


def _cases() -> Iterator[tuple[Deidentifier, Head, DeidFacts]]:
    """Objects and profiles that lead through every function of the engine."""
    pdf = "1.2.840.10008.5.1.4.1.1.104.1"
    yield _sealing(_profile()), _head(), FACTS
    yield engine(documents="dummy"), _head((0x00420011, "OB", b"%PDF"), sop_class=pdf), FACTS
    ultrasound = _head(
        *((0x00280010, "US", b"\x09\0"), (0x00280011, "US", b"\x09\0")),
        (0x00186011, "SQ", [REGION]),
        sop_class="1.2.840.10008.5.1.4.1.1.6.1",
        modality="US",
    )
    yield (
        engine(
            "clean_pixel_data", files={"r": REGIONS}, pixels={"rules": ["r"]}, unlisted="remove"
        ),
        ultrasound,
        DeidFacts(),
    )
    nameless = _head((0x00100020, "LO", ""))
    risky = engine("clean_pixel_data", missing_id="study", pixels={"risk": ["dose"]})
    yield risky, nameless, NO_FACTS
    palette = _head((0x00100020, "LO", ""), sop_class="1.2.840.10008.5.1.4.39.1")
    yield engine(), palette, NO_FACTS
    mammogram = _head(
        (0x00540220, "SQ", [[(0x00080100, "SH", "1"), (0x00080102, "SH", "99X")]]),
        sop_class="1.2.840.10008.5.1.4.1.1.1.2",
    )
    yield engine("clean_descriptors"), mammogram, NO_FACTS
    report = _head((0x0040A730, "SQ", [AGED]), sop_class="1.2.840.10008.5.1.4.1.1.88.33")
    yield engine(documents="dummy", missing_id="study"), report, FACTS


def _modules() -> list[ModuleType]:
    """Return the modules that a treatment runs through: the engine and what it imports."""
    todo, found = ["engine"], dict[str, ModuleType]()
    while todo:
        name = todo.pop()
        if name in found or name in READERS:
            continue
        found[name] = module = importlib.import_module(f"{deid.__name__}.{name}")
        homes = [
            str(getattr(one, "__module__", None) or getattr(one, "__name__", ""))
            for one in vars(module).values()
        ]
        todo += [home.rpartition(".")[2] for home in homes if home.startswith(deid.__name__ + ".")]
    return list(found.values())


def _functions() -> Iterator[tuple[str, Any, str]]:
    """Yield (name, owner, attribute) of every function and method of the engine."""
    for module in _modules():
        for name, found in vars(module).items():
            if getattr(found, "__module__", "") != module.__name__:
                continue
            if inspect.isclass(found) and not issubclass(found, Exception):
                for part, method in vars(found).items():
                    whole = f"{name}.{part}"
                    plain = not part.startswith("__") or part == "__init__"
                    if callable(method) and plain and whole not in OUTSIDE:
                        yield f"{module.__name__.rpartition('.')[2]}.{whole}", found, part
            elif inspect.isfunction(found) or hasattr(found, "cache_info"):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", module, name


FUNCTIONS = sorted(_functions(), key=lambda one: one[0])


def _raising(name: str, called: list[str]) -> Callable[..., Any]:
    def broken(*_args: Any, **_more: Any) -> Any:
        called.append(name)
        raise RuntimeError(f"{name} broke over {SECRET}")

    return broken


def _everywhere(monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str, new: Any) -> None:
    """Replace a function wherever it was imported to, tables of functions included."""
    old = vars(owner)[attribute]
    monkeypatch.setattr(owner, attribute, new)
    for module in _modules():
        for name, found in list(vars(module).items()):
            if found is old:
                monkeypatch.setattr(module, name, new)
            elif isinstance(found, dict):
                for key, value in list(found.items()):
                    if value is old:
                        monkeypatch.setitem(found, key, new)


def _fresh(who: Deidentifier) -> Deidentifier:
    """Return one that remembers nothing."""
    return Deidentifier(who.profile, KEYS, version="1", seal=vars(who)["_seal"])


def _left(who: Deidentifier, head: Head, facts: DeidFacts) -> Deidentified | Held:
    """Return what would leave after verification."""
    found = who.treat(head, facts)
    if isinstance(found, Held) or found.check is None:
        return found
    why = found.check.refusal(EXPLICIT, [found.head, el(0x7FE00010, "OW", b"\1\2")])
    return Held(why=why) if why else found


KEYS = derive(TREATING_KEY, "key")
CASES = list(_cases())
PLAIN = [_left(who, head, facts) for who, head, facts in CASES]
# What reads keys, lists and tables, seals, restores and reports is not part of a treatment.
ELSEWHERE = (
    *("keys.derive", "keys.fingerprint", "keys.read_secret", "private._row", "private.read_safe"),
    *("pseudonyms.Crosswalk", "pseudonyms._add", "pseudonyms._days", "pseudonyms.read_table"),
    *("originals.envelopes_of", "originals.restore", "originals.head_syntax", "text.read_words"),
    # Only for images in pieces.
    "tile_parts.",
    # Only where something was found.
    *("verify.Pass._look_into", "verify.Pass._note", "verify._words"),
    # What belts and commands ask beside a treatment.
    *("engine.Deidentifier.allocation", "engine.Deidentifier.is_sample"),
    "engine.Deidentifier.study_named",
    *("engine.Deidentifier.patient", "engine.Deidentifier.study_of", "result.Report.as_dict"),
    "refusals.may_show_a_face",
    # What looks at the bytes afterwards has tests of its own.
    *("verify", "needles.", "traces.", "judging.", "documents.", "segments."),
)


@pytest.mark.req("D-39", "D-48")
@pytest.mark.parametrize(
    ("name", "owner", "attribute"), FUNCTIONS, ids=[one[0] for one in FUNCTIONS]
)
def test_a_fault_in_any_function_holds_the_object(
    name: str, owner: Any, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = PLAIN
    called: list[str] = []
    _everywhere(monkeypatch, owner, attribute, _raising(name, called))
    for (who, head, facts), before in zip(CASES, plain, strict=True):
        called.clear()
        try:
            fresh = _fresh(who)
        except RuntimeError:
            continue
        found = _left(fresh, head, facts)
        if called:
            assert isinstance(found, Held), name
            assert SECRET not in found.why
            assert "RuntimeError" in found.why
        else:
            assert found == before


@pytest.mark.req("D-39")
def test_the_cases_lead_through_nearly_every_function() -> None:
    assert all(isinstance(one, Deidentified) for one in PLAIN), PLAIN
    reached: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and "/deid/" in frame.f_code.co_filename:
            reached.add((Path(frame.f_code.co_filename).stem, frame.f_code.co_name))

    meaning_of.cache_clear()
    _made.cache_clear()
    sys.setprofile(note)
    try:
        for who, head, facts in CASES:
            _left(_fresh(who), head, facts)
    finally:
        sys.setprofile(None)
    missed = [
        name
        for name, _, part in FUNCTIONS
        if part != "__init__"
        and not name.startswith(ELSEWHERE)
        and (name.split(".")[0], part) not in reached
    ]
    assert not missed


@pytest.mark.req("D-39")
def test_reasons_show_nothing_of_the_patient() -> None:
    who = engine("retain_modified_dates")
    head = Head.from_bytes(encoded(object_of((0x00080020, "DA", "19000101"))), EXPLICIT)
    found = who.treat(head)
    assert isinstance(found, Held)
    for secret in ("Muster", "4711", "19000101"):
        assert secret not in found.why
