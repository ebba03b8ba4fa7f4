"""``[alert]`` and ``[report.NAME]``: what is refused, what is doubtful, what it becomes."""

from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.wiring_schedule import Windows
from waystation.app.wiring_watch import events, limits, reports, teller, ways

MAIL = '[alert.mail]\nhost = "smtp.x.example"\nfrom = "node@x.example"\n'
DESTINATION = (
    '[destination.pacs]\nkind = "dicom"\nhost = "10.1.9.10"\nae_title = "PACS"\n'
    'waiting_over = "30m"\nlog = "Warning"\n[[rule]]\nname = "all"\nsend = ["pacs"]\n'
)
PEER = '[peer.ct1]\nae_title = "CT1"\naddress = ["10.0.0.1"]\nsilent_after = "3d"\nlog = "debug"\n'


@pytest.mark.req("R-1", "R-80", "R-81")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[alert]\nto = ["it@x"]\n', "waystation.toml:2 alert.to: needs a mail server"),
        ('[alert]\nto = ["nobody"]\n', "waystation.toml:2 alert.to: expected a mail address"),
        ('[alert]\nto = ["https://u:p@x/h"]\n', "alert.to: credentials do not belong"),
        ('[alert]\nto = ["a@b\\r\\nBcc: c@d"]\n', "alert.to: expected a mail address"),
        ("[alert]\nremind = 24\n", "waystation.toml:2 alert.remind: a duration is a number"),
        ('[alert]\nmale = "x"\n', 'alert.male: unknown key "male"'),
        (MAIL.replace("from", "sender"), "alert.mail"),
        (MAIL + 'user = "node"\n', "alert.mail.password: is missing: user and password"),
        (MAIL + 'password = { env = "NOT_THERE" }\n', "there is no such environment variable"),
        (MAIL + 'password = "inline"\n', "never inline"),
        (MAIL + 'ca = "gone.pem"\n', "alert.mail.ca: there is no such file"),
        ('[report.daily]\nat = "07:00"\n', "report.daily.to: is missing: who is to get it?"),
        ('[report.daily]\nat = "7 am"\nto = ["a@b"]\n', "report.daily.at: expected days and a"),
        (MAIL + '[report.d]\nat = "07:00"\nto = ["a@b"]\nzone = "Europe/Lissabon"\n', "no zone"),
        (
            MAIL + '[report.d]\nat = "07:00"\nto = ["a@b"]\ncovers = ["pac"]\n' + DESTINATION,
            'report.d.covers: no destination, group or peer "pac" (did you mean "pacs"?)',
        ),
        (MAIL + '[report.d]\nat = "07:00"\nto = ["a@b"]\nnames = "yes"\n', "names"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_a_fault_with_its_line(faults: Complain, text: str, fault: str) -> None:
    assert any(fault in found for found in faults(text))


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ('[alert]\nto = ["http://hooks.x.example/a"]\n', "in plain text; write https"),
        (
            MAIL + 'tls = "none"\nuser = "node"\npassword = { env = "PASS" }\n',
            'the password goes over the network in plain text; write "starttls"',
        ),
    ],
)
def test_what_others_could_read_is_doubtful(read: Load, text: str, warning: str) -> None:
    found = [str(one) for one in read(text, {"PASS": "sesame"}).warnings]
    assert any(warning in one for one in found)


def test_nothing_configured_is_fine(read: Load) -> None:
    settings = read("").settings
    assert teller(settings, Windows({}, now=0.0)).audience.messages("s", "t", {}) == []
    assert reports(settings, Windows({}, now=0.0)) == []


def test_what_is_written_is_what_the_parts_go_by(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASS", "sesame")
    monkeypatch.setenv("HOOK", "whsec_c2VzYW1l")
    text = (
        '[alert]\nto = ["it@x.example", "https://hooks.x.example/a"]\nwaiting_over = "5m"\n'
        'webhook = { secret = { env = "HOOK" } }\n'
        + MAIL
        + 'user = "node"\npassword = { env = "PASS" }\n'
        + '[report.weekly]\nat = "weekly 07:00"\nzone = "Europe/Lisbon"\ncovers = ["pacs", "ct1"]\n'
        + DESTINATION
        + PEER
    )
    settings = read(text, {"PASS": "sesame", "HOOK": "whsec_c2VzYW1l"}).settings
    way = ways(settings)
    assert way.mail is not None
    assert (way.mail.port, way.mail.tls, way.mail.password) == (587, "starttls", "sesame")
    assert way.key == b"sesame"
    assert "sesame" not in repr(way)
    assert limits(settings).waiting_over == {"pacs": 1800.0}
    assert limits(settings).silent_after == {"ct1": 259_200.0}
    (weekly,) = reports(settings, Windows({}, now=0.0))
    assert weekly.audience.mail == ("it@x.example",)
    assert weekly.audience.webhooks == ("https://hooks.x.example/a",)
    shown = events(settings, 20, "json", b"key")
    assert (shown.by_destination, shown.by_peer) == ({"pacs": 30}, {"ct1": 10})
    assert shown.kinds == {"pacs": "dicom", "archive": "archive"}


@pytest.mark.req("R-46")
def test_only_what_is_optional_everywhere_disturbs_nobody(read: Load) -> None:
    ways = "".join(
        f'[destination.{name}]\nkind = "dicom"\nhost = "10.0.0.{number}"\nae_title = "X"\n'
        for number, name in enumerate(("a", "b", "c", "d"), 1)
    )
    text = (
        f'{ways}[group.g]\nmembers = ["d", "a"]\n'
        '[[rule]]\nname = "1"\nsend = ["a", { to = "b", required = false }, "g"]\n'
        '[[rule]]\nname = "2"\nsend = [{ to = "c", required = false }, '
        '{ to = "d", required = false }]\n'
        '[[rule]]\nname = "3"\nsend = ["c"]\n'
    )
    assert limits(read(text).settings).optional == {"b"}
