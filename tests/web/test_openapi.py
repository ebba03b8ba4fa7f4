"""The description of the site: whole, true, and the same as what is answered."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.objects.samples import sample
from tests.web.living import Living, path_of

__all__ = ("rig",)

GOOD = {"study": "1.2.3", "series": "1.2.3.1", "instance": "1.2.3.1.1", "frames": "1"}
METHODS = {"get", "post", "put", "delete", "patch"}


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def check(document: Any) -> None:
    """Insist that a document hangs together."""
    assert document["openapi"].startswith("3.1")
    known = document.get("components", {}).get("schemas", {})
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in known
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert method in METHODS
        declared = [one for one in operation.get("parameters", []) if one["in"] == "path"]
        assert {one["name"] for one in declared} == set(re.findall(r"{(\w+)}", path)), path
        assert all(one["required"] for one in declared)
        assert any(status.startswith("2") for status in operation["responses"]), path
        assert operation["summary"]
        for status, response in operation["responses"].items():
            assert response["description"], (path, status)
        assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_the_api_is_described_with_its_own_errors(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    check(document)
    assert "HTTPValidationError" not in document["components"]["schemas"]
    reload = document["paths"]["/api/v1/reload"]["post"]["responses"]
    assert set(reload) >= {"200", "422", "default"}
    listing = document["paths"]["/api/v1/deliveries"]["get"]["responses"]
    assert "422" not in listing
    assert client.get("/api/v1/deliveries?limit=x").status_code == 400


@pytest.mark.req("W-100")
async def test_every_dicomweb_resource_is_described_and_answers_as_described(rig: Rig) -> None:
    one = sample(seed="o")
    await rig.start()
    await rig.accepted(one)
    web = Living(rig)
    whole = (await web.ask("/api/v1/openapi.json", root="")).json()
    check(whole)
    own = (await web.ask("/openapi.json")).json()
    check(own)
    assert own["servers"] == [{"url": "http://127.0.0.1:8080/dicom-web"}]
    resources = {path for path in whole["paths"] if path.startswith("/dicom-web/")}
    assert resources == {"/dicom-web" + path for path in own["paths"]}
    here = path_of(one).split("/")
    values = dict(zip(("study", "series", "instance"), here[2::2], strict=True))
    asked = 0
    for path, method, operation in operations(own):
        if method != "get" or "{bulk}" in path:
            continue
        for known in (GOOD, {**GOOD, **values}, dict.fromkeys(GOOD, "x%20y")):
            answer = await web.ask(path.format(**known))
            described = operation["responses"].get(str(answer.status_code))
            assert described is not None, (path, answer.status_code)
            kind = answer.headers.get("content-type", "").partition(";")[0]
            assert not kind or kind in described.get("content", {kind: 0}), (path, kind)
            asked += 1
    assert asked >= 60
