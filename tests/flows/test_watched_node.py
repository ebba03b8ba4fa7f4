"""A whole node: what it tells people while images go on (R-81, R-82, R-10)."""

import asyncio

import pytest

from tests.flows.rig import TO_A, Rig, destination
from tests.net.mail_sink import Mailbox, mailbox
from tests.net.sink import Sink, until
from tests.objects.samples import study


def alert(box: Mailbox, extra: str = "") -> str:
    return (
        '[alert]\nto = ["it@x.example"]\ndown_after = "100ms"\nclear_after = "200ms"\n'
        f'{extra}[alert.mail]\nhost = "127.0.0.1"\nport = {box.port}\ntls = "none"\n'
        'from = "node@x.example"\n'
    )


@pytest.mark.req("R-81", "R-82")
async def test_a_destination_goes_and_comes_back_and_two_mails_say_so(rig: Rig) -> None:
    sink = await rig.sink()
    port = sink.port
    async with mailbox() as box:
        await rig.start(alert(box) + destination("a", port) + TO_A)
        await rig.accepted(*study(2))
        await rig.wait_for({"done": 2})
        await rig.drop(sink)
        await rig.accepted(*study(20, seed=1))
        await until(lambda: len(box.mails) == 1, 10.0)
        assert "destination a: down" in str(box.mails[0]["Subject"])
        back = Sink()
        await back.start(port=port)
        try:
            await rig.wait_for({"done": 22})
            await until(lambda: len(box.mails) == 2, 10.0)
        finally:
            await back.stop()
        assert "destination a: over after" in str(box.mails[1]["Subject"])
        rows = await rig.rows("SELECT destination, ended_at IS NOT NULL FROM outage")
        assert rows == [("a", 1)]
        rows = await rig.rows("SELECT n FROM daily WHERE kind = 'done' AND name = 'a'")
        assert rows == [(22,)]


@pytest.mark.req("R-82", "R-10")
async def test_a_mail_server_that_hangs_delays_no_image(rig: Rig) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    box = Mailbox(port=server.sockets[0].getsockname()[1])
    refuses = await rig.sink(Sink(script=lambda _command: 0xA900))
    fine = await rig.sink()
    try:
        await rig.start(
            alert(box)
            + destination("a", fine.port)
            + destination("b", refuses.port)
            + '[[rule]]\nname = "all"\nsend = ["a", "b"]\n'
        )
        await rig.accepted(*study(5))
        await rig.wait_for({"held:object-refused": 5}, to="b")
        await rig.accepted(*study(50, seed=2))
        await rig.wait_for({"done": 55}, to="a")
        await rig.stop()
    finally:
        server.close()


@pytest.mark.req("R-80")
async def test_what_peers_were_refused_is_counted_for_reports(rig: Rig) -> None:
    sink = await rig.sink()
    peer = '[peer.ct1]\nae_title = "CT1"\nrefuse_when = { Modality = "CT" }\n'
    await rig.start(peer + destination("a", sink.port) + TO_A)
    (answer,) = await rig.send(*study(1, kind="ct"))
    assert answer.status == 0x0124
    await rig.accepted(*study(2, kind="small"))
    await rig.wait_for({"done": 2})
    await rig.stop()
    await rig.start()
    rows = await rig.rows(
        "SELECT kind, name, detail, n FROM daily WHERE name = 'ct1' ORDER BY kind"
    )
    assert rows == [("received", "ct1", "", 2), ("refused", "ct1", "0124 not authorised", 1)]
