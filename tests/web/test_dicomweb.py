"""The frame: roots, errors, hosts, pages of other sites, HEAD, gzip, capabilities."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from xml.etree import ElementTree

import pytest
from starlette.responses import Response, StreamingResponse

from tests.web.dicomweb import Web
from waystation.dicomweb import paths
from waystation.dicomweb.accept import DICOM_JSON, Offer
from waystation.model.errors import StorageError
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Resource
from waystation.web.metrics import Figures, metrics_text
from waystation.web.terms import Terms

PAGE = "https://viewer.example.org"
TELL = paths.STUDY + "/tell"


async def tell(asked: Asked) -> Response:
    asked.warn("one")
    asked.warn("zwölf\r\n")
    asked.warn("one")
    shown = {"base": asked.base, "url": asked.url, "source": asked.source, "p": list(asked.params)}
    return Response(json.dumps(shown), media_type=DICOM_JSON)


async def stream(asked: Asked) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    return StreamingResponse(pieces(), media_type=DICOM_JSON)


async def fail(asked: Asked) -> Response:
    raise {
        "refusal": Refusal(413, "Too much", "of this", headers={"x-why": "y"}, source="archive"),
        "storage": StorageError("/secret/path: database is locked"),
        "bug": KeyError("SECRET^PATIENT"),
    }[asked.path["kind"]]


async def take(asked: Asked) -> Response:
    return Response(str(len(await asked.request.body())))


@pytest.fixture
def web() -> Web:
    offers = (Offer(DICOM_JSON),)
    return Web(
        [
            Resource(method="GET", template=TELL, handler=tell, summary="tells", offers=offers),
            Resource(method="GET", template="/stream", handler=stream, summary="streams"),
            Resource(method="GET", template="/fail/{kind}", handler=fail, summary="fails"),
            Resource(
                method="POST",
                template="/studies",
                handler=take,
                summary="takes",
                right="store",
                takes=("application/dicom",),
                body=100,
            ),
        ]
    )


@pytest.mark.req("W-1", "W-2", "W-4", "W-5")
@pytest.mark.parametrize("root", ["/dicom-web", "/qido-rs", "/wado-rs"])
@pytest.mark.parametrize("source", ["", "/sources/archive"])
async def test_every_root_serves_the_whole_tree(web: Web, root: str, source: str) -> None:
    answer = await web.ask(f"{root}{source}//studies/1.2/tell/?x=1&x=2")
    shown = answer.json()
    assert shown["base"] == f"http://127.0.0.1:8080{root}{source}"
    assert shown["url"] == shown["base"] + "/studies/1.2/tell"
    assert shown["source"] == source.rpartition("/")[2]
    assert shown["p"] == [["x", "1"], ["x", "2"]]


@pytest.mark.req("W-3", "W-4", "W-11", "W-12")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dicom-web/sources/pacs/studies/1.2/tell", 404),
        ("/dicom-web/sources/ARCHIVE/studies/1.2/tell", 404),
        ("/dicom-web/nothing", 404),
        ("/dicom-web/studies/1.2", 404),
        ("/dicom-web/studies/1..2/tell", 400),
        ("/dicom-web/studies/..%2f..%2fetc/tell", 404),
        ("/dicom-web/studies/%2e%2e%00/tell", 400),
        ("/dicom-web/studies/" + "1" * 65 + "/tell", 400),
        ("/dicom-web/studies/1.2/tell?x=%ff", 400),
        ("/dicom-web/studies/1.2/tell?" + "&".join(f"a{n}=1" for n in range(300)), 400),
        ("/dicom-web/studies/1.2/tell?x=" + "1" * 17000, 414),
    ],
)
async def test_a_bad_path_is_a_problem(web: Web, path: str, status: int) -> None:
    answer = await web.ask(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "/etc" not in answer.text


@pytest.mark.req("W-4")
async def test_a_wrong_method_says_which_are_right(web: Web) -> None:
    answer = await web.ask("/dicom-web/studies/1.2/tell", "DELETE")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert (await web.ask("/dicom-web/studies", "OPTIONS")).headers["allow"] == "OPTIONS, POST"


@pytest.mark.req("W-12")
@pytest.mark.parametrize(("kind", "status"), [("refusal", 413), ("storage", 503), ("bug", 500)])
async def test_a_failure_tells_nothing_of_the_inside(web: Web, kind: str, status: int) -> None:
    answer = await web.ask(f"/dicom-web/fail/{kind}")
    assert answer.status_code == status
    assert not {"SECRET", "secret", "Traceback"} & set(answer.text.replace("/", " ").split())
    if kind == "refusal":
        assert (answer.json()["source"], answer.headers["x-why"]) == ("archive", "y")
    if kind == "storage":
        assert answer.headers["retry-after"] == "10"


@pytest.mark.req("W-13")
async def test_warnings_are_plain_and_one_for_each_fact(web: Web) -> None:
    answer = await web.ask("/dicom-web/studies/1.2/tell")
    service = "299 http://127.0.0.1:8080/dicom-web: "
    assert answer.headers.get_list("warning") == [service + "one", service + "zw?lf??"]


@pytest.mark.req("W-17")
async def test_head_has_the_header_of_get_and_no_body(web: Web) -> None:
    for path in ("/dicom-web/studies/1.2/tell", "/dicom-web/stream"):
        got, head = await web.ask(path), await web.ask(path, "HEAD")
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.req("W-15")
async def test_json_is_compressed_for_who_takes_it(web: Web) -> None:
    answer = await web.ask("/dicom-web/stream", accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-length" not in answer.headers
    assert answer.content == b" " * 10_000
    plain = await web.ask("/dicom-web/stream", accept_encoding="gzip;q=0, identity")
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    assert len(gzip.compress(plain.content)) < 1000
    short = await web.ask("/dicom-web/studies/1.2/tell", accept_encoding="gzip")
    assert int(short.headers["content-length"]) == len(short.content)


@pytest.mark.req("W-136", "WT-20")
@pytest.mark.parametrize("path", ["/dicom-web/studies/1.2/tell", "/dicom-web/nothing"])
async def test_a_page_that_is_listed_may_read_errors_too(web: Web, path: str) -> None:
    silent = await web.ask(path, origin=PAGE)
    assert "access-control-allow-origin" not in silent.headers
    web.terms = Terms(origins=(PAGE,))
    answer = await web.ask(path, origin=PAGE)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "Warning" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    stranger = await web.ask(path, origin="https://evil.example.org")
    assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.req("W-136")
async def test_a_preflight_is_no_request_for_capabilities(web: Web) -> None:
    asking = {"access_control_request_method": "GET", "origin": PAGE}
    assert (await web.ask("/dicom-web/", "OPTIONS", **asking)).status_code == 403
    web.terms = Terms(origins=(PAGE,))
    answer = await web.ask("/dicom-web/studies/1.2/tell", "OPTIONS", **asking)
    assert answer.status_code == 204
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]


@pytest.mark.req("W-133", "W-136")
async def test_a_login_is_needed_beyond_this_machine_and_a_page_can_read_that(web: Web) -> None:
    far = {"x_forwarded_for": "10.1.2.3", "origin": PAGE}
    web.terms = Terms(origins=(PAGE,), proxies=(ip_network("127.0.0.0/8"),))
    answer = await web.ask("/dicom-web/studies/1.2/tell", **far)
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
    assert answer.headers["access-control-allow-origin"] == PAGE
    web.terms = replace(web.terms, open=True)
    assert (await web.ask("/dicom-web/studies/1.2/tell", **far)).status_code == 200
    assert (await web.ask("/dicom-web/studies", "POST", **far)).status_code == 401
    assert (await web.ask("/api/v1/status", **far)).status_code == 401
    assert (await web.ask("/", **far)).status_code == 401
    assert (await web.ask("/health/live", **far)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({}, True),
        ({"x_forwarded_host": "127.0.0.1"}, False),
        ({"x_forwarded_for": "127.0.0.1"}, False),
        ({"x_forwarded_for": "10.0.0.1, 127.0.0.1"}, False),
        ({"x_forwarded_for": "nonsense"}, False),
        ({"forwarded": 'for="[::1]:50";proto=https'}, True),
    ],
)
async def test_a_proxy_has_to_say_who_asks(web: Web, headers: dict[str, str], local: bool) -> None:
    web.terms = Terms(proxies=(ip_network("127.0.0.0/8"),))
    answer = await web.ask("/dicom-web/studies/1.2/tell", **headers)
    assert answer.status_code == (200 if local else 401)


@pytest.mark.req("W-137", "WT-20")
@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"x_forwarded_proto": "https", "x_forwarded_host": "pacs.org"}, "https://pacs.org"),
        (
            {
                "x_forwarded_proto": "https",
                "x_forwarded_host": "pacs.org, proxy2",
                "x_forwarded_prefix": "/way/",
            },
            "https://pacs.org/way",
        ),
        ({"forwarded": 'for=1.2.3.4;proto=https;host="pacs.org:8443"'}, "https://pacs.org:8443"),
        ({"x_forwarded_host": "evil.org/x?"}, "http://127.0.0.1:8080"),
        ({"x_forwarded_proto": "javascript"}, "http://127.0.0.1:8080"),
    ],
)
async def test_only_a_trusted_proxy_says_who_we_are(
    web: Web, headers: dict[str, str], base: str
) -> None:
    answer = await web.ask("/dicom-web/studies/1.2/tell", **headers)
    assert answer.json()["base"] == "http://127.0.0.1:8080/dicom-web"
    web.terms = Terms(proxies=(ip_network("127.0.0.0/8"),), open=True)
    answer = await web.ask("/dicom-web/studies/1.2/tell", **headers)
    assert answer.json()["base"] == base + "/dicom-web"
    web.terms = replace(web.terms, public_url="https://example.org/x")
    answer = await web.ask("/dicom-web/studies/1.2/tell", **headers)
    assert answer.json()["base"] == "https://example.org/x/dicom-web"


@pytest.mark.req("S-59")
async def test_foreign_names_and_pages_change_nothing(web: Web) -> None:
    assert (await web.ask("/dicom-web/studies/1.2/tell", host="evil.org")).status_code == 400
    assert (await web.ask("/dicom-web/studies", "POST", origin=PAGE)).status_code == 403
    own = await web.ask("/dicom-web/studies", "POST", origin="http://127.0.0.1:8080")
    assert own.status_code == 200
    web.terms = Terms(public_url="https://pacs.org", origins=(PAGE,))
    assert (await web.ask("/dicom-web/studies/1.2/tell", host="pacs.org")).status_code == 200
    assert (await web.ask("/dicom-web/studies", "POST", origin=PAGE)).status_code == 200


@pytest.mark.req("W-100")
async def test_capabilities_are_those_that_are_there(web: Web) -> None:
    answer = await web.ask("/qido-rs/", "OPTIONS")
    assert answer.headers["content-type"].startswith("application/vnd.sun.wadl+xml")
    root = ElementTree.fromstring(answer.text)
    space = {"w": "http://wadl.dev.java.net/2009/02"}
    listed = root.findall("w:resources/w:resource", space)
    assert [one.get("path") for one in listed] == [
        *("studies/{study}/tell", "stream", "fail/{kind}", "studies", "sources", ""),
    ]
    assert listed[0].find("w:method", space).get("name") == "GET"  # type: ignore[union-attr]
    told = await web.ask("/dicom-web", "OPTIONS", accept="application/json")
    assert told.json()["resources"][3]["methods"][0]["request"] == ["application/dicom"]
    assert (await web.ask("/dicom-web/", "OPTIONS", accept="text/html")).status_code == 406


@pytest.mark.req("W-2", "W-3")
async def test_the_sources_are_told(web: Web) -> None:
    answer = await web.ask("/qido-rs/sources")
    assert answer.json() == [{"name": "archive", "kind": "archive", "health": "ok"}]


@pytest.mark.req("W-135")
async def test_answers_are_counted_by_resource_and_never_by_what_was_asked(web: Web) -> None:
    for path in ("/studies/1.2/tell?x=SECRET", "/studies/1.3/tell", "/SECRET"):
        await web.ask("/dicom-web" + path)
    await web.ask("/dicom-web/studies", "SECRET")
    told = await web.ask("/dicom-web/sources/archive/studies/1.3/tell")
    counted = metrics_text(Figures(web=web.frame.tally)).decode()
    line = 'waystation_dicomweb_requests_total{method="GET",resource="/studies/{study}/tell"'
    assert line + ',source="",status="200"} 2.0' in counted
    assert line + ',source="archive",status="200"} 1.0' in counted
    assert 'method="other",resource="",source="",status="405"' in counted
    assert "waystation_dicomweb_seconds_bucket" in counted
    place = 'resource="/studies/{study}/tell",source="archive"'
    assert f"dicomweb_sent_bytes_total{{{place}}} {len(told.content)}.0" in counted
    assert "waystation_dicomweb_in_flight 0.0" in counted
    assert "SECRET" not in counted


@pytest.mark.req("W-139", "L21")
async def test_one_caller_cannot_have_everything(web: Web) -> None:
    web.frame._in_flight["127.0.0.1"] = 256
    answer = await web.ask("/dicom-web/studies/1.2/tell")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    web.frame._in_flight["127.0.0.1"] = 255
    assert (await web.ask("/dicom-web/studies/1.2/tell")).status_code == 200
    assert web.frame._in_flight["127.0.0.1"] == 255


@pytest.mark.req("W-139")
async def test_so_many_requests_a_second_and_twice_that_at_once(web: Web) -> None:
    web.terms = Terms(rate=5, open=True, proxies=(ip_network("127.0.0.0/8"),))

    async def ask(caller: str) -> tuple[int, str | None]:
        answer = await web.ask("/dicom-web/studies/1.2/tell", x_forwarded_for=caller)
        return answer.status_code, answer.headers.get("retry-after")

    assert [await ask("10.0.0.1") for _ in range(10)] == [(200, None)] * 10
    assert await ask("10.0.0.1") == (429, "1")
    assert await ask("10.0.0.2") == (200, None)
    web.now = 1.0
    assert [(await ask("10.0.0.1"))[0] for _ in range(6)] == [200] * 5 + [429]
    web.terms = replace(web.terms, rate=0)
    assert [(await ask("10.0.0.1"))[0] for _ in range(20)] == [200] * 20


async def test_the_rest_of_the_site_is_as_it_was(web: Web) -> None:
    assert (await web.ask("/health/live")).json() == {"status": "live"}
    assert (await web.ask("/dicom-webby/studies")).status_code == 404
    assert web.frame.owns("/dicom-web")
    assert not web.frame.owns("/dicom-webby")
