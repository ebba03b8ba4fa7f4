"""DELETE over a node: who may, what goes, what stays, what is said of it afterwards."""

import pytest

from tests.flows.conftest import rig
from tests.flows.rig import Rig, destination
from tests.flows.test_archive import archived
from tests.objects.files import Stored
from tests.objects.samples import as_file, study
from tests.web.living import Living, path_of
from tests.web.test_store import KIND, body
from waystation.index.proof import Proof

__all__ = ("rig",)


async def start(rig: Rig, *stored: Stored, config: str = "", delete: bool = True) -> Living:
    await rig.start(config)
    settings = rig.node.settings
    table = settings.web.model_copy(update={"delete": delete})
    rig.node.settings = settings.model_copy(update={"web": table})
    await rig.accepted(*stored)
    return Living(rig)


async def is_sound(rig: Rig) -> bool:
    """Return whether the index says what the objects say."""
    proof = Proof(rig.node.database, rig.node.archivist.heads)
    return [finding async for finding in proof.run()] == []


@pytest.mark.req("W-99")
async def test_nothing_is_deleted_unless_the_settings_say_so(rig: Rig) -> None:
    (one,) = study(1, seed="off")
    web = await start(rig, one, delete=False)
    answer = await web.ask(path_of(one, "study"), "DELETE")
    assert answer.status_code == 405
    assert "DELETE" not in answer.headers["allow"]
    assert await archived(rig) == [one.sop_instance]


@pytest.mark.req("W-99", "W-89")
async def test_an_instance_a_series_and_a_study_go_and_answer_gone(rig: Rig) -> None:
    sent, other = study(3, seed="del"), study(1, seed="stays")[0]
    web = await start(rig, *sent, other)
    for one, level, left in (
        (sent[0], "instance", [sent[1], sent[2], other]),
        (sent[1], "instance", [sent[2], other]),
        (sent[2], "series", [other]),
    ):
        answer = await web.ask(path_of(one, level), "DELETE")
        assert (answer.status_code, answer.content) == (204, b"")
        assert await archived(rig) == sorted(each.sop_instance for each in left)
        assert await is_sound(rig)
        for path in (path_of(one), path_of(one) + "/metadata", path_of(one) + "/frames/1"):
            assert (await web.ask(path)).status_code == 410
    assert (await web.ask(path_of(other, "study"), "DELETE")).status_code == 204
    assert (await web.ask(path_of(other, "study"))).status_code == 410
    assert (await web.ask(path_of(other, "study"), "DELETE")).status_code == 410
    assert (await web.ask("/studies/1.2.3", "DELETE")).status_code == 404
    assert await archived(rig) == []
    noted = await rig.rows("SELECT author, instances, why FROM removal ORDER BY id")
    assert [row[1] for row in noted] == [1, 1, 1, 1]
    assert all("127.0.0.1" in row[0] and "deleted on request" in row[2] for row in noted)
    again = await web.ask("/studies", "POST", content=body(as_file(other)), content_type=KIND)
    assert again.status_code == 200
    await rig.node.router.settled()
    assert (await web.ask(path_of(other))).status_code == 200


@pytest.mark.req("W-99", "S-18")
async def test_what_is_on_its_way_stays(rig: Rig) -> None:
    (one,) = study(1, seed="way")
    rules = '[[rule]]\nname = "both"\nsend = ["a", "archive"]\n'
    web = await start(rig, one, config=destination("a", 1) + rules)
    answer = await web.ask(path_of(one, "study"), "DELETE")
    assert answer.status_code == 409
    assert "sent" in answer.json()["detail"]
    assert await archived(rig) == [one.sop_instance]
