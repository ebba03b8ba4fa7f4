"""What `check` says about peers that query and retrieve."""

import pytest

from tests.app.conftest import Complain

PEER = '[peer.viewer]\nae_title = "VIEWER"\naddress = ["10.0.0.7"]\n'
PLACE = 'store_at = { host = "10.0.0.7", port = 104 }\n'


@pytest.mark.req("T-42")
def test_a_destination_of_moves_needs_a_plain_title(faults: Complain, warnings: Complain) -> None:
    said = faults(PEER.replace("VIEWER", "VIEW*") + PLACE)
    assert any("peer.viewer.store_at: needs an ae_title without wildcards" in one for one in said)
    assert not any("store_at" in one for one in warnings(PEER + PLACE))
    told = warnings(PEER + 'rights = ["find", "move"]\n')
    assert any("peer.viewer.rights: may ask for C-MOVE, but nothing can" in one for one in told)
    assert not any("C-MOVE" in one for one in warnings(PEER + 'rights = ["find"]\n'))


@pytest.mark.req("S-45")
def test_an_unknown_right_is_refused(faults: Complain) -> None:
    said = faults(PEER + 'rights = ["find", "erase"]\n')
    assert any("peer.viewer.rights" in one and '"commit"' in one for one in said)
