"""schemathesis on the description of the whole site: what it says is what is answered (W-100)."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.interop.conftest import StartNode
from tests.objects.samples import as_file, sample
from tests.peers.node import rule_to

pytestmark = pytest.mark.peer
EXAMPLES = 3
STREAM = "text/event-stream"
PART = b"--x\r\nContent-Type: application/dicom\r\n\r\n"


def described(url: str) -> Any:
    found = pytest.importorskip("schemathesis")

    def body(context: Any, value: Any) -> Any:
        whole = as_file(sample(seed="schemathesis"))
        text = whole if isinstance(value, dict) else repr(value).encode()
        return PART + text + b"\r\n--x--\r\n"

    # An upload is made of anything: an object, or what was made up.
    found.serializer("multipart/related", "application/dicom")(body)
    return found.openapi.from_url(url)


def operations(schema: Any) -> Iterator[Any]:
    for result in schema.get_all_operations():
        operation = result.ok()
        if STREAM not in str(operation.definition.raw):
            yield operation


@pytest.mark.req("W-100", "W-151", "W-12")
@pytest.mark.filterwarnings("ignore")
def test_the_site_answers_as_its_description_says(start_node: StartNode) -> None:
    checks = pytest.importorskip("schemathesis.checks")
    node = start_node(rule_to("archive"))
    schema = described(f"{node.web}/api/v1/openapi.json")
    # A request can be well formed and still mean nothing here: 400 and 406 are no faults.
    excluded = checks.CHECKS.get_by_names(["positive_data_acceptance"])
    asked = 0
    for operation in operations(schema):

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            case.call_and_validate(excluded_checks=excluded)

        check()
        asked += 1
    assert asked > 30
