"""Each table refuses an unknown key and a value of the wrong type, with its line (RT-1)."""

from collections.abc import Iterator

import pytest

from tests.app import strict_pacs, strict_ways_in
from tests.app.conftest import Complain
from waystation.app import (
    settings_archive,
    settings_call,
    settings_completeness,
    settings_deidentify,
    settings_destination,
    settings_dicom,
    settings_dicomweb,
    settings_group,
    settings_node,
    settings_pace,
    settings_remote,
    settings_rule,
    settings_schedule,
    settings_steps,
    settings_watch,
    settings_ways,
    settings_worklist,
)
from waystation.app.settings import Settings
from waystation.app.settings_base import Secret, Table
from waystation.app.settings_kinds import KINDS

DICOM = '[destination.pacs]\nkind = "dicom"\nhost = "h"\nae_title = "PACS"\n'
FOLDER = '[destination.disk]\nkind = "folder"\npath = "p"\n'
SFTP = (
    '[destination.far]\nkind = "sftp"\nhost = "h"\nuser = "u"\npath = "/in"\n'
    'password = { env = "HOME" }\nhost_key = ["SHA256:x"]\n'
)
S3 = '[destination.cloud]\nkind = "s3"\nbucket = "images"\n'
STOW = '[destination.web]\nkind = "stow"\nurl = "https://x.example/dicom-web"\n'
RULE = '[[rule]]\nname = "all"\nsend = []\n'
DEID = '[deidentify.x]\nproject = { id = "p", key = { env = "HOME" } }\n'
TLS = '[dicom.tls]\ncertificate = "c"\nkey = "k"\n'

# model: (text before, key of the table, an entry of the wrong type, what is said about it)
CASES: dict[type[Table], tuple[str, str, str, str]] = {
    Settings: ("", "", "dicom = 3", "expected a table, got a number"),
    settings_node.NodeSettings: ("[node]\n", "node", "name = 3", "expected text, got a number"),
    settings_node.WebSettings: (
        "[web]\n", "web", 'port = "80"', "expected a whole number, got text"
    ),
    settings_node.WebTls: (
        '[web.tls]\ncertificate = "a"\nkey = "b"\n', "web.tls", "key_password = 3",
        "a secret is given as"
    ),
    settings_node.SpoolSettings: (
        "[spool]\n", "spool", "min_free = 5", "a size is a number with its unit"
    ),
    settings_node.DuplicateSettings: (
        "[duplicates]\n", "duplicates", 'same = "never"', 'expected "skip" or "send"'
    ),
    settings_node.LogSettings: (
        "[log]\n", "log", "format = true", 'expected "text" or "json"'
    ),
    settings_archive.ArchiveSettings: (
        "[archive]\n", "archive", "enabled = 1", "expected true or false, got a number"
    ),
    settings_archive.AreaSettings: (
        '[archive.area.a]\nae_title = "A"\n',
        "archive.area.a",
        'rights = ["erase"]',
        'expected "find", "get", "move", "store" or "commit"',
    ),
    settings_archive.RetentionRule: (
        '[archive.retention.old]\nolder_than = "365d"\n',
        "archive.retention.old",
        "only_above = 5",
        "a size is a number with its unit",
    ),
    settings_archive.ArchiveDestination: (
        '[destination.long]\nkind = "archive"\n',
        "destination.long",
        "parallel = 0",
        "expected at least 1, got 0",
    ),
    settings_call.StoreAt: (
        '[peer.ct]\nae_title = "CT"\n[peer.ct.store_at]\nhost = "h"\n',
        "peer.ct.store_at",
        "port = 0",
        "expected 1 to 65535, got 0",
    ),
    settings_worklist.WorklistSettings: (
        "[worklist]\n", "worklist", 'enabled = "yes"', "expected true or false, got text"
    ),
    settings_worklist.WorklistArea: (
        '[worklist.area.ct]\nae_title = "CT"\n',
        "worklist.area.ct",
        "keep_done = 7",
        "a duration is a number with its unit",
    ),
    settings_worklist.WorklistIds: (
        "[worklist.ids]\n", "worklist.ids", 'accession = "A"', "needs {n}, the number"
    ),
    settings_dicom.DicomSettings: (
        "[dicom]\n", "dicom", "port = true", "expected a whole number, got true or false"
    ),
    settings_dicom.ListenerTls: (TLS, "dicom.tls", "client_ca = 3", "expected a path as text"),
    settings_dicom.ListenerTimeouts: (
        "[dicom.timeouts]\n", "dicom.timeouts", "idle = 600", "a duration is a number with its"
    ),
    settings_dicom.PeerSettings: (
        '[peer.ct]\nae_title = "CT"\n', "peer.ct", 'address = "10.0.0.5"', "expected a list, like"
    ),
    settings_destination.DicomDestination: (
        DICOM, "destination.pacs", "port = 104000", "expected 1 to 65535, got 104000"
    ),
    settings_destination.FolderDestination: (
        FOLDER, "destination.disk", "parallel = 0", "expected at least 1, got 0"
    ),
    settings_remote.SftpDestination: (
        SFTP, "destination.far", 'known_hosts = false', "expected a path as text"
    ),
    settings_remote.SftpTimeouts: (
        f"{SFTP}[destination.far.timeouts]\n",
        "destination.far.timeouts",
        "login = 3",
        "a duration is a number with its unit",
    ),
    settings_remote.S3Destination: (
        S3, "destination.cloud", 'key_id = "AKIA"', "a secret is given as"
    ),
    settings_remote.S3Timeouts: (
        f"{S3}[destination.cloud.timeouts]\n",
        "destination.cloud.timeouts",
        'response = "0s"',
        "expected a duration above zero",
    ),
    settings_destination.RetrySettings: (
        f"{DICOM}[destination.pacs.retry]\n",
        "destination.pacs.retry",
        "object = [60]",
        "a duration is a number with its unit",
    ),
    settings_destination.CallTimeouts: (
        f"{DICOM}[destination.pacs.timeouts]\n",
        "destination.pacs.timeouts",
        'connect = "0s"',
        "expected a duration above zero",
    ),
    settings_destination.CallTls: (
        f"{DICOM}[destination.pacs.tls]\n",
        "destination.pacs.tls",
        "verify = 0",
        "expected true or false, got a number",
    ),
    settings_rule.RuleSettings: (
        RULE, "rule.all", 'when = "CT"', "expected a table, or a list of tables"
    ),
    settings_schedule.ScheduleSettings: (
        '[schedule.night]\nopen = "always"\n', "schedule.night", "zone = 1", "expected text, got"
    ),
    settings_group.GroupSettings: (
        '[group.g]\nmembers = ["a"]\n', "group.g", 'backup = "yes"', "expected true or false, got"
    ),
    settings_group.MemberTable: (
        '[[group.g.members]]\nto = "a"\n', "group.g.members", "cost = -1", "expected a number of"
    ),
    settings_completeness.CompletenessSettings: (
        "[completeness]\n", "completeness", 'study = ["silence"]', "expected "
    ),
    settings_completeness.PerLevel: (
        '[completeness.quiet]\nstudy = "2m"\n',
        "completeness.quiet",
        "series = 3",
        "a duration is a number with its unit",
    ),
    settings_pace.LimitSettings: (
        f'{DICOM}[destination.pacs.limits]\nshare = "line"\n',
        "destination.pacs.limits",
        "per_minute = 0",
        "expected at least 1, got 0",
    ),
    settings_pace.RateSettings: (
        f'{DICOM}[[destination.pacs.limits.rate]]\nmax = "2MiB/s"\n',
        "destination.pacs.limits.rate",
        "when = 20",
        "expected text, got a number",
    ),
    settings_steps.EditSettings: (
        "[edit.ward]\n", "edit.ward", 'steps = "x"', 'expected a list, like ["x"]'
    ),
    settings_steps.LookupSettings: (
        '[lookup.wards]\nfile = "wards.csv"\n', "lookup.wards", 'missing = "guess"',
        'expected missing = "hold", "keep", "empty" or { value = "..." }'
    ),
    settings_steps.ValidateSettings: (
        '[validate.ids]\nrequired = ["PatientID"]\n', "validate.ids", "patterns = 3",
        "expected a table"
    ),
    settings_ways.StowDestination: (
        STOW, "destination.web", "max_per_request = 101", "expected 1 to 100, got 101"
    ),
    settings_ways.WebhookDestination: (
        '[destination.hook]\nkind = "webhook"\nurl = "https://x.example/"\n',
        "destination.hook",
        'fields = ["PatientName"]',
        "unknown field PatientName",
    ),
    settings_ways.CommandDestination: (
        '[destination.run]\nkind = "command"\ncommand = ["/bin/true"]\n',
        "destination.run",
        "show_output = 1",
        "expected true or false, got a number",
    ),
    settings_ways.HttpTimeouts: (
        f"{STOW}[destination.web.timeouts]\n",
        "destination.web.timeouts",
        "progress = 3",
        "a duration is a number with its unit",
    ),
    settings_ways.HttpAuth: (
        f"{STOW}[destination.web.auth]\n",
        "destination.web.auth",
        'token = "x"',
        "a secret is given as",
    ),
    settings_watch.AlertSettings: ("[alert]\n", "alert", "remind = 24", "a duration is a number"),
    settings_watch.MailTable: (
        '[alert.mail]\nhost = "h"\nfrom = "a@b"\n', "alert.mail", 'port = "25"', "expected a whole"
    ),
    settings_watch.HookTable: (
        "[alert.webhook]\n", "alert.webhook", 'secret = "x"', "a secret is given as"
    ),
    settings_watch.ReportTable: (
        '[report.day]\nat = "07:00"\n', "report.day", 'to = "a@b"', "expected a list, like"
    ),
    settings_deidentify.DeidentifySettings: (
        DEID, "deidentify.x", 'unlisted = "drop"', 'expected "keep", "clean" or "remove"'
    ),
    settings_deidentify.ProjectTable: (
        '[deidentify.x.project]\nid = "p"\n',
        "deidentify.x.project",
        'key = "secret"',
        "a secret is given as",
    ),
    settings_deidentify.PseudonymTable: (
        f"{DEID}[deidentify.x.pseudonym]\n",
        "deidentify.x.pseudonym",
        'source = "random"',
        'expected "hmac", "csv"',
    ),
    settings_deidentify.IdentityTable: (
        f"{DEID}[deidentify.x.identity]\n",
        "deidentify.x.identity",
        'case = "lower"',
        'expected "keep" or "fold"',
    ),
    settings_deidentify.DatesTable: (
        f"{DEID}[deidentify.x.dates]\n",
        "deidentify.x.dates",
        "keep_weekday = 1",
        "expected true or false, got a number",
    ),
    settings_deidentify.TextTable: (
        f"{DEID}[deidentify.x.text]\n",
        "deidentify.x.text",
        'words = "w"',
        "expected a list, like",
    ),
    settings_deidentify.PrivateTable: (
        f"{DEID}[deidentify.x.private]\n",
        "deidentify.x.private",
        'safe = "standard"',
        "expected a list, like",
    ),
    settings_deidentify.PixelsTable: (
        f"{DEID}[deidentify.x.pixels]\n",
        "deidentify.x.pixels",
        'unknown = "pass"',
        'expected "hold" or "approve"',
    ),
    settings_deidentify.VisualTable: (
        f"{DEID}[deidentify.x.visual]\n",
        "deidentify.x.visual",
        'body_parts = "HEAD"',
        "expected a list, like",
    ),
    settings_deidentify.DeidRule: (
        f'{DEID}[[deidentify.x.rule]]\ntag = "PatientSex"\n',
        "deidentify.x.rule",
        'do = "hash"',
        'expected "keep", "clean"',
    ),
    settings_deidentify.ReidentifyTable: (
        f"{DEID}[deidentify.x.reidentify]\n",
        "deidentify.x.reidentify",
        'recipients = "c.pem"',
        "expected a list, like",
    ),
    settings_dicomweb.ViewerSettings: (
        "[web.viewer]\n", "web.viewer", 'port = "8081"', "expected a whole number"
    ),
    settings_rule.RoutingSettings: (
        "[routing]\n", "routing", 'otherwise = "drop"', 'expected "hold", "refuse", "discard" or'
    ),
    **strict_pacs.CASES,
    **strict_ways_in.CASES,
}  # fmt: skip


KINDS_TEXT = " or ".join(f'"{kind}"' for kind in KINDS)


def tables(model: type[Table]) -> Iterator[type[Table]]:
    for child in model.__subclasses__():
        yield child
        yield from tables(child)


def test_every_table_has_its_case() -> None:
    inside_values: set[type[Table]] = {Secret, settings_rule.SendTo}
    inside_values |= {settings_destination.DestinationSettings, settings_ways.HttpDestination}
    inside_values |= {settings_dicomweb.DicomwebSettings}
    assert set(tables(Table)) - inside_values == set(CASES)


@pytest.mark.req("R-1")
@pytest.mark.parametrize("model", CASES, ids=lambda model: model.__name__)
def test_an_unknown_key_is_refused_with_its_line(model: type[Table], faults: Complain) -> None:
    before, key, _, _ = CASES[model]
    line = before.count("\n") + 1
    said = faults(f"{before}colour = 1\n")
    expected = (
        f"waystation.toml:{line} {key}.colour: unknown key"
        if key
        else (f'waystation.toml:{line} colour: unknown table "colour"')
    )
    assert any(fault.startswith(expected) for fault in said), said


@pytest.mark.req("R-1")
@pytest.mark.parametrize("model", CASES, ids=lambda model: model.__name__)
def test_a_wrong_type_is_refused_with_its_line(model: type[Table], faults: Complain) -> None:
    before, key, entry, problem = CASES[model]
    name = entry.split(" = ")[0]
    address = f"{key}.{name}" if key else name
    said = faults(f"{before}{entry}\n")
    expected = f"waystation.toml:{before.count(chr(10)) + 1} {address}: {problem}"
    assert any(fault.startswith(expected) for fault in said), said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rule = 3", "waystation.toml:1 rule: expected rules, each under [[rule]], got a number"),
        ("rule = [3]", "waystation.toml:1 rule.1: expected a table, got a number"),
        ("peer = 3", "waystation.toml:1 peer: expected tables like [peer.NAME], got a number"),
        ("peer.a = 3", "waystation.toml:1 peer.a: expected a table, got a number"),
        ("destination.a = 3", "waystation.toml:1 destination.a: expected a table, got a number"),
        (
            "[destination.a]\n",
            f"waystation.toml:1 destination.a.kind: is missing; expected {KINDS_TEXT}",
        ),
        (
            '[destination.a]\nkind = "dicon"\n',
            f'waystation.toml:2 destination.a.kind: expected {KINDS_TEXT} (did you mean "dicom"?)',
        ),
        (
            "[destination.a]\nkind = 1\n",
            f"waystation.toml:2 destination.a.kind: expected {KINDS_TEXT}, got a number",
        ),
        (
            '[destination.a]\nkind = "dicom"\nhost = "h"\n',
            "waystation.toml:1 destination.a.ae_title: is missing",
        ),
        (
            "[[rule]]\nsend = [3]\n",
            "waystation.toml:2 rule.1.send: expected a table, got a number",
        ),
    ],
)
def test_a_table_in_the_wrong_place_is_refused(text: str, expected: str, faults: Complain) -> None:
    assert expected in faults(text)
