"""Who we are to an HTTP server."""

import base64
import json

import pytest

from tests.net.http_sink import Answer, HttpSink, Request, serving
from waystation.model.errors import UnreachableError
from waystation.net.credentials import Basic, Bearer, Credentials, Fetched, Identity
from waystation.net.http import HttpSettings, HttpWaits

QUICK = HttpSettings(waits=HttpWaits(connect_s=1.0, progress_s=1.0, response_s=0.3))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fetched(sink: HttpSink, scope: str = "dicom") -> Fetched:
    return Fetched(
        token_url=f"{sink.url}/token",
        client_id="gate:way",
        client_secret="s e/s",
        scope=scope,
        http=QUICK,
    )


def token(text: object = "abc", **more: object) -> Answer:
    return Answer(body=json.dumps({"access_token": text, **more}).encode())


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        (None, ""),
        (Basic(user="Jos\u00e9", password="p:w"), "Basic Sm9zw6k6cDp3"),
        (Bearer(token="t"), "Bearer t"),
    ],
)
async def test_what_is_shown(identity: Identity, shown: str) -> None:
    credentials = Credentials(identity, Clock())
    assert await credentials.authorization() == shown
    assert not credentials.rejected()
    await credentials.close()


async def test_a_token_is_fetched_once_and_again_before_it_ends() -> None:
    async with serving(lambda _: token(expires_in=600)) as sink:
        clock = Clock()
        credentials = Credentials(fetched(sink), clock)
        for _ in range(3):
            assert await credentials.authorization() == "Bearer abc"
        (request,) = sink.requests
        assert request.body == b"grant_type=client_credentials&scope=dicom"
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic "))
        assert basic == b"gate%3Away:s%20e%2Fs"
        clock.now += 541
        await credentials.authorization()
        assert len(sink.requests) == 2
        await credentials.close()


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    async with serving(lambda _: token(expires_in=600)) as sink:
        credentials = Credentials(fetched(sink), Clock())
        await credentials.authorization()
        await credentials.authorization()
        assert credentials.rejected()
        await credentials.authorization()
        assert len(sink.requests) == 2
        assert not credentials.rejected()
        await credentials.close()


@pytest.mark.req("O7", "O3")
@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (Answer(status=400), True),
        (Answer(status=401), True),
        (Answer(status=302), True),
        (Answer(status=429), False),
        (Answer(status=503), False),
        (Answer(body=b"welcome"), False),
        (Answer(body=b"[]"), False),
        (token(""), False),
        (token(7), False),
        (token("a\r\nX-Evil: 1"), False),
        (token(expires_in="soon"), False),
        (token(expires_in=float("nan")), False),
        ("cut", False),
    ],
)
async def test_a_token_server_that_gives_none(answer: Answer | str, permanent: bool) -> None:
    def script(_: Request) -> Answer | str:
        return answer

    async with serving(script) as sink:
        credentials = Credentials(fetched(sink), Clock())
        with pytest.raises(UnreachableError) as caught:
            await credentials.authorization()
        assert caught.value.permanent is permanent
        assert "s e/s" not in str(caught.value)
        await credentials.close()


def test_no_secret_shows_in_a_repr() -> None:
    for identity in (
        Basic(user="u", password="sesame"),
        Bearer(token="sesame"),
        Fetched(token_url="https://x", client_id="c", client_secret="sesame"),
    ):
        assert "sesame" not in repr(identity)
