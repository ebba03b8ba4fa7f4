"""Any file gives settings or faults, never anything else."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_read import GOOD
from waystation.app.faults import ConfigFaults
from waystation.app.parts import NAMED
from waystation.app.read import load_text
from waystation.app.schema import as_toml
from waystation.app.settings import Settings
from waystation.app.settings_base import Table
from waystation.app.settings_dicom import DicomSettings, PeerSettings
from waystation.app.settings_kinds import KINDS
from waystation.app.settings_rule import RuleSettings

MODELS: tuple[type[Table], ...] = (
    Settings,
    DicomSettings,
    PeerSettings,
    RuleSettings,
    *KINDS.values(),
)
WORDS = ("archive", "to", "env", "file", "Modality", "any", "not", "ge", "first", "x y")
KEYS = st.sampled_from([*sorted({key for model in MODELS for key in model.model_fields}), *WORDS])
TEXTS = st.sampled_from(
    ["", "pacs", "archive", "30s", "5GB", "9" * 400 + "d", "/" + "x" * 300, "~nobody", "\0", "..",
     "dicom", "folder", "any", "*", "10.0.0.0/8", "always", "fixed:", "hold", "{x", "CT"]
) | st.text(max_size=3)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def settings_or_faults(text: str) -> None:
    result = outcome(text)
    if isinstance(result, ConfigFaults):
        assert result.faults
        assert all(fault.where.startswith("waystation.toml:") for fault in result.faults)


def outcome(text: str) -> Settings | ConfigFaults:
    try:
        return load_text(text, Path("waystation.toml"), {}).settings
    except ConfigFaults as error:
        return error


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_document_gives_settings_or_faults(document: dict[str, Any]) -> None:
    tables = {key: [value] if key in ("peer", "destination") else value
              for key, value in document.items() if not isinstance(value, dict)}  # fmt: skip
    nested = {key: value for key, value in document.items() if isinstance(value, dict)}
    inline = "".join(f"{line}\n" for line in as_toml({"x": tables}).splitlines()[1:])
    named = as_toml({key: value for key, value in nested.items() if all_tables(key, value)})
    settings_or_faults(inline + named)


def all_tables(key: str, value: dict[str, Any]) -> bool:
    """`as_toml` writes names under peer, destination and their like only if they are tables."""
    return key not in NAMED or all(isinstance(entry, dict) for entry in value.values())


@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(max_size=3))
def test_a_good_file_with_a_slip_of_the_pen_gives_settings_or_faults(
    at: int, length: int, slip: str
) -> None:
    settings_or_faults(GOOD[:at] + slip + GOOD[at + length :])
