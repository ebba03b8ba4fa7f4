"""What one request may bring, at each limit and one above it (S-35, L20 to L28)."""

import gzip
import json
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.testclient import TestClient

from tests.flows.rig import CT, TINY, Rig
from tests.objects.samples import as_file
from tests.web.dicomweb import Web
from tests.web.living import Living
from tests.web.test_dicomweb import web
from tests.web.test_store import KIND, body
from tests.web.test_store_metadata import JSON, XML, post, ui
from tests.web.test_store_metadata import body as described
from waystation.dicomweb.xml_model import to_xml
from waystation.web.json_shape import DEEPEST, MOST_MEMBERS, unfit
from waystation.web.problems import BODY_LIMIT, LARGEST_HEAD, LONGEST_TARGET, MOST_FIELDS

__all__ = ("web",)

TELL = "/dicom-web/studies/1.2/tell"
RETRY = "/api/v1/deliveries/retry"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Return one node for all of them."""
    made = Rig(tmp_path_factory.mktemp("limits"))
    await made.start()
    yield made
    await made.close()


@pytest.mark.req("L20", "W-139")
async def test_an_address_of_16_kib_is_read_and_a_longer_one_is_not(web: Web) -> None:
    query = "x=" + "1" * (LONGEST_TARGET - len(TELL) - 2)
    assert (await web.ask(f"{TELL}?{query}")).status_code == 200
    assert (await web.ask(f"{TELL}?{query}1")).status_code == 414


@pytest.mark.req("L20", "W-139")
async def test_a_head_of_100_fields_and_64_kib_is_read_and_a_larger_one_is_not(web: Web) -> None:
    plain = (await web.ask(TELL)).request.headers
    free = MOST_FIELDS - len(plain.raw)
    many = {f"x-{number}": "1" for number in range(free)}
    assert (await web.ask(TELL, **many)).status_code == 200
    assert (await web.ask(TELL, **many, y="1")).status_code == 431
    taken = sum(len(name) + len(value) + 4 for name, value in plain.raw)
    long = "1" * (LARGEST_HEAD - taken - len("x") - 4)
    assert (await web.ask(TELL, x=long)).status_code == 200
    assert (await web.ask(TELL, x=long + "1")).status_code == 431


@pytest.mark.req("L20")
def test_the_console_has_the_same_limits(client: TestClient) -> None:
    path = "/health/live"
    fits = path + "?" + "x" * (LONGEST_TARGET - len(path))
    assert client.get(fits).status_code == 200
    assert client.get(fits + "x").status_code == 414
    assert client.get(path, headers={"x": "1" * LARGEST_HEAD}).status_code == 431


@pytest.mark.req("L28", "W-139")
async def test_256_names_of_parameters_are_read_and_one_more_is_not(web: Web) -> None:
    def asked(names: int) -> str:
        return TELL + "?" + "&".join(f"x{number}=1&x{number}=2" for number in range(names))

    assert (await web.ask(asked(256))).status_code == 200
    assert (await web.ask(asked(257))).status_code == 400


@pytest.mark.req("L22")
def test_a_json_body_has_so_many_bytes_levels_and_members(client: TestClient) -> None:
    def status(text: str) -> int:
        headers = {"content-type": "application/json"}
        return client.post(RETRY, content=text.encode(), headers=headers).status_code

    good = json.dumps({"to": "pacs", "user": "ann"})
    assert status(good) == 200
    assert status(good.ljust(BODY_LIMIT)) == 200
    assert status(good.ljust(BODY_LIMIT + 1)) == 413
    assert status("[" * 100_000) == 400
    assert status('{"to": [' + "1," * MOST_MEMBERS + "1]}") == 400


@pytest.mark.req("L22")
@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("[" * DEEPEST + "]" * DEEPEST, True),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), False),
        ('{"a":' * DEEPEST + "1" + "}" * DEEPEST, True),
        ('{"a":' * (DEEPEST + 1), False),
        ("[]," * 100, True),
        ('["' + "[{" * 100 + '\\"[[", 1]', True),
        ("[" + "1," * (MOST_MEMBERS - 1) + "1]", True),
        ("[" + "1," * MOST_MEMBERS + "1]", False),
        ('["' + "," * MOST_MEMBERS + '"]', True),
        ('"' * 1001, True),
    ],
)
def test_depth_and_members_are_counted_outside_of_texts(text: str, fits: bool) -> None:
    assert (unfit(text.encode()) == "") is fits


@pytest.mark.req("L23", "W-94")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_is_as_large_as_it_may_be_announced_or_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = body(as_file(TINY))
    monkeypatch.setattr("waystation.web.stow.LARGEST_BODY", len(whole))
    living = Living(rig)

    async def pieces(content: bytes) -> AsyncIterator[bytes]:
        yield content[:300]
        yield content[300:]

    for content, status in ((whole, 200), (whole + b" ", 413)):
        for sent in (content, pieces(content)):
            answer = await living.ask("/studies", "POST", content=sent, content_type=KIND)
            assert answer.status_code == status


@pytest.mark.req("L25", "L12")
@pytest.mark.asyncio(loop_scope="module")
async def test_gzip_is_taken_for_what_is_stored_within_its_limits(rig: Rig) -> None:
    living = Living(rig)

    async def send(content: bytes, coding: str = "gzip", kind: str = KIND) -> int:
        answer = await living.ask(
            "/studies", "POST", content=content, content_type=kind, content_encoding=coding
        )
        if answer.status_code == 415:
            assert "gzip" in answer.headers["accept-encoding"]
        return answer.status_code

    packed = gzip.compress(body(as_file(CT), as_file(TINY)))
    assert await send(packed) == 200
    assert await send(packed, "x-gzip") == 200
    assert await send(packed[:-9]) == 400
    assert await send(packed + b"more") == 400
    assert await send(os.urandom(100)) == 400
    assert await send(packed, "br") == 415
    assert await send(body(as_file(TINY)), "identity") == 200
    bomb = gzip.compress(bytes(20 << 20))
    assert len(bomb) * 100 < 20 << 20
    assert await send(bomb, kind="application/dicom") == 413
    # Up to 1 MiB a body may grow as much as it likes.
    padded = as_file(CT) + b"\xfc\xff\xfc\xffOB\0\0" + (300_000).to_bytes(4, "little")
    assert await send(gzip.compress(padded + bytes(300_000)), kind="application/dicom") == 200


@pytest.mark.req("L25")
def test_gzip_is_taken_for_nothing_else(client: TestClient) -> None:
    packed = gzip.compress(b'{"to": "pacs", "user": "ann"}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.post(RETRY, content=packed, headers=headers).status_code == 415


@pytest.mark.req("L26", "W-94")
@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.asyncio(loop_scope="module")
async def test_metadata_is_64_levels_deep_and_no_deeper(rig: Rig, media: str) -> None:
    living = Living(rig)

    async def status(levels: int) -> int:
        item: dict[str, object] = {"00080100": {"vr": "SH", "Value": ["x"]}}
        for _ in range(levels):
            item = {"00081140": {"vr": "SQ", "Value": [item]}}
        one = item | {
            "00080016": ui("1.2.840.10008.5.1.4.1.1.104.1"),
            "00080018": ui(f"1.2.5.{levels}"),
            "0020000D": ui("1.2.3"),
            "0020000E": ui("1.2.4"),
        }
        text = json.dumps([one]).encode() if media == JSON else to_xml(one)
        return (await post(living, described([text], media, []), media)).status_code

    # The data set itself is the first level.
    assert await status(63) == 200
    assert await status(64) in (400, 409)
    assert await status(150) in (400, 409)


@pytest.mark.req("L26", "W-94")
@pytest.mark.asyncio(loop_scope="module")
async def test_metadata_has_no_document_type_and_no_more_than_its_limit(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = Living(rig)
    head = b'<?xml version="1.0"?>'
    for kind in (b'<!DOCTYPE x [<!ENTITY a "aaaa">]>', b'<!DOCTYPE x SYSTEM "file:///etc/passwd">'):
        text = head + kind + b"<NativeDicomModel>&a;</NativeDicomModel>"
        for sent in (text, text.decode().replace("?>", ' encoding="UTF-16"?>', 1).encode("utf-16")):
            assert (await post(living, described([sent], XML, []), XML)).status_code == 400
    one = {
        "00080016": ui("1.2.840.10008.5.1.4.1.1.104.1"),
        "00080018": ui("1.2.5"),
        "0020000D": ui("1.2.3"),
        "0020000E": ui("1.2.4"),
    }
    text = json.dumps([one]).encode()
    monkeypatch.setattr("waystation.web.stow_metadata.MOST_METADATA", len(text))
    assert (await post(living, described([text], JSON, []))).status_code == 200
    assert (await post(living, described([text + b" "], JSON, []))).status_code == 400
