"""A person decides about a study that is held: with a name, a reason, and a way back (D-43)."""

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.deid_house import KEY, TOKEN, DeidHouse, scanned, study_of
from waystation.journal import deid_records
from waystation.journal.audit import Event, Record
from waystation.transforms.deid.device_rules import read_devices

SAMPLE = {"study": study_of("CT"), "profile": "sampled", "what": "sample"}
PIXELS = {"study": study_of("US"), "profile": "looked", "what": "pixels"}


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DeidHouse]:
    monkeypatch.setenv("LUNG_KEY", KEY)
    made = DeidHouse(tmp_path)
    await made.open([scanned("CT", "a"), scanned("CT", "b"), scanned("US", "c")])
    await made.rig.wait_for({"held:deid-failed": 3})
    yield made
    await made.close()


async def kept(house: DeidHouse) -> list[tuple[str, str]]:
    rows = await house.rig.rows("SELECT kind, text FROM deid_record ORDER BY number")
    return [(str(kind), str(text)) for kind, text in rows]


async def decisions(house: DeidHouse) -> list[Record]:
    """Return what the audit trail says of approvals and rejections, the newest first."""
    return [one for one in await house.trace(Event.DECIDED) if "about" in one.what]


@pytest.mark.req("D-43", "S-57", "S-59")
async def test_nothing_is_decided_without_the_role_a_token_and_a_reason(
    house: DeidHouse,
) -> None:
    form = {**SAMPLE, "do": "send", "because": "looked at it"}
    house.come("vic", "viewer", "phi", "reidentify")
    assert (await house.send("/deid/decisions", **form)).status_code == 403
    assert (await house.send("/deid/decisions/undo", **form)).status_code == 403
    assert (await house.get(f"/deid/studies/{study_of('CT')}?profile=sampled")).status_code == 403
    house.come("otto", "operator")
    assert (await house.send("/deid/decisions", "other", **form)).status_code == 403
    silent = await house.send("/deid/decisions", **form | {"because": "  "})
    assert silent.status_code == 303
    for wrong in ({"what": "all"}, {"study": "../x"}, {"study": ""}):
        assert (await house.send("/deid/decisions", **form | wrong)).status_code == 400
    unknown = await house.send("/deid/decisions", **form | {"profile": "nosuch"})
    assert unknown.status_code == 404
    assert await kept(house) == []
    assert await decisions(house) == []
    assert house.left() == []


@pytest.mark.req("D-43")
async def test_an_approval_is_recorded_with_its_author_and_lets_the_study_go(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    page = await house.get(f"/deid/studies/{study_of('CT')}?profile=sampled")
    token = TOKEN.search(page.text)
    assert token is not None
    form = {**SAMPLE, "do": "send", "because": "all series seen"}
    done = await house.send("/deid/decisions", token[1], **form)
    assert (done.status_code, done.headers["location"].split("?")[0]) == (
        303,
        f"/deid/studies/{study_of('CT')}",
    )
    await house.rig.wait_for({"held:deid-failed": 1, "done": 2})
    assert len(house.left()) == 2
    (record,) = await decisions(house)
    assert (record.who, record.what["decision"]) == ("otto", "approved")
    assert (record.what["about"], record.what["because"]) == ("sample", "all series seen")
    approvals = [text for kind, text in await kept(house) if kind == "approval"]
    assert len(approvals) == 1
    assert '"by":"otto"' in approvals[0]
    assert study_of("CT") not in approvals[0]
    assert await house.rig.node.database.read(deid_records.broken_link()) is None
    after = await house.get(f"/deid/studies/{study_of('CT')}?profile=sampled")
    assert "Nothing of this study is held by this profile" in after.text


@pytest.mark.req("D-43")
async def test_a_rejection_stays_until_it_is_taken_back(house: DeidHouse) -> None:
    house.come("otto", "operator")
    await house.send("/deid/decisions", **SAMPLE, do="reject", because="a name in the picture")
    study = f"/deid/studies/{study_of('CT')}?profile=sampled"
    page = await house.get(study)
    assert "a name in the picture" in page.text
    assert 'action="/deid/decisions/undo"' in page.text
    assert "Rejected" in (await house.get("/deid")).text
    await house.send("/deid/decisions/undo", **SAMPLE, because="taken back")
    assert "rejected" not in (await house.get(study)).text
    assert "Waiting for a person" in (await house.get("/deid")).text
    words = [record.what["decision"] for record in await decisions(house)]
    assert words == ["taken back", "rejected"]
    assert [kind for kind, _ in await kept(house)] == ["rejection", "withdrawal"]
    assert house.left() == []


@pytest.mark.req("D-43")
async def test_what_was_approved_and_held_on_can_be_taken_back_before_it_leaves(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    await house.send("/deid/decisions", **SAMPLE, do="approve", because="seen")
    assert "Approved, still held" in (await house.get("/deid")).text
    await house.rig.wait_for({"held:deid-failed": 3})
    await house.api("POST", "/decisions/withdrawals", **SAMPLE, because="wrong study")
    lines = (await house.api("GET", f"/waiting?study={study_of('CT')}")).json()
    assert lines[0]["decided"] == []
    done = await house.api(
        "POST", "/decisions", **SAMPLE, approved=False, release=True, because="no"
    )
    assert done.json()["released"] == 2
    await house.rig.wait_for({"held:deid-failed": 3})
    lines = (await house.api("GET", f"/waiting?study={study_of('CT')}")).json()
    assert "rejected it" in lines[0]["reasons"][0]["why"]
    assert lines[0]["reasons"][0]["what"] == "sample"
    assert house.left() == []


@pytest.mark.req("D-43", "D-32")
async def test_who_approves_pixels_may_see_them_and_gets_a_rule_for_the_device(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    form = {**PIXELS, "because": "no text in any frame"}
    assert (await house.send("/deid/decisions", **form, do="send")).status_code == 403
    assert (await house.api("POST", "/decisions", **form, approved=True)).status_code == 403
    study = f"/deid/studies/{study_of('US')}?profile=looked"
    assert "You cannot approve this" in (await house.get(study)).text
    house.come("ann", "operator", "phi")
    done = await house.api("POST", "/decisions", **form, approved=True, release=True)
    (rule,) = read_devices(tomllib.loads(done.json()["device_rule"]))
    assert (rule.clean, rule.sizes) == (True, ((32, 48),))
    await house.rig.wait_for({"held:deid-failed": 2, "done": 1})
    assert "model = &#34;Echo 7&#34;" in (await house.get(study)).text
    approvals = [text for kind, text in await kept(house) if kind == "approval"]
    assert "Echo 7" in approvals[0]
