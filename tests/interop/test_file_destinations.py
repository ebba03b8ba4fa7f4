"""A node with a folder, a real sshd and an S3 server behind it: all three hold the same."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.objects.files import read_stored, stored_digests
from tests.objects.study import Study, make_study
from tests.peers.dcmtk import storescu
from tests.peers.moto_s3 import MotoS3
from tests.peers.node import QUICK_RETRY, rule_to
from tests.peers.program import HOST, wait_until
from tests.peers.sshd import Sshd

pytestmark = pytest.mark.peer


def folder_table(path: Path) -> str:
    return f'\n[destination.disk]\nkind = "folder"\npath = "{path}"\n{QUICK_RETRY}'


def sftp_table(sshd: Sshd) -> str:
    return f"""
[destination.far]
kind = "sftp"
host = "{HOST}"
port = {sshd.port}
user = "{sshd.user}"
key = "{sshd.key}"
known_hosts = "{sshd.known_hosts}"
path = "{sshd.received}"
name = "{{StudyInstanceUID}}/{{Modality}}/{{InstanceNumber:05}}-{{SOPInstanceUID}}.dcm"
{QUICK_RETRY}"""


def s3_table(moto: MotoS3, bucket: str, secret: Path) -> str:
    secret.write_text("test\n")
    secret.chmod(0o600)
    return f"""
[destination.cloud]
kind = "s3"
bucket = "{bucket}"
prefix = "site-a"
endpoint = "{moto.url}"
allow_http = true
key_id = {{ file = "{secret}" }}
secret_key = {{ file = "{secret}" }}
{QUICK_RETRY}"""


def digests_of(moto: MotoS3, bucket: str) -> dict[str, str]:
    found = map(read_stored, moto.objects(bucket).values())
    return {one.sop_instance: one.digest for one in found}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "study", "small", 30, seed="files")


@pytest.mark.req("R-54", "R-63")
def test_folder_sftp_and_s3_hold_the_same_thirty_objects(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, study: Study
) -> None:
    sshd = stack.enter_context(Sshd(tmp_path / "sshd"))
    moto = stack.enter_context(MotoS3(tmp_path / "moto"))
    bucket = moto.bucket()
    disk = tmp_path / "disk"
    disk.mkdir()
    node = start_node(
        folder_table(disk)
        + sftp_table(sshd)
        + s3_table(moto, bucket, tmp_path / "secret")
        + rule_to("disk", "far", "cloud")
    )
    checked = node.command("check")
    assert checked.returncode == 0, checked.stdout
    assert storescu(node.port, study.folder).exit_code == 0
    node.wait_for({"done": 90})
    assert stored_digests(disk) == study.digests
    assert stored_digests(sshd.received) == study.digests
    assert digests_of(moto, bucket) == study.digests
    assert all(row["attempts"] == 1 for row in node.deliveries())


@pytest.mark.req("R-54", "R-57")
def test_a_share_that_is_mounted_later_and_a_server_that_rises_get_everything(
    tmp_path: Path, stack: ExitStack, start_node: StartNode, study: Study
) -> None:
    sshd = Sshd(tmp_path / "sshd")
    far = sftp_table(sshd)
    sshd.close()
    share = tmp_path / "mnt" / "share"
    node = start_node(folder_table(share) + far + rule_to("disk", "far"))
    assert storescu(node.port, study.folder).exit_code == 0
    wait_until(lambda: "the folder is missing" in node.log, "the lane says what is wrong")
    assert node.states() == {"waiting": 60}
    assert not share.parent.exists()
    share.mkdir(parents=True)
    stack.enter_context(sshd.again())
    node.wait_for({"done": 60}, within_s=20)
    assert stored_digests(share) == study.digests
    assert stored_digests(sshd.received) == study.digests
