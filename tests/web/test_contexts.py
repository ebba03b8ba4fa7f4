"""What a destination accepts, as the API tells it."""

import pytest
from starlette.testclient import TestClient


@pytest.mark.req("R-64")
def test_the_contexts_of_a_destination_are_shown_with_their_names(client: TestClient) -> None:
    body = client.get("/api/v1/destinations/pacs/contexts").json()
    assert list(body) == ["destination", "contexts", "refused"]
    answers = {each["transfer_syntax_name"]: each["answer"] for each in body["contexts"]}
    assert answers["Explicit VR Little Endian"] == "refused"
    assert "accepted" in answers.values()
    (refused,) = body["refused"]
    assert (refused["sop_class_name"], refused["why"]) == ("CT Image Storage", "not supported")


def test_contexts_of_an_unknown_destination_are_not_found(client: TestClient) -> None:
    assert client.get("/api/v1/destinations/nowhere/contexts").status_code == 404
