"""What only S3 does: conditions, checksums, parts, credentials, and answers that are errors."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.destinations.making import Hold, delivery, load_of
from tests.destinations.making_remote import moto, s3_settings
from tests.destinations.s3_front import CUT, HANG, Answer, Front, fronting
from tests.objects.files import Stored, read_stored
from tests.objects.samples import study
from tests.peers.program import free_port
from waystation.destinations import s3
from waystation.destinations.s3 import DIGEST, OTHER_KEY, S3Destination, S3Settings
from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with fronting(moto().port) as running:
        yield running


@pytest.fixture
def bucket() -> str:
    return moto().bucket()


@pytest.fixture
def settings(front: Front, bucket: str) -> S3Settings:
    return s3_settings(front.url, bucket)


async def bring(way: S3Destination, batch: list[Delivery], cargo: Hold) -> list[Outcome]:
    return [outcome async for _, outcome in way.send(batch, cargo)]


def fault_of(outcome: Outcome | None) -> Fault:
    assert isinstance(outcome, Deferred), outcome
    return outcome.fault


def key_of(one: Delivery) -> str:
    return f"site-a/{one.study_uid}/{one.series_uid}/{one.sop_instance_uid}.dcm"


def attributes_of(bucket: str, key: str) -> dict[str, str]:
    found = moto().store(bucket).get(key, options={"head": True}).attributes
    return {str(name): str(value) for name, value in found.items()}


@pytest.mark.req("R-54")
async def test_an_object_is_put_once_with_its_checksum_and_names_its_digest(
    front: Front, settings: S3Settings, bucket: str
) -> None:
    (one,), cargo = load_of(study(1))
    way = S3Destination("x", replace(settings, storage_class="STANDARD_IA", encryption="AES256"))
    assert await bring(way, [one], cargo) == [Delivered()]
    (head,) = front.heads
    assert head.startswith(f"put /{bucket}/")
    assert "\r\nif-none-match: *\r\n" in head
    assert re.search(r"\r\nx-amz-checksum-sha256: \S{44}\r\n", head)
    assert "\r\nx-amz-storage-class: standard_ia\r\n" in head
    assert "\r\nx-amz-server-side-encryption: aes256\r\n" in head
    signed = re.search(r"signedheaders=(\S+)", head)
    assert signed is not None
    assert {"x-amz-checksum-sha256", "x-amz-storage-class"} <= set(signed[1].strip(",").split(";"))
    found = attributes_of(bucket, key_of(one))
    assert found[DIGEST] == one.sha256
    assert found["Content-Type"] == "application/dicom"
    assert one.sop_instance_uid not in found.values()
    assert await bring(way, [one], cargo) == [Delivered(comment="already there")]


async def test_metadata_name_the_instance_where_that_is_wanted(
    settings: S3Settings, bucket: str
) -> None:
    (one,), cargo = load_of(study(1))
    way = S3Destination("x", replace(settings, uid_in_metadata=True))
    assert await bring(way, [one], cargo) == [Delivered()]
    assert attributes_of(bucket, key_of(one))["sop-instance-uid"] == one.sop_instance_uid


@pytest.mark.req("R-54", "R-74")
@pytest.mark.parametrize("in_parts", [False, True])
async def test_another_object_under_that_key_is_never_overwritten(
    settings: S3Settings, bucket: str, in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,), cargo = load_of(study(1))
    way = S3Destination("x", settings)
    store = moto().store(bucket)
    store.put(key_of(one), b"somebody else's")
    if in_parts:
        monkeypatch.setattr(s3, "MULTIPART_BYTES", 100)
        cargo.in_pieces = True
    for comment in (OTHER_KEY, "already there"):
        assert await bring(way, [one], cargo) == [Delivered(comment=comment)]
    other = key_of(one).replace(".dcm", f"-{one.sha256[:8]}.dcm")
    assert moto().objects(bucket).keys() == {key_of(one), other}
    assert moto().objects(bucket)[key_of(one)] == b"somebody else's"
    store.put(other, b"and this")
    assert fault_of((await bring(way, [one], cargo))[0]) is Fault.OBJECT


@pytest.mark.req("R-54")
async def test_an_object_without_our_metadata_is_compared_by_its_bytes(
    settings: S3Settings, bucket: str
) -> None:
    (one,), cargo = load_of(study(1))
    way = S3Destination("x", settings)
    assert await bring(way, [one], cargo) == [Delivered()]
    content = moto().objects(bucket)[key_of(one)]
    moto().store(bucket).put(key_of(one), content)
    assert DIGEST not in attributes_of(bucket, key_of(one))
    assert await bring(way, [one], cargo) == [Delivered(comment="already there")]


@pytest.mark.req("R-54", "S-13")
async def test_a_large_object_goes_in_parts_and_none_is_left_of_a_broken_one(
    settings: S3Settings, bucket: str, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MULTIPART_BYTES", 4 << 20)
    monkeypatch.setattr(s3, "_PART_BYTES", 5 << 20)
    large = Stored(
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        sop_instance="1.2.3",
        transfer_syntax="1.2.840.10008.1.2.1",
        data_set=os.urandom(12 << 20),
    )
    one, cargo = delivery(1, large), Hold({1: large}, in_pieces=True, piece_bytes=1 << 20)
    way = S3Destination("x", replace(settings, response_s=20.0))
    cargo.breaks = {1}
    assert isinstance((await bring(way, [one], cargo))[0], Refused)
    cargo.breaks = set()
    altered = replace(one, sha256="00" * 32)
    assert isinstance((await bring(way, [altered], cargo))[0], Refused)
    assert moto().objects(bucket) == {}
    assert b"<UploadId>" not in moto().ask("GET", f"/{bucket}?uploads")[1]
    assert await bring(way, [one], cargo) == [Delivered()]
    parts = [head for head in front.heads if "partnumber=" in head and "uploadid=" in head]
    assert len(parts) >= 3
    assert all("x-amz-checksum-sha256: " in head for head in parts)
    assert read_stored(moto().objects(bucket)[key_of(one)]) == large
    assert attributes_of(bucket, key_of(one))[DIGEST] == one.sha256
    assert await bring(way, [one], cargo) == [Delivered(comment="already there")]


ANSWERS = [
    (503, "SlowDown", Fault.TRANSIENT),
    (500, "InternalError", Fault.TRANSIENT),
    (429, "TooManyRequests", Fault.TRANSIENT),
    (507, "XMinioStorageFull", Fault.TRANSIENT),
    (400, "RequestTimeout", Fault.TRANSIENT),
    (400, "InvalidArgument", Fault.OBJECT),
    (400, "EntityTooLarge", Fault.OBJECT),
    (400, "ExpiredToken", Fault.PEER),
    (400, "AuthorizationHeaderMalformed", Fault.PEER),
    (401, "Unauthorized", Fault.PEER),
    (403, "AccessDenied", Fault.PEER),
    (403, "InvalidAccessKeyId", Fault.PEER),
    (404, "NoSuchBucket", Fault.PEER),
    (301, "PermanentRedirect", Fault.PEER),
    (501, "NotImplemented", Fault.PEER),
]


@pytest.mark.req("R-54", "O3")
@pytest.mark.parametrize(("status", "code", "fault"), ANSWERS)
async def test_each_answer_has_its_class_and_is_asked_for_once(
    front: Front, settings: S3Settings, status: int, code: str, fault: Fault
) -> None:
    batch, cargo = load_of(study(2))
    way = S3Destination("x", settings)
    front.always = Answer(status=status, code=code)
    found = await bring(way, batch, cargo)
    assert [fault_of(outcome) for outcome in found] == [fault] * (2 if fault is Fault.OBJECT else 1)
    assert len(front.heads) == len(found)
    assert isinstance(found[0], Deferred)
    assert found[0].connected
    assert "http" not in found[0].why
    assert batch[0].sop_instance_uid not in found[0].why
    front.always = None
    assert await bring(way, batch, cargo) == [Delivered()] * 2


@pytest.mark.req("R-54", "O4", "S-7")
@pytest.mark.parametrize(("play", "after"), [(CUT, 0), (CUT, 400), (HANG, 0)])
async def test_no_answer_is_unknown_and_the_same_object_goes_again(
    front: Front, settings: S3Settings, play: str, after: int
) -> None:
    batch, cargo = load_of(study(2))
    way = S3Destination("x", replace(settings, response_s=0.3))
    front.plays.append(play)
    front.after = after
    (outcome,) = await bring(way, batch, cargo)
    assert fault_of(outcome) is Fault.UNKNOWN
    assert await bring(way, batch, cargo) == [Delivered()] * 2


@pytest.mark.req("S-7", "O4")
async def test_an_answer_lost_behind_the_put_is_found_out_the_next_time(
    front: Front, settings: S3Settings, bucket: str
) -> None:
    (one,), cargo = load_of(study(1))
    assert await bring(S3Destination("x", settings), [one], cargo) == [Delivered()]
    front.plays.append(Answer(status=409, code="ConditionalRequestConflict"))
    way = S3Destination("x", settings)
    assert await bring(way, [one], cargo) == [Delivered(comment="already there")]
    moto().store(bucket).delete(key_of(one))
    front.plays.append(Answer(status=409, code="ConditionalRequestConflict"))
    (outcome,) = await bring(way, [one], cargo)
    assert fault_of(outcome) is Fault.TRANSIENT


@pytest.mark.req("N-21", "O3")
async def test_nobody_there_is_transient_before_any_object(settings: S3Settings) -> None:
    batch, cargo = load_of(study(2))
    for url in (f"http://127.0.0.1:{free_port()}", "http://nobody.invalid"):
        way = S3Destination("x", replace(settings, endpoint=url))
        for outcome in (*await bring(way, batch, cargo), await way.probe()):
            assert fault_of(outcome) is Fault.TRANSIENT
            assert isinstance(outcome, Deferred)
            assert not outcome.connected


@pytest.mark.req("R-54")
async def test_a_missing_bucket_blocks(settings: S3Settings) -> None:
    batch, cargo = load_of(study(2))
    way = S3Destination("x", replace(settings, bucket="not-there"))
    (outcome,) = await bring(way, batch, cargo)
    for each in (outcome, await way.probe()):
        assert fault_of(each) is Fault.PEER
    assert isinstance(outcome, Deferred)
    assert outcome.why == "there is no bucket not-there (NoSuchBucket)"


async def test_a_probe_asks_once_and_whoever_may_only_write_passes(
    front: Front, settings: S3Settings
) -> None:
    way = S3Destination("x", settings)
    assert await way.probe() is None
    assert len(front.heads) == 1
    front.always = Answer(status=403, code="AccessDenied")
    assert await way.probe() is None
    front.always = Answer(status=403, code="SignatureDoesNotMatch")
    assert fault_of(await way.probe()) is Fault.PEER
    front.always = Answer(status=503, code="SlowDown")
    assert fault_of(await way.probe()) is Fault.TRANSIENT


async def test_plain_http_is_refused_unless_it_was_allowed(settings: S3Settings) -> None:
    batch, cargo = load_of(study(1))
    way = S3Destination("x", replace(settings, allow_http=False))
    assert isinstance((await bring(way, batch, cargo))[0], Deferred)


async def test_our_own_keys_take_nothing_from_the_environment(
    front: Front, settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "of-the-machine")
    batch, cargo = load_of(study(1))
    assert await bring(S3Destination("x", settings), batch, cargo) == [Delivered()]
    assert "credential=test/" in front.heads[-1]
    assert "of-the-machine" not in front.heads[-1]
    machine = S3Destination("x", replace(settings, key_id="", secret_key=""))
    await bring(machine, batch, cargo)
    assert "credential=of-the-machine/" in front.heads[-1]


@pytest.mark.req("S-39", "R-7", "N-20")
@pytest.mark.parametrize("uid", ["../x", "..", "/etc/x", "a\0b", "a\r\nb", "CON", "", "x" * 300])
async def test_hostile_values_stay_behind_the_prefix(
    settings: S3Settings, bucket: str, uid: str
) -> None:
    (one,), cargo = load_of(study(1))
    hostile = replace(one, study_uid=uid, series_uid=uid, calling_ae="../" + uid[:10])
    way = S3Destination("x", replace(settings, template="{calling_ae}/" + settings.template))
    assert await bring(way, [hostile], cargo) == [Delivered()]
    (key,) = moto().objects(bucket)
    assert re.fullmatch(r"site-a/[^/]+/[^/]+/[^/]+/[^/]+\.dcm", key)
    assert not {".", ".."} & set(key.split("/"))
