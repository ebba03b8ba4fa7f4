"""A node asked by dicomweb-client for Python, over a socket."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import StartNode
from tests.interop.test_query import fill
from tests.objects.full_ct import full_ct
from tests.peers.node import rule_to
from tests.peers.program import wait_until

N = 3


@pytest.mark.req("W-28", "W-29", "W-32", "W-33", "W-64", "W-79", "WT-19")
def test_dicomweb_client_searches_pages_and_reads_metadata(
    start_node: StartNode, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dicomweb_client.api import DICOMwebClient
    node = start_node(rule_to("archive"))
    objects = [full_ct(number, seed=seed) for seed in ("a", "b") for number in range(N)]
    fill(node, tmp_path / "files", objects)
    client: Any = DICOMwebClient(f"{node.web}/dicom-web")
    wait_until(lambda: len(client.search_for_instances()) == 2 * N, "the archive")
    studies = client.search_for_studies(fields=["StudyDescription", "PatientSize"])
    assert len(studies) == 2
    uids = [study["0020000D"]["Value"][0] for study in studies]
    assert all("00081030" in study and "00101020" in study for study in studies)
    both = client.search_for_studies(search_filters={"StudyInstanceUID": uids})
    assert [study["0020000D"]["Value"][0] for study in both] == uids
    named = client.search_for_series(uids[0], search_filters={"PatientName": "compressed samples*"})
    assert named == []
    assert len(client.search_for_series(uids[0], search_filters={"Modality": "CT"})) == 1
    with warnings.catch_warnings():
        # It passes on that there are more.
        warnings.simplefilter("ignore")
        paged = [client.search_for_instances(limit=1, offset=n)[0] for n in range(2 * N)]
        remaining = client.search_for_instances(limit=2, get_remaining=True)
    assert paged == client.search_for_instances()
    assert remaining == paged
    metadata = client.retrieve_study_metadata(uids[1])
    assert len(metadata) == N
    assert metadata[0]["7FE00010"]["BulkDataURI"].startswith(node.web + "/dicom-web/studies/")
    one = client.retrieve_instance_metadata(
        uids[1],
        metadata[0]["0020000E"]["Value"][0],
        metadata[0]["00080018"]["Value"][0],
    )
    assert one == metadata[0]
