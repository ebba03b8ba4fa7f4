"""Messages leave once they can, and only once; images never wait for them (R-82, RT-15)."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from tests.flows.overseer import Clock, Overseer, overseer
from tests.net.http_sink import Answer, HttpSink, serving
from tests.net.mail_sink import HOST, mailbox
from tests.peers.program import free_port
from waystation.flows.outbox import Ways
from waystation.journal import watching
from waystation.journal.watching import Message
from waystation.net.mail import MailServer

KEY = b"sesame"


def mail(port: int) -> Ways:
    return Ways(mail=MailServer(host=HOST, port=port, sender="node@x.example", tls="none"))


def to_mail(number: int = 1) -> Message:
    return Message(channel="mail", to="it@x.example", subject=f"message {number}", text="words\n")


def to_hook(sink: HttpSink) -> Message:
    return Message(
        channel="webhook",
        to=f"{sink.url}/hook",
        subject="[radiology] pacs: down",
        text="words",
        event={"event": "incident.began", "about": "destination pacs"},
    )


async def post(seen: Overseer, *messages: Message) -> None:
    await seen.database.write(watching.post(messages, seen.ids, seen.clock.at))


async def states(seen: Overseer) -> list[tuple[str, int]]:
    rows = await seen.database.read(
        lambda t: t.rows("SELECT state, attempts FROM outbox ORDER BY id")
    )
    return [(row[0], row[1]) for row in rows]


@pytest.mark.req("R-82", "RT-15")
async def test_a_mail_server_that_is_down_for_two_hours_gets_each_message_once(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with overseer(tmp_path, mail(port)) as seen:
        for number in range(3):
            await post(seen, to_mail(number))
            await seen.go_on(40)
        assert all(state == "waiting" for state, _ in await states(seen))
        async with mailbox(port=port) as box:
            await seen.go_on(60)
            assert sorted(str(one["Subject"]) for one in box.mails) == [
                "message 0",
                "message 1",
                "message 2",
            ]
            assert [state for state, _ in await states(seen)] == ["done"] * 3
            await seen.go_on(24 * 60, step_s=600.0)
            assert len(box.mails) == 3


@pytest.mark.req("R-82")
async def test_what_was_posted_before_a_restart_leaves_after_it(tmp_path: Path) -> None:
    clock = Clock()
    async with mailbox() as box:
        async with overseer(tmp_path, mail(free_port()), clock=clock) as seen:
            await post(seen, to_mail())
            await seen.go_on(1)
        async with overseer(tmp_path, mail(box.port), clock=clock) as seen:
            await seen.go_on(5)
            assert len(box.mails) == 1


@pytest.mark.req("R-82")
async def test_after_a_day_a_message_is_given_up(tmp_path: Path) -> None:
    async with overseer(tmp_path, mail(free_port())) as seen:
        await post(seen, to_mail())
        await seen.go_on(23 * 60 + 50, step_s=60.0)
        ((state, attempts),) = await states(seen)
        assert state == "waiting"
        assert 90 <= attempts <= 110
        await seen.go_on(30)
        assert [state for state, _ in await states(seen)] == ["failed"]


async def test_one_who_refuses_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async with mailbox() as box, overseer(tmp_path, mail(box.port)) as seen:
        box.answer = lambda one: "554 no" if str(one["Subject"]).endswith("1") else "250 taken"
        await post(seen, to_mail(1), to_mail(2))
        await seen.go_on(1)
        assert [state for state, _ in await states(seen)] == ["waiting", "done"]


async def test_without_a_mail_server_any_more_a_message_waits(tmp_path: Path) -> None:
    async with overseer(tmp_path, Ways()) as seen:
        await post(seen, to_mail())
        await seen.go_on(1)
        assert [state for state, _ in await states(seen)] == ["waiting"]


@pytest.mark.req("R-82")
async def test_a_webhook_is_signed_and_has_the_same_id_each_time(tmp_path: Path) -> None:
    answers = iter([503, 500, 204])
    async with serving(lambda _: Answer(status=next(answers))) as sink:
        async with overseer(tmp_path, Ways(key=KEY)) as seen:
            await post(seen, to_hook(sink))
            await seen.go_on(5, step_s=30.0)
            assert [state for state, _ in await states(seen)] == ["done"]
        assert len(sink.requests) == 3
        assert len({one.headers["webhook-id"] for one in sink.requests}) == 1
        for one in sink.requests:
            signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode()
            digest = hmac.new(KEY, signed + one.body, hashlib.sha256).digest()
            assert one.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        event = json.loads(sink.requests[0].body)
        assert (event["event"], event["about"]) == ("incident.began", "destination pacs")
        assert event["id"] == sink.requests[0].headers["webhook-id"]
