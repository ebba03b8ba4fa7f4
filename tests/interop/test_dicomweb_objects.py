"""Objects over DICOMweb with the programs that others use: dicomweb-client, Orthanc, curl."""

import io
import json
import os
import subprocess
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.interop.conftest import StartNode
from tests.objects.public import public
from tests.objects.samples import as_file, study
from tests.peers.node import Node
from tests.peers.orthanc import Orthanc
from tests.peers.program import need

pytestmark = pytest.mark.peer
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def client_of(node: Node) -> Any:
    found = pytest.importorskip("dicomweb_client.api")
    return found.DICOMwebClient(f"{node.web}/dicom-web")


def loaded(data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(io.BytesIO(data))


@pytest.mark.req("W-63", "W-65", "W-66", "W-72", "W-92", "W-96", "W-151")
@pytest.mark.filterwarnings("ignore")
def test_dicomweb_client_stores_retrieves_frames_and_bulk_data(start_node: StartNode) -> None:
    node = start_node("")
    client = client_of(node)
    film, slices = public()["examples_ybr_color.dcm"], study(5, seed="client", kind="ct")
    sent = [loaded(as_file(one)) for one in (film, *slices)]
    stored = client.store_instances(sent)
    assert len(stored.ReferencedSOPSequence) == 6
    assert "FailedSOPSequence" not in stored
    ct, cine = sent[1], sent[0]
    names = (ct.StudyInstanceUID, ct.SeriesInstanceUID, ct.SOPInstanceUID)
    assert len(client.retrieve_study(names[0])) == 5
    assert len(client.retrieve_series(*names[:2])) == 5
    assert client.retrieve_instance(*names).PixelData == ct.PixelData
    row = client.retrieve_instance_metadata(*names)
    assert client.retrieve_bulkdata(row["7FE00010"]["BulkDataURI"]) == [ct.PixelData]
    film_names = (cine.StudyInstanceUID, cine.SeriesInstanceUID, cine.SOPInstanceUID)
    size = cine.Rows * cine.Columns * 3
    frames = client.retrieve_instance_frames(*film_names, [30, 1])
    assert [len(frame) for frame in frames] == [size, size]
    for media in (("application/octet-stream", "*"), ("image/jpeg", film.transfer_syntax)):
        (frame,) = client.retrieve_instance_frames(*film_names, [2], media_types=(media,))
        assert frame[:2] == b"\xff\xd8"


@pytest.mark.req("W-92", "W-63", "W-151")
def test_orthanc_stores_to_us_and_retrieves_from_us(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    need(PLUGIN, access=os.R_OK)
    node = start_node("")
    servers = {"us": {"Url": f"{node.web}/dicom-web/", "ChunkedTransfers": True}}
    settings = {
        "Plugins": [PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": servers},
    }
    first = stack.enter_context(Orthanc(tmp_path / "first", settings=settings))
    sent = study(4, seed="orthanc", kind="ct")
    for one in sent:
        first.ask("/instances", as_file(one))
    (known,) = json.loads(first.ask("/studies"))
    first.ask("/dicom-web/servers/us/stow", {"Resources": [known], "Synchronous": True})
    client = client_of(node)
    uid = loaded(as_file(sent[0])).StudyInstanceUID
    assert len(client.search_for_instances(uid)) == 4
    second = stack.enter_context(Orthanc(tmp_path / "second", settings=settings))
    second.ask(
        "/dicom-web/servers/us/retrieve", {"Resources": [{"Study": uid}], "Synchronous": True}
    )
    assert second.digests() == first.digests()


@pytest.mark.req("W-1", "W-63", "W-151", "WT-6")
def test_curl_has_the_images_in_the_first_answer(tmp_path: Path, start_node: StartNode) -> None:
    node = start_node("")
    (one,) = study(1, seed="curl", kind="ct")
    file = tmp_path / "one.dcm"
    file.write_bytes(as_file(one))
    post = ["-X", "POST", "--data-binary", f"@{file}", "-H", "Content-Type: application/dicom"]
    subprocess.run(["curl", "-sf", *post, f"{node.web}/dicom-web/studies"], check=True)
    uid = loaded(as_file(one)).StudyInstanceUID
    accept = 'Accept: multipart/related; type="application/dicom"'
    url = f"{node.web}/wado-rs/studies/{uid}"
    done = subprocess.run(["curl", "-sf", "-H", accept, url], capture_output=True, check=True)
    assert one.data_set in done.stdout


@pytest.mark.req("W-63", "W-64", "W-66", "W-67", "W-99", "W-151")
@pytest.mark.filterwarnings("ignore")
def test_the_other_operations_of_dicomweb_client_and_what_its_reader_of_files_says(
    start_node: StartNode, tmp_path: Path
) -> None:
    node = start_node("")
    node.stop()
    config = node.config_file.read_text()
    node.config_file.write_text(config.replace("[web]\n", "[web]\ndelete = true\n"))
    node.start()
    client = client_of(node)
    names = ("CT_small.dcm", "MR_small.dcm", "rtdose.dcm")
    sent = [loaded(as_file(public()[name])) for name in names]
    client.store_instances(sent)
    files = tmp_path / "files"
    files.mkdir()
    for name in names:
        (files / name).write_bytes(as_file(public()[name]))
    oracle = pytest.importorskip("dicomweb_client.api").DICOMfileClient
    reader = oracle(f"file://{files}", in_memory=True, update_db=True)
    ct, _, dose = [
        (one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID) for one in sent
    ]
    for key in ("PatientID", "StudyInstanceUID"):
        for one in sent:
            wanted = {key: str(one[key].value)}
            here, there = (
                each.search_for_studies(search_filters=wanted) for each in (client, reader)
            )
            assert {uid_of_row(row) for row in here} == {uid_of_row(row) for row in there}
    assert len(list(client.iter_study(ct[0]))) == len(list(client.iter_series(*ct[:2]))) == 1
    (row,) = client.retrieve_series_metadata(*ct[:2])
    assert row["00080018"]["Value"] == [ct[2]]
    (value,) = client.iter_bulkdata(row["7FE00010"]["BulkDataURI"])
    assert value == sent[0].PixelData
    frames = list(client.iter_instance_frames(*dose, [2, 1]))
    assert frames == [sent[2].pixel_array[number].tobytes() for number in (1, 0)]
    for picture in (
        client.retrieve_instance_rendered(*ct),
        client.retrieve_instance_frames_rendered(*dose, [1]),
        client.retrieve_series_rendered(*ct[:2]),
    ):
        assert picture.startswith(b"\xff\xd8")
    client.delete_instance(*ct)
    client.delete_series(*dose[:2])
    client.delete_study(sent[1].StudyInstanceUID)
    assert client.search_for_instances() == []


def uid_of_row(row: Any) -> str:
    found: str = row["0020000D"]["Value"][0]
    return found
