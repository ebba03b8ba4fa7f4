"""``[archive]``: areas, retention, and who may send there."""

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.settings_archive import ArchiveDestination
from waystation.app.wiring_archive import keys_of, retention_rules
from waystation.model.query import Key

RULE = '[[rule]]\nname = "r"\nsend = ["archive"]\n'


@pytest.mark.req("T-29", "R-54")
def test_the_archive_needs_no_table_and_goes_when_it_is_switched_off(read: Load) -> None:
    assert isinstance(read("").settings.destination["archive"], ArchiveDestination)
    assert "archive" not in read("[archive]\nenabled = false\n").settings.destination
    own = '[destination.archive]\nkind = "folder"\npath = "out"\n[[rule]]\nname = "r"\n'
    assert read(f'{own}send = ["archive"]\n').settings.destination["archive"].kind == "folder"


@pytest.mark.req("T-30")
def test_a_retention_rule_is_what_its_table_says(read: Load) -> None:
    (rule,) = retention_rules(
        read(
            '[archive.retention.us]\nolder_than = "30d"\nonly_above = "2TiB"\n'
            'when = { ModalitiesInStudy = ["US", "XA"], StudyDescription = "*A*" }\n'
        ).settings
    )
    assert (rule.name, rule.older_than_s, rule.only_above_bytes) == ("us", 2_592_000.0, 2 << 40)
    assert rule.keys == (
        Key(0x00080061, "CS", ("US", "XA")),
        Key(0x00081030, "LO", ("*A*",)),
    )
    assert not rule.dry_run
    assert keys_of(None) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[archive.area.a]\nae_title = "WAYSTATION"\n',
            "2 archive.area.a.ae_title: is the node's own AE title already",
        ),
        (
            '[archive.area.a]\nae_title = "A"\n[archive.area.b]\nae_title = "A"\n',
            '4 archive.area.b.ae_title: is the "a" area\'s AE title already',
        ),
        (
            '[archive.area.a]\nae_title = "A"\npeers = ["nobody"]\n',
            '3 archive.area.a.peers: no peer "nobody"',
        ),
        (
            '[archive.area.a]\nae_title = "A"\nwhen = { Modalty = "CT" }\n',
            "3 archive.area.a.when: no element is called 'Modalty' (did you mean Modality?)",
        ),
        (
            '[archive.area.a]\nae_title = "A"\nwhen = { StudyDate = "May" }\n',
            "3 archive.area.a.when: StudyDate: write YYYYMMDD",
        ),
        (
            '[archive.area.a]\nae_title = "A"\nwhen = { Modality = 5 }\n',
            "3 archive.area.a.when: Modality: expected a text",
        ),
        (
            '[archive.retention.old]\nwhen = { Modality = "CT" }\n',
            "1 archive.retention.old.older_than: is missing",
        ),
        (
            '[archive]\nenabled = false\n[destination.long]\nkind = "archive"\n',
            "4 destination.long.kind: the archive is switched off",
        ),
        (
            f'{RULE}edit = [ {{ remove = "PatientComments" }} ]\n',
            "3 rule.r.send: the archive keeps",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_line(text: str, expected: str, faults: Complain) -> None:
    said = faults(text)
    assert any(fault.startswith(f"waystation.toml:{expected}") for fault in said), said
