"""The order of steps, and that nothing half-treated leaves whatever goes wrong inside."""

import importlib
import inspect

import pytest

from tests.dicom.building import el
from tests.transforms.editing import FACTS, head_of, tools_of
from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.model.recipe import Recipe, digest_of
from waystation.transforms.steps import DeidResult, Failed, StepFacts, Tools, Treated, apply

pytestmark = pytest.mark.req("R-65")

PATIENT = el(0x00100020, "LO", b"123 ")
MODULES = ("edit", "edit_paths", "edit_values", "edit_charset", "edit_origin", "edit_template")
EDITS = (
    {"set": "PatientName", "to": "{PatientID}^ü", "charset": "utf-8"},
    {"remove": "private"},
    {"copy": "PatientID", "to": "AccessionNumber"},
    {"new_uids": True},
)


def functions() -> list[tuple[str, str]]:
    found = []
    for module in MODULES:
        loaded = importlib.import_module(f"waystation.transforms.{module}")
        for name, value in vars(loaded).items():
            if inspect.isfunction(value) and value.__module__ == loaded.__name__:
                found.append((f"waystation.transforms.{module}", name))
    return found


@pytest.mark.req("RT-11")
@pytest.mark.parametrize(("module", "name"), functions())
def test_a_fault_in_any_function_of_an_edit_holds(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tools_of(*EDITS)
    head = head_of(PATIENT, el(0x00190010, "LO", b"ACME"), el(0x0020000D, "UI", b"1.2.3.4.5\0"))
    asked: list[int] = []

    def fault(*_args: object, **_more: object) -> object:
        asked.append(1)
        raise ZeroDivisionError("PATIENT 123")

    loaded = importlib.import_module(module)
    for other in (*MODULES, "steps"):
        place = importlib.import_module(f"waystation.transforms.{other}")
        if vars(place).get(name) is vars(loaded)[name] and place is not loaded:
            monkeypatch.setattr(place, name, fault)
    monkeypatch.setattr(loaded, name, fault)
    done = apply(head, tools, FACTS)
    if asked:
        assert isinstance(done, Failed)
        assert done.reason is HoldReason.RULE_ERROR
        assert "123" not in done.why
    else:
        assert isinstance(done, Treated)


class Broken:
    """De-identification with a fault."""

    digest = "d"

    def __init__(self, made: bytes | None = None) -> None:
        self._made = made

    def __call__(self, head: Head, facts: StepFacts) -> DeidResult:
        if self._made is None:
            raise RuntimeError("patient 123")
        return DeidResult(head=self._made, mark="m")


@pytest.mark.req("R-69", "D-39")
@pytest.mark.parametrize("broken", [Broken(), Broken(b"\x10\0\x20\0LO\xff\0x")])
def test_whatever_de_identification_does_wrong_holds(broken: Broken) -> None:
    done = apply(head_of(PATIENT), Tools(digest="d", deidentify=broken), FACTS)
    assert isinstance(done, Failed)
    assert done.reason is HoldReason.DEID_FAILED
    assert "123" not in done.why


def test_equal_steps_are_one_recipe_however_they_are_written() -> None:
    one = Recipe.of(validate=["a"], edit=[{"set": "PatientID", "to": "é"}], deidentify="r")
    other = Recipe.of(validate=("a",), edit=({"to": "é", "set": "PatientID"},), deidentify="r")
    assert one.text == other.text
    assert one.digest == digest_of(one.text)
    assert len(one.digest) == 16
    assert Recipe.from_text(one.text) == one
    assert (Recipe().text, Recipe().digest) == ("", "")
    assert one.words == "validate a, edit (1), de-identify r"
    assert one.unchecked().validate == ()
    assert len(one.with_edits({"set": "StudyID", "to": "1"}).edits) == 2
    with pytest.raises(ValueError, match="no recipe"):
        Recipe.from_text('{"edits": []}')
