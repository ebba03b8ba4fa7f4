"""Destinations on other machines for the contract test: a real sshd, and an S3 server."""

import atexit
import functools
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.destinations.making import Way
from tests.destinations.s3_front import Answer, Front, fronting
from tests.objects.files import read_stored
from tests.objects.study import uid_of
from tests.peers.moto_s3 import MotoS3
from tests.peers.program import HOST
from tests.peers.sshd import Sshd
from waystation.destinations.s3 import S3Destination, S3Settings
from waystation.destinations.sftp import SftpDestination, SftpSettings
from waystation.destinations.sftp_session import SftpCall


@functools.cache
def moto() -> MotoS3:
    """Return the one S3 server of this test process; it starts slowly and keeps buckets apart."""
    folder = tempfile.TemporaryDirectory(prefix="moto-")
    server = MotoS3(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(server.close)
    return server


class SftpWay(Way):
    """Through a real sshd."""

    def __init__(self, sshd: Sshd) -> None:
        self.sshd = sshd
        self.destination = SftpDestination("x", sftp_settings(sshd))

    def arrived(self) -> dict[str, bytes]:
        found = (read_stored(path.read_bytes()) for path in self.sshd.received.rglob("*.dcm"))
        return {one.sop_instance: one.data_set for one in found}

    async def break_down(self) -> None:
        """Put a file where the folder of the study would have to be."""
        (self.sshd.received / uid_of(0, "study")).write_bytes(b"in the way")


def sftp_settings(sshd: Sshd) -> SftpSettings:
    call = SftpCall(
        host=HOST,
        port=sshd.port,
        user=sshd.user,
        key=str(sshd.key),
        known_hosts=str(sshd.known_hosts),
    )
    return SftpSettings(call=call, path=str(sshd.received), linger_s=0.5)


class S3Way(Way):
    def __init__(self, moto: MotoS3, front: Front) -> None:
        self.moto = moto
        self.front = front
        self.bucket = moto.bucket()
        self.destination = S3Destination("x", s3_settings(front.url, self.bucket))

    def arrived(self) -> dict[str, bytes]:
        found = map(read_stored, self.moto.objects(self.bucket).values())
        return {one.sop_instance: one.data_set for one in found}

    async def break_down(self) -> None:
        self.front.always = Answer(status=503, code="SlowDown")


def s3_settings(url: str, bucket: str) -> S3Settings:
    return S3Settings(
        bucket=bucket,
        prefix="site-a",
        endpoint=url,
        allow_http=True,
        key_id="test",
        secret_key="test",
        connect_s=2.0,
        response_s=2.0,
    )


@asynccontextmanager
async def _sftp(folder: Path) -> AsyncIterator[Way]:
    with Sshd(folder / "sshd") as sshd:
        way = SftpWay(sshd)
        try:
            yield way
        finally:
            await way.destination.close()


@asynccontextmanager
async def _s3(_folder: Path) -> AsyncIterator[Way]:
    async with fronting(moto().port) as front:
        way = S3Way(moto(), front)
        try:
            yield way
        finally:
            await way.destination.close()


REMOTE_WAYS: dict[str, Callable[[Path], AbstractAsyncContextManager[Way]]] = {
    "sftp": _sftp,
    "s3": _s3,
}
