"""``[pacs.NAME]`` and ``[cache]``: what may stand there, and what is said of what may not."""

import os
from pathlib import Path

import pytest

from waystation.app.faults import ConfigFaults
from waystation.app.read import Loaded, load_text
from waystation.app.wiring_pacs import upstream_terms

OLD = '[pacs.old]\nae_title = "OLD"\nhost = "10.0.0.5"\n'


def loaded(text: str, tmp_path: Path) -> Loaded:
    return load_text(text, tmp_path / "waystation.toml", os.environ)


def said(text: str, tmp_path: Path) -> str:
    with pytest.raises(ConfigFaults) as caught:
        loaded(text, tmp_path)
    return str(caught.value)


def test_three_lines_are_a_pacs(tmp_path: Path) -> None:
    found = loaded(OLD, tmp_path)
    terms = upstream_terms(found.settings)["old"]
    assert (terms.find.ae_title, terms.find.host, terms.find.port) == ("OLD", "10.0.0.5", 104)
    assert terms.find == terms.move == terms.get
    assert terms.find.calling_ae == terms.tells_to == "WAYSTATION"
    assert (terms.find_most, terms.retrieve_most, terms.find_max) == (4, 2, 1000)
    assert (terms.connect_s, terms.associate_s, terms.find_s) == (5.0, 10.0, 30.0)
    assert (terms.retrieve_s, terms.quiet_s, terms.revalidate_s) == (60.0, 15.0, 300.0)
    assert (terms.attempts, terms.first_s, terms.ceiling_s) == (3, 2.0, 60.0)
    assert (terms.federate, terms.priority, terms.charset) == (True, 10, "ISO_IR 100")
    assert (terms.retrieve, terms.fetch_level, terms.keep) == ("auto", "auto", "cache")
    assert not terms.quirks
    assert found.settings.cache.max_size == 200 * 2**30
    assert any("only C-GET" in warning.problem for warning in found.warnings)


def test_services_may_lie_elsewhere(tmp_path: Path) -> None:
    text = (
        OLD
        + 'port = 11112\ncalling_ae = "US"\nmove = { ae_title = "MOVER", port = 105 }\n'
        + 'find = { host = "10.0.0.6", calling_ae = "ASKER" }\nsenders = ["10.0.0.0/24"]\n'
    )
    terms = upstream_terms(loaded(text, tmp_path).settings)["old"]
    assert (terms.find.host, terms.find.port, terms.find.calling_ae) == ("10.0.0.6", 11112, "ASKER")
    assert (terms.move.ae_title, terms.move.port, terms.move.calling_ae) == ("MOVER", 105, "US")
    assert terms.get == terms.move
    assert (terms.senders, terms.any_sender) == (("10.0.0.0/24",), False)
    only = (
        '[pacs.x]\nfind = { ae_title = "A", host = "h" }\nmove = { ae_title = "B", host = "i" }\n'
    )
    assert upstream_terms(loaded(only, tmp_path).settings)["x"].get.host == "i"
    quirks = OLD + 'quirks = ["sequential"]\nassociations = { find = 9, retrieve = 9 }\n'
    one = upstream_terms(loaded(quirks, tmp_path).settings)["old"]
    assert (one.find_most, one.retrieve_most, one.has("sequential")) == (1, 1, True)


@pytest.mark.req("W-3")
@pytest.mark.parametrize("name", ["archive", "Old", "a.b", "x" * 17, "-a", "ä"])
def test_names_that_no_url_and_no_ae_value_can_hold_are_refused(name: str, tmp_path: Path) -> None:
    assert "name" in said(OLD.replace("pacs.old", f'pacs."{name}"'), tmp_path)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ('quirks = ["odd"]', "expected some of patient_root"),
        ('senders = "10.0.0.1"', '["10.0.0.1"]'),
        ('senders = ["10.0.0.1/24"]', "lies within a network"),
        ('charset = "LATIN"', "is no term"),
        ('move_destination = "OTHER"', 'dicom.aliases = ["OTHER"]'),
        ("find_max = 0", "find_max"),
        ('timeouts = { find = "0s" }', "above zero"),
        ('retrieve = "push"', "retrieve"),
    ],
)
def test_what_is_wrong_says_what_to_write(line: str, answer: str, tmp_path: Path) -> None:
    assert answer in said(OLD + line, tmp_path)
    assert ":4 " in said(OLD + line, tmp_path)


def test_a_pacs_without_a_place_is_refused(tmp_path: Path) -> None:
    text = '[pacs.old]\nae_title = "OLD"\nmove = { host = "h" }\n'
    assert "host is missing: who is called for find?" in said(text, tmp_path)


def test_our_own_listener_as_a_pacs_is_doubtful(tmp_path: Path) -> None:
    text = '[pacs.me]\nae_title = "WAYSTATION"\nhost = "127.0.0.1"\nport = 11112\n'
    assert any("ask itself" in one.problem for one in loaded(text, tmp_path).warnings)


def test_a_listener_beyond_loopback_is_there_for_the_pacs_that_send_to_us(tmp_path: Path) -> None:
    open_to_all = '[dicom]\nhost = "0.0.0.0"\n'
    assert "nobody could call" in said(open_to_all, tmp_path)
    assert loaded(open_to_all + OLD, tmp_path).settings.pacs
