"""What only shows across tables."""

from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load

PACS = '[destination.pacs]\nkind = "dicom"\nhost = "10.1.9.10"\nae_title = "PACS"\n'
DISK = '[destination.disk]\nkind = "folder"\npath = "."\n'
OFF = "[archive]\nenabled = false\n"
IS_OFF = "the archive is switched off"
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
PEER = '[peer.{0}]\nae_title = "{1}"\naddress = {2}\n'


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PACS + RULE + RULE, '9 rule.all.name: another rule is already named "all"'),
        ('[[rule]]\nname = "all"\n', '1 rule.all: needs "send", or "then"'),
        (f'{PACS}{RULE}then = "hold"\n', '8 rule.all.then: is only for a rule without "send"'),
        (f'{PACS}{RULE}when = {{ Rows = "x" }}\n', "8 rule.all.when.Rows: "),
        (
            '[duplicates]\ncompare = "content"\ndifferent = "refuse"\n',
            "2 duplicates.compare: pixels are compared after the answer",
        ),
        ('[dicom]\nrefuse = ["CTImage"]\n', "2 dicom.refuse: "),
        (f'{PACS}accept = ["CTImage"]\n', "5 destination.pacs.accept: "),
        (f'{PACS}window = "24:00-07:00"\n', "5 destination.pacs.window: no hours: 24:00 can"),
        ('[dicom]\nhost = "0.0.0.0"\n', "2 dicom.host: nobody could call"),
        ('[dicom]\npeers = "known"\n', "2 dicom.peers: nobody could call"),
        ('[dicom]\nhost = "0.0.0.0"\npeers = "known"\n', "2 dicom.host: nobody could call"),
        ('[web]\nhost = "0.0.0.0"\n', "2 web.host: anything but loopback needs TLS"),
        (
            '[web]\nhost = "0.0.0.0"\nanonymous = "read"\n',
            "2 web.host: anything but loopback needs TLS",
        ),
        (
            '[web.tls]\ncertificate = "none.pem"\nkey = "none.key"\n',
            "2 web.tls.certificate: there is no such file",
        ),
        ("[web]\nport = 11112\n", "2 web.port: is the port of the DICOM listener already"),
        ('[node]\ndatabase = "postgresql://x"\n', '2 node.database: "database" is not available'),
        (f'{DISK}name = "../{{StudyInstanceUID}}"\n', "4 destination.disk.name: must stay inside"),
        (f'{DISK}name = "{{PatientID"\n', "4 destination.disk.name: a brace has no partner"),
        (f'{DISK}name = "{{Patient}}"\n', "4 destination.disk.name: "),
    ],
)  # fmt: skip
def test_what_cannot_work_is_a_fault(text: str, expected: str, faults: Complain) -> None:
    said = faults(text)
    assert any(fault.startswith(f"waystation.toml:{expected}") for fault in said), said


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PACS, "1 destination.pacs: no rule sends to it"),
        (f"{PACS}{RULE}stop = true\n{RULE.replace('all', 'late')}", "9 rule.late: never reached"),
        (f'{PACS}window = "never"\n{RULE}', "5 destination.pacs.window: is never open"),
        ('[peer.ct]\nae_title = "CT"\n', "1 peer.ct: may call from every address"),
        (f'{OFF}[[rule]]\nname = "all"\nsend = ["archive"]\n', f"5 rule.all.send: {IS_OFF}"),
        (f'{OFF}[[rule]]\nname = "all"\nthen = "archive"\n', f"5 rule.all.then: {IS_OFF}"),
        (f'{OFF}[routing]\notherwise = "archive"\n', f"4 routing.otherwise: {IS_OFF}"),
        (
            f'{PACS}port = 11112\n{RULE}'.replace("10.1.9.10", "localhost"),
            "5 destination.pacs.port: is our own listener",
        ),
        (f"{PACS}tls = {{ verify = false }}\n{RULE}", "5 destination.pacs.tls.verify: anybody"),
        (
            DISK.replace('"."', '"mnt"') + RULE.replace("pacs", "disk"),
            "3 destination.disk.path: is not there: the lane waits",
        ),
    ],
)  # fmt: skip
def test_what_is_legal_but_doubtful_is_a_warning(
    text: str, expected: str, warnings: Complain
) -> None:
    (warning,) = warnings(text)
    assert warning.startswith(f"waystation.toml:{expected}")


@pytest.mark.parametrize(
    "text",
    [
        f"{PACS}{RULE}",
        f'{PACS}{RULE.replace("[", "[", 1)}when = {{ Modality = "CT" }}\nstop = true\n',
        "[archive]\nenabled = false\n[worklist]\nenabled = false\n",
        '[dicom]\nhost = "0.0.0.0"\npeers = "any"\n',
        '[dicom]\nhost = "0.0.0.0"\n' + PEER.format("ct", "CT", '["10.0.0.5"]'),
        '[web]\nenabled = false\nhost = "0.0.0.0"\n',
        '[web]\nhost = "0.0.0.0"\ntrusted_proxies = ["10.0.0.5"]\n',
        "[dicom]\nport = 0\n[web]\nport = 0\n",
        '[[rule]]\nname = "none"\nthen = "discard"\n',
    ],
)
def test_what_is_in_order_gives_neither_fault_nor_warning(text: str, warnings: Complain) -> None:
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("host", "peers"), [("127.0.0.1", "any"), ("::1", "any"), ("localhost", "any")]
)
def test_on_loopback_everyone_may_call_unless_stated(host: str, peers: str, read: Load) -> None:
    assert read(f'[dicom]\nhost = "{host}"\n').settings.dicom.peers == peers


def test_off_loopback_only_peers_may_call_unless_stated(read: Load) -> None:
    text = '[dicom]\nhost = "0.0.0.0"\n' + PEER.format("ct", "CT", '["10.0.0.5"]')
    assert read(text).settings.dicom.peers == "known"


NETWORK = '["10.1.2.0/24"]'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("CT", NETWORK), ("CT", NETWORK)),
        (("CT*", NETWORK), ("C*T", NETWORK)),
        (("C?", NETWORK), ("?T", '["10.1.2.0/24", "10.9.0.0/16"]')),
        (("CT", "[]"), ("CT", "[]")),
    ],
)
def test_two_peers_that_a_caller_could_equally_be_are_a_fault(
    one: tuple[str, str], other: tuple[str, str], faults: Complain
) -> None:
    text = PEER.format("one", *one) + PEER.format("other", *other)
    (fault,) = faults(text)
    assert fault.startswith('waystation.toml:4 peer.other: cannot be told from peer "one"')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("CT", NETWORK), ("MR", NETWORK)),
        (("CT", NETWORK), ("CT*", NETWORK)),
        (("*", NETWORK), ("CT*", NETWORK)),
        (("CT", NETWORK), ("CT", '["10.1.0.0/16"]')),
        (("CT*", NETWORK), ("MR*", NETWORK)),
    ],
)
def test_peers_that_can_be_told_apart_are_in_order(
    one: tuple[str, str], other: tuple[str, str], read: Load
) -> None:
    text = PEER.format("one", *one) + PEER.format("other", *other)
    assert len(read(text).settings.peer) == 2


def test_files_of_tls_must_be_there(faults: Complain) -> None:
    Path("node.pem").touch()
    assert faults('[dicom.tls]\ncertificate = "node.pem"\nkey = "key.pem"\n') == [
        "waystation.toml:3 dicom.tls.key: there is no such file"
    ]
    assert faults(f'{PACS}tls = {{ certificate = "node.pem" }}\n') == [
        "waystation.toml:5 destination.pacs.tls.key: is missing: certificate and key go together"
    ]


def test_a_data_folder_behind_a_file_is_a_fault(faults: Complain) -> None:
    Path("spool").touch()
    assert faults('[node]\ndata = "spool/data"\n') == [
        "waystation.toml:2 node.data: cannot be a folder: a file stands in its way"
    ]


def test_looking_makes_no_folder(read: Load, tmp_path: Path) -> None:
    read('[node]\ndata = "a/b/c"\n')
    assert [path.name for path in tmp_path.iterdir()] == ["waystation.toml"]
