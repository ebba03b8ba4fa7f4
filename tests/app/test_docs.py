"""The reference page says what the models say."""

from pathlib import Path

from waystation.app.reference import page, rows
from waystation.app.settings import Settings
from waystation.app.settings_base import Table
from waystation.app.settings_dicom import PeerSettings
from waystation.app.settings_kinds import KINDS
from waystation.app.settings_rule import RuleSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_committed_page_is_the_one_the_models_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m waystation.app.reference > docs/reference/configuration.md"
    )


def test_every_key_is_explained() -> None:
    models: list[type[Table]] = [Settings, PeerSettings, RuleSettings, *KINDS.values()]
    for model in models:
        for key, _, _, meaning in rows(model):
            assert meaning, key
