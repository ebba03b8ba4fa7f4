"""A person decides about a study that is held: with a name, a reason, and a way back (D-43)."""

import tomllib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.net.sink import until_async
from tests.web.deid_house import KEY, TOKEN, DeidHouse, scanned, study_of
from waystation.journal import deid_records
from waystation.journal.audit import Event, Record
from waystation.transforms.deid.device_rules import read_devices

pytestmark = pytest.mark.asyncio(loop_scope="module")
SAMPLES = ("untouched", "approved", "rejected", "held on")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DeidHouse]:
    """A node that holds a study for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNG_KEY", KEY)
        made = DeidHouse(tmp_path_factory.mktemp("decisions"))
        held = [scanned("CT", f"{name} {n}", study=name) for name in SAMPLES for n in (1, 2)]
        await made.open([*held, scanned("US", "echo")])
        await made.rig.wait_for({"held:deid-failed": len(held) + 1})
        yield made
        await made.close()


def about(name: str) -> dict[str, str]:
    if name == "US":
        return {"study": study_of("US"), "profile": "looked", "what": "pixels"}
    return {"study": study_of(name), "profile": "sampled", "what": "sample"}


def page_of(name: str) -> str:
    return f"/deid/studies/{study_of(name)}?profile={about(name)['profile']}"


async def in_states(house: DeidHouse, name: str, states: dict[str, int]) -> None:
    """Wait until the deliveries of a study stand so."""

    async def reached() -> bool:
        rows = await house.rig.rows(
            "SELECT state FROM delivery WHERE study = :study", {"study": study_of(name)}
        )
        return dict(Counter(str(row[0]) for row in rows)) == states

    await until_async(reached, 30.0)


async def decisions(house: DeidHouse, name: str) -> list[Record]:
    """Return what the audit trail says of decisions about a study, the newest first."""
    found = await house.trace(Event.DECIDED)
    return [one for one in found if "about" in one.what and one.what["study"] == study_of(name)]


async def kept(house: DeidHouse, name: str) -> list[tuple[str, str]]:
    """Return the decisions about a study in the chain of reports: kind and text."""
    step = house.rig.node.stepping.deidentifiers[about(name)["profile"]]
    rows = await house.rig.rows(
        "SELECT kind, text FROM deid_record WHERE kind <> 'report' AND study = :study"
        " ORDER BY number",
        {"study": step.study_named(study_of(name))},  # type: ignore[attr-defined]
    )
    return [(str(kind), str(text)) for kind, text in rows]


@pytest.mark.req("D-43", "S-57", "S-59")
async def test_nothing_is_decided_without_the_role_a_token_and_a_reason(
    house: DeidHouse,
) -> None:
    form = {**about("untouched"), "do": "send", "because": "looked at it"}
    house.come("vic", "viewer", "phi", "reidentify")
    assert (await house.send("/deid/decisions", **form)).status_code == 403
    assert (await house.send("/deid/decisions/undo", **form)).status_code == 403
    assert (await house.get(page_of("untouched"))).status_code == 403
    house.come("otto", "operator")
    assert (await house.send("/deid/decisions", "other", **form)).status_code == 403
    silent = await house.send("/deid/decisions", **form | {"because": "  "})
    assert silent.status_code == 303
    for wrong in ({"what": "all"}, {"study": "../x"}, {"study": ""}):
        assert (await house.send("/deid/decisions", **form | wrong)).status_code == 400
    unknown = await house.send("/deid/decisions", **form | {"profile": "nosuch"})
    assert unknown.status_code == 404
    assert await kept(house, "untouched") == []
    assert await decisions(house, "untouched") == []
    await in_states(house, "untouched", {"held": 2})


@pytest.mark.req("D-43")
async def test_an_approval_is_recorded_with_its_author_and_lets_the_study_go(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    before = len(house.left())
    token = TOKEN.search((await house.get(page_of("approved"))).text)
    assert token is not None
    form = {**about("approved"), "do": "send", "because": "all series seen"}
    done = await house.send("/deid/decisions", token[1], **form)
    assert (done.status_code, done.headers["location"]) == (303, page_of("approved"))
    await in_states(house, "approved", {"done": 2})
    assert len(house.left()) == before + 2
    (record,) = await decisions(house, "approved")
    assert (record.who, record.what["decision"]) == ("otto", "approved")
    assert (record.what["about"], record.what["because"]) == ("sample", "all series seen")
    ((kind, text),) = await kept(house, "approved")
    assert kind == "approval"
    assert '"by":"otto"' in text
    assert study_of("approved") not in text
    assert await house.rig.node.database.read(deid_records.broken_link()) is None
    after = await house.get(page_of("approved"))
    assert "Nothing of this study is held by this profile" in after.text


@pytest.mark.req("D-43")
async def test_a_rejection_stays_until_it_is_taken_back(house: DeidHouse) -> None:
    house.come("otto", "operator")
    form = {**about("rejected"), "because": "a name in the picture"}
    await house.send("/deid/decisions", **form, do="reject")
    page = await house.get(page_of("rejected"))
    assert "a name in the picture" in page.text
    assert 'action="/deid/decisions/undo"' in page.text
    assert ">Rejected " in (await house.get("/deid")).text
    await house.send("/deid/decisions/undo", **form)
    assert "a name in the picture" not in (await house.get(page_of("rejected"))).text
    assert ">Rejected " not in (await house.get("/deid")).text
    words = [record.what["decision"] for record in await decisions(house, "rejected")]
    assert words == ["taken back", "rejected"]
    assert [kind for kind, _ in await kept(house, "rejected")] == ["rejection", "withdrawal"]
    await in_states(house, "rejected", {"held": 2})


@pytest.mark.req("D-43")
async def test_what_was_approved_and_held_on_can_be_taken_back_before_it_leaves(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    said = about("held on")
    await house.send("/deid/decisions", **said, do="approve", because="seen")
    assert "Approved, still held" in (await house.get("/deid")).text
    await in_states(house, "held on", {"held": 2})
    await house.api("POST", "/decisions/withdrawals", **said, because="wrong study")
    waits = f"/waiting?study={said['study']}"
    assert (await house.api("GET", waits)).json()[0]["decided"] == []
    order = {**said, "approved": False, "release": True, "because": "no"}
    done = await house.api("POST", "/decisions", **order)
    assert done.json()["released"] == 2
    await in_states(house, "held on", {"held": 2})
    (reason,) = (await house.api("GET", waits)).json()[0]["reasons"]
    assert "rejected it" in reason["why"]
    assert (reason["what"], reason["objects"]) == ("sample", 2)


@pytest.mark.req("D-43", "D-32")
async def test_who_approves_pixels_may_see_them_and_gets_a_rule_for_the_device(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    form = {**about("US"), "because": "no text in any frame"}
    assert (await house.send("/deid/decisions", **form, do="send")).status_code == 403
    assert (await house.api("POST", "/decisions", **form, approved=True)).status_code == 403
    assert "You cannot approve this" in (await house.get(page_of("US"))).text
    house.come("ann", "operator", "phi")
    await house.send("/deid/decisions", **form, do="approve")
    assert "model = &#34;Echo 7&#34;" in (await house.get(page_of("US"))).text
    done = await house.api("POST", "/decisions", **form, approved=True, release=True)
    (rule,) = read_devices(tomllib.loads(done.json()["device_rule"]))
    assert (rule.clean, rule.sizes) == (True, ((32, 48),))
    await in_states(house, "US", {"done": 1})
    assert "model = &#34;Echo 7&#34;" in (await house.get(page_of("US"))).text
    records = await kept(house, "US")
    assert [(kind, "Echo 7" in text) for kind, text in records] == [("approval", True)] * 2
