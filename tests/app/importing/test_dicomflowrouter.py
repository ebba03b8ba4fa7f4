"""DicomFlowRouter's working folders in our words (R-83, RT-16)."""

from pathlib import Path

import pytest

from tests.app.importing.conftest import Checked
from tests.app.importing.setups import (
    CT,
    MR,
    ULTRASOUND,
    endpoint,
    forward_with_retry,
    router,
    two_sites,
    write,
)
from tests.rules.asking import FACTS, head_of
from waystation.app.faults import ConfigFaults
from waystation.app.importing.dicomflowrouter import read
from waystation.app.importing.findings import Imported
from waystation.app.settings import Settings
from waystation.app.wiring_rules import rules as compiled_rules
from waystation.rules.classes import class_filter
from waystation.rules.plan import plan

CLASSES = [CT, MR, ULTRASOUND, "1.2.840.10008.5.1.4.1.1.88.11", "1.2.3.4.5"]


def notes(imported: Imported, verdict: str) -> str:
    return "\n".join(str(note) for note in imported.notes if note.verdict == verdict)


def goes_to(settings: Settings, sop_class: str) -> set[str]:
    """Return where an object of a class would be sent, now or in its window."""
    dicom = settings.dicom
    gate = class_filter("dicom", "dicom", [], accept=dicom.accept, refuse=dicom.refuse)
    if gate.refuses_class(sop_class):
        return set()
    ruleset = compiled_rules(settings).ruleset
    made = plan(head_of({"Modality": "CT"}), FACTS, ruleset, sop_class_uid=sop_class)
    return {target.destination for target in made.targets if not target.filtered_by}


def router_sent_to(folder: Path, sop_class: str) -> set[str]:
    """The router's own decision, from its files: lists of the router, then of each endpoint."""
    if not _passes(folder / "config.ini", sop_class):
        return set()
    ends = [entry for entry in folder.iterdir() if (entry / "config.ini").is_file()]
    return {end.name for end in ends if _passes(end / "config.ini", sop_class)}


def _passes(file: Path, sop_class: str) -> bool:
    lists: dict[str, list[str]] = {"whitelist": [], "blacklist": []}
    for line in file.read_text().splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key in lists:
            lists[key] = [word.strip() for word in value.split(",") if word.strip()]
    allowed = not lists["whitelist"] or sop_class in lists["whitelist"]
    return allowed and sop_class not in lists["blacklist"]


@pytest.mark.req("R-83", "RT-16")
@pytest.mark.parametrize("setup", [forward_with_retry, two_sites])
def test_a_published_set_up_routes_every_object_as_before(
    setup: object, tmp_path: Path, checked: Checked
) -> None:
    assert callable(setup)
    folder = setup(tmp_path / "router")
    loaded = checked(read(folder))
    for sop_class in CLASSES:
        assert goes_to(loaded.settings, sop_class) == router_sent_to(folder, sop_class), sop_class
    assert all("peer.anyone" in str(warning) for warning in loaded.warnings)


@pytest.mark.req("R-83", "RT-16")
def test_a_set_up_keeps_titles_ports_and_windows(tmp_path: Path, checked: Checked) -> None:
    settings = checked(read(two_sites(tmp_path / "router"))).settings
    assert (settings.dicom.ae_title, settings.dicom.port) == ("ROUTER_AET", 11112)
    assert (settings.dicom.called_ae, settings.dicom.host) == ("any", "0.0.0.0")
    assert settings.peer["anyone"].ae_title == "*"
    assert not settings.peer["anyone"].address
    local, remote = settings.destination["local"], settings.destination["remote"]
    assert (local.window, remote.window) == ("always", "m10 < 5")
    assert getattr(remote, "calling_ae", "") == "passthrough"
    assert (getattr(local, "host", ""), getattr(local, "port", 0)) == ("pacs.site-a", 4242)


@pytest.mark.req("R-83")
def test_a_set_up_without_lists_windows_and_labels_is_equal(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "router",
        {"": "[DICOM]\nae_title = R\n[DEBUG]\nloglevel = info\n", "pacs": endpoint("h")},
    )
    imported = read(folder)
    assert imported.equal, notes(imported, "changed") + notes(imported, "dropped")
    assert "everybody may send" in notes(imported, "warning")


@pytest.mark.req("RT-16")
def test_a_folder_with_every_defect_is_translated_and_every_defect_is_listed(
    tmp_path: Path, checked: Checked
) -> None:
    defects = {
        "": "[DICOM]\nae_title = R\nblacklist = CTImageStorage, 1.2.3 # CT\n[DEBUG]\n"
        "loglevel = Critical\nport = 104\n",
        "archive": endpoint("a", more="whitelist = MR, CT\n[SCHEDULE]\nscheduled = 8-12\n"),
        "broken%": endpoint("50%off", more="[SCHEDULE]\nscheduled = 08:00-12:00%\n"),
        "late": endpoint("h", more="[SCHEDULE]\nscheduled = 08:00-24:00 # until midnight\n"),
        "day": endpoint("h", more="[SCHEDULE]\nscheduled = Mon 08:00-12:00\n"),
        "typo": endpoint("h", more="[SCHEDULES]\nscheduled = 22:00-06:00\n"),
        "näme with space": endpoint("h", more="sheduled = 1\n[DEBUG]\nloglevel = debug\n"),
    }
    folder = write(tmp_path / "router", defects)
    (folder / "logs").mkdir()
    imported = read(folder)
    settings = checked(imported).settings
    assert settings.dicom.refuse == ()
    assert settings.log.level == "error"
    assert set(settings.destination) == {
        *("archive", "archive-2", "broken", "late", "day", "typo", "n-me-with-space"),
    }
    assert goes_to(settings, MR) == {
        *("broken", "late", "day", "typo", "n-me-with-space"),
    }
    for name in ("archive-2", "broken", "late", "day"):
        assert settings.destination[name].window == "never", name
    assert "# was: 08:00-24:00 # until midnight" in imported.toml
    assert '# window = "Mon 08:00-12:00"    # means here what it says' in imported.toml
    changed, dropped = notes(imported, "changed"), notes(imported, "dropped")
    for said in ('"CTImageStorage" is no UID', '"1.2.3 # CT" is no UID', "loglevel Critical"):
        assert said in changed
    for said in ("hostname: the %", "archive-2", 'scheduled "8-12": always open by an error'):
        assert said in changed
    for said in ("[SCHEDULES] scheduled", "[ENDPOINT] sheduled", "[DEBUG] port"):
        assert f"{said}: the router never read this" in dropped
    assert "router/typo/config.ini:6" in dropped


@pytest.mark.req("RT-16")
def test_an_endpoint_without_host_port_or_title_is_a_fault_each(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "router",
        {
            "": router(title="FAR TOO LONG FOR A TITLE"),
            "a": "[ENDPOINT]\n",
            "b": endpoint("h", port="4242 # PACS"),
            "c": "# nothing\n",
        },
    )
    with pytest.raises(ConfigFaults) as caught:
        read(folder)
    found = [str(fault).replace(str(folder), "") for fault in caught.value.faults]
    assert [line.partition(" ")[0] for line in found] == [
        *("/config.ini:2", "/a/config.ini:1", "/a/config.ini:1", "/a/config.ini:1"),
        *("/b/config.ini:3", "/c/config.ini:1", "/c/config.ini:1", "/c/config.ini:1"),
    ]
    assert "ENDPOINT.hostname: is missing" in found[2]


@pytest.mark.req("RT-16")
def test_a_router_without_endpoints_gets_no_rule(tmp_path: Path, checked: Checked) -> None:
    imported = read(write(tmp_path / "router", {"": router()}))
    assert checked(imported).settings.rule == ()
    assert "objects are kept, not dropped" in notes(imported, "changed")


@pytest.mark.req("RT-16")
@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1\n", b"[DICOM]\nae_title\n", None])
def test_what_cannot_be_read_is_one_sentence(content: bytes | None, tmp_path: Path) -> None:
    folder = tmp_path / "router"
    folder.mkdir()
    if content is not None:
        (folder / "config.ini").write_bytes(content)
    with pytest.raises(ConfigFaults) as caught:
        read(folder)
    (fault,) = caught.value.faults
    assert fault.where.startswith(str(folder))
    assert fault.problem
