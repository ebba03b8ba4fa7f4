"""``verify`` of a destination: what may be written, and what could not work."""

import os
from pathlib import Path

import pytest

from waystation.app.faults import ConfigFaults
from waystation.app.read import load_text

PACS = '[destination.pacs]\nkind = "dicom"\nhost = "127.0.0.1"\nae_title = "PACS"\n'
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
SENDER = '[dicom]\npeers = "known"\n[peer.ct]\nae_title = "CT*"\naddress = ["127.0.0.1"]\n'


def warnings(extra: str, more: str = "") -> list[str]:
    loaded = load_text(PACS + extra + more + RULE + SENDER, Path("x.toml"), os.environ)
    return [str(one) for one in loaded.warnings]


@pytest.mark.req("R-60")
def test_a_destination_that_reports_has_to_be_let_in() -> None:
    (warned,) = warnings('verify = "commitment"\n')
    assert "destination.pacs.verify" in warned
    assert 'add a [peer.NAME] with ae_title = "PACS"' in warned
    peer = '[peer.pacs]\nae_title = "PACS"\naddress = ["127.0.0.1"]\n'
    assert warnings('verify = "commitment"\n', peer) == []
    assert warnings('verify = "query"\nverify_after = "4h"\n') == []


@pytest.mark.req("R-60")
@pytest.mark.parametrize("extra", ["commit_by = true\n", 'verify = "query"\ncommit_by = true\n'])
def test_only_a_promise_can_stand_for_a_promise(extra: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        warnings(extra)
    assert "destination.pacs.commit_by" in str(caught.value.faults[0])
    assert 'needs verify = "commitment"' in str(caught.value.faults[0])
