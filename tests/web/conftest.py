"""The site over a stand-in, asked without a socket."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn
from waystation.web.site import site

BASE = "http://127.0.0.1:8080"


@pytest.fixture
def node() -> StandIn:
    return StandIn()


@pytest.fixture
def client(node: StandIn) -> Iterator[TestClient]:
    here = ("127.0.0.1", 5000)
    with TestClient(
        site(node), base_url=BASE, raise_server_exceptions=False, client=here
    ) as opened:
        yield opened
