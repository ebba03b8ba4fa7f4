"""What only SFTP does: keys and logins, sessions, drafts, and servers that fail in the middle."""

import os
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from tests.destinations.making import Hold, delivery, load_of
from tests.destinations.making_remote import sftp_settings
from tests.destinations.sftp_server import USER, Server, serving
from tests.objects.files import Stored, read_stored
from tests.objects.samples import study
from tests.peers.sshd import Sshd, make_key
from waystation.destinations.sftp import SftpDestination
from waystation.destinations.sftp_upload import OTHER_NAME
from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path / "server") as running:
        yield running


@pytest.fixture
async def way(server: Server) -> AsyncIterator[SftpDestination]:
    made = server.destination()
    yield made
    await made.close()


async def bring(way: SftpDestination, batch: list[Delivery], cargo: Hold) -> list[Outcome]:
    return [outcome async for _, outcome in way.send(batch, cargo)]


def fault_of(outcome: Outcome | None) -> Fault:
    assert isinstance(outcome, Deferred), outcome
    return outcome.fault


async def both(way: SftpDestination) -> list[Deferred]:
    """Return how a delivery and a probe ended."""
    batch, cargo = load_of(study(2))
    (sent,) = await bring(way, batch, cargo)
    probed = await way.probe()
    assert isinstance(sent, Deferred)
    assert isinstance(probed, Deferred)
    return [sent, probed]


@pytest.mark.req("R-54")
async def test_another_host_key_blocks_and_nothing_is_told_to_the_server(server: Server) -> None:
    way = server.destination()
    assert await way.probe() is None
    logins = server.logins
    await server.stop()
    server.key = asyncssh.generate_private_key("ssh-ed25519")
    await server.start()
    for outcome in await both(way):
        assert outcome.fault is Fault.PEER
        assert f"it shows {server.key.get_fingerprint()}" in outcome.why
    assert server.logins == logins
    await way.close()


@pytest.mark.req("R-54")
async def test_a_fingerprint_a_file_or_one_key_of_several_will_do(
    server: Server, tmp_path: Path
) -> None:
    mark = server.key.get_fingerprint()
    other = asyncssh.generate_private_key("ssh-ed25519")
    line = server.call().host_keys[0]
    known = tmp_path / "known_hosts"
    known.write_text(f"# ours\n[127.0.0.1]:{server.port} {line}\n")
    for trusted in (
        {"host_keys": (mark,)},
        {"host_keys": (f"{mark}=", other.get_fingerprint())},
        {"host_keys": (other.export_public_key().decode(), line)},
        {"host_keys": (), "known_hosts": str(known)},
    ):
        way = server.destination(**trusted)
        assert await way.probe() is None
        await way.close()


@pytest.mark.req("R-54")
@pytest.mark.parametrize("known", ["", "# nothing\n", "[127.0.0.1]:1 ssh-ed25519 AAAA\n", None])
async def test_who_is_not_known_is_not_trusted(
    server: Server, tmp_path: Path, known: str | None
) -> None:
    path = tmp_path / "known_hosts"
    if known is not None:
        path.write_text(known)
    other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint()
    for call in (
        {"host_keys": (), "known_hosts": str(path)},
        {"host_keys": ()},
        {"host_keys": (other,)},
    ):
        for outcome in await both(server.destination(**call)):
            assert outcome.fault is Fault.PEER
    assert server.logins == 0


@pytest.mark.req("R-54")
async def test_a_refused_login_blocks_and_says_who(server: Server) -> None:
    for outcome in await both(server.destination(password="wrong")):
        assert outcome.fault is Fault.PEER
        assert outcome.why == f"127.0.0.1 refuses the login of {USER}"
    for outcome in await both(server.destination(password="", key="/nonexistent")):
        assert outcome.fault is Fault.PEER
        assert "key: cannot be read" in outcome.why


@pytest.mark.req("N-21", "O3")
async def test_nobody_there_is_transient_before_any_object(server: Server) -> None:
    await server.stop()
    for outcome in await both(server.destination()):
        assert outcome.fault is Fault.TRANSIENT
        assert not outcome.connected
    for outcome in await both(server.destination(host="nobody.invalid")):
        assert outcome.fault is Fault.TRANSIENT


@pytest.mark.req("R-54")
async def test_a_missing_or_forbidden_folder_blocks(server: Server) -> None:
    for outcome in await both(server.destination(path="/elsewhere")):
        assert outcome.fault is Fault.PEER
        assert outcome.why.startswith("/elsewhere: the folder is missing")
    assert not (server.root / "elsewhere").exists()
    (server.root / "file").write_bytes(b"")
    for outcome in await both(server.destination(path="/file")):
        assert outcome.fault is Fault.PEER
    batch, cargo = load_of(study(2))
    server.script.fail["mkdir"] = asyncssh.SFTPPermissionDenied("no")
    server.script.fail["open"] = asyncssh.SFTPPermissionDenied("no")
    (blocked,) = await bring(server.destination(), batch, cargo)
    assert fault_of(blocked) is Fault.PEER
    del server.script.fail["open"]
    charged = await bring(server.destination(), batch, cargo)
    assert [fault_of(outcome) for outcome in charged] == [Fault.OBJECT] * 2
    assert server.files() == []


FULL = [
    ("write", asyncssh.SFTPFailure("No space left on device")),
    ("write", asyncssh.SFTPNoSpaceOnFilesystem("full")),
    ("fsync", asyncssh.SFTPFailure("No space left on device")),
    ("write", asyncssh.SFTPQuotaExceeded("quota")),
    ("mkdir", asyncssh.SFTPFailure("Disk quota exceeded")),
]


@pytest.mark.req("R-54")
@pytest.mark.parametrize(("request_name", "error"), FULL)
async def test_a_full_far_side_is_transient_and_leaves_no_draft(
    server: Server, way: SftpDestination, request_name: str, error: Exception
) -> None:
    batch, cargo = load_of(study(3))
    server.script.fail[request_name] = error
    (outcome,) = await bring(way, batch, cargo)
    assert fault_of(outcome) is Fault.TRANSIENT
    assert server.files() == []
    server.script.fail.clear()
    assert await bring(way, batch, cargo) == [Delivered()] * 3
    assert way.sessions_opened == 1


@pytest.mark.req("R-54", "S-7", "O4")
@pytest.mark.parametrize("request_name", ["open", "write", "fsync", "rename"])
async def test_a_connection_cut_in_the_middle_is_unknown_and_the_next_attempt_is_whole(
    server: Server, way: SftpDestination, request_name: str
) -> None:
    objects = study(3)
    batch, cargo = load_of(objects)
    assert await bring(way, batch[:1], cargo) == [Delivered()]
    server.script.fail[request_name] = lambda _: server.cut()
    (outcome,) = await bring(way, batch[1:], cargo)
    assert fault_of(outcome) is Fault.UNKNOWN
    server.script.fail.clear()
    again = await bring(way, batch[1:], cargo)
    assert [type(outcome) for outcome in again] == [Delivered, Delivered]
    found = {path.name: read_stored(path.read_bytes()) for path in server.files()}
    assert found == {f"{one.sop_instance}.dcm": one for one in objects}
    assert way.sessions_opened == 2


async def test_a_draft_that_a_broken_attempt_left_is_replaced(
    server: Server, way: SftpDestination
) -> None:
    batch, cargo = load_of(study(1))

    def cut(_: bytes) -> None:
        server.cut()

    server.script.fail["fsync"] = cut
    assert fault_of((await bring(way, batch, cargo))[0]) is Fault.UNKNOWN
    (draft,) = server.files()
    assert draft.name.startswith(".")
    assert draft.name.endswith(".part")
    server.script.fail.clear()
    assert await bring(way, batch, cargo) == [Delivered()]
    assert draft not in server.files()
    assert len(server.files()) == 1


@pytest.mark.req("R-54", "R-74")
async def test_another_file_of_that_name_is_never_overwritten(
    server: Server, way: SftpDestination
) -> None:
    (one,), cargo = load_of(study(1))
    assert await bring(way, [one], cargo) == [Delivered()]
    (file,) = server.files()
    file.write_bytes(b"somebody else's")
    for comment in (OTHER_NAME, "already there"):
        assert await bring(way, [one], cargo) == [Delivered(comment=comment)]
    (other,) = set(server.files()) - {file}
    assert (file.read_bytes(), other.name) == (
        b"somebody else's",
        f"{one.sop_instance_uid}-{one.sha256[:8]}.dcm",
    )
    other.write_bytes(b"and this")
    assert fault_of((await bring(way, [one], cargo))[0]) is Fault.OBJECT
    assert {path.read_bytes() for path in server.files()} == {b"somebody else's", b"and this"}


@pytest.mark.req("R-74")
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_name_that_is_taken_while_we_write_is_left_alone(
    server: Server, way: SftpDestination, in_pieces: bool
) -> None:
    (one,), cargo = load_of(study(1))
    cargo.in_pieces = in_pieces

    def taken(path: bytes) -> None:
        if not server.script.asked["taken"]:
            server.script.asked["taken"] += 1
            (server.root / os.fsdecode(path).lstrip("/")).write_bytes(b"quicker")

    server.script.fail["rename"] = taken
    assert await bring(way, [one], cargo) == [Delivered(comment=OTHER_NAME)]
    assert sorted(path.suffix for path in server.files()) == [".dcm", ".dcm"]
    assert b"quicker" in {path.read_bytes() for path in server.files()}


async def test_a_server_without_sync_or_plain_rename_will_do(
    server: Server, way: SftpDestination
) -> None:
    batch, cargo = load_of(study(3))
    server.script.fail["fsync"] = asyncssh.SFTPOpUnsupported("no")
    server.script.fail["rename"] = asyncssh.SFTPOpUnsupported("no")
    assert await bring(way, batch, cargo) == [Delivered()] * 3
    assert server.script.asked["fsync"] == 1
    assert server.script.asked["posix_rename"] == 3


@pytest.mark.req("R-54")
async def test_a_silent_server_ends_the_attempt_in_time(server: Server) -> None:
    way = server.destination(response_s=0.2)
    batch, cargo = load_of(study(2))
    assert await bring(way, batch[:1], cargo) == [Delivered()]
    server.script.silent = True
    (outcome,) = await bring(way, batch[1:], cargo)
    assert fault_of(outcome) is Fault.UNKNOWN
    server.script.silent = False
    assert await bring(way, batch[1:], cargo) == [Delivered()]
    await way.close()


async def test_a_study_folder_that_somebody_removed_is_made_again(
    server: Server, way: SftpDestination
) -> None:
    batch, cargo = load_of(study(2))
    assert await bring(way, batch[:1], cargo) == [Delivered()]
    (file,) = server.files()
    file.unlink()
    file.parent.rmdir()
    file.parent.parent.rmdir()
    assert await bring(way, batch[1:], cargo) == [Delivered()]


@pytest.mark.req("S-39", "R-7", "N-20")
@pytest.mark.parametrize("uid", ["../x", "..", "/etc/x", "a\0b", "a\r\nb", "CON", "", "x" * 300])
async def test_hostile_values_leave_everything_beneath_the_folder(
    server: Server, way: SftpDestination, uid: str
) -> None:
    (one,), cargo = load_of(study(1))
    hostile = replace(one, study_uid=uid, series_uid=uid, calling_ae="../" + uid[:10])
    assert await bring(way, [hostile], cargo) == [Delivered()]
    everything = [path for path in server.root.rglob("*") if path.is_file()]
    assert everything == server.files()
    assert len(everything) == 1


@pytest.mark.peer
@pytest.mark.req("R-54")
async def test_sshd_keeps_a_large_object_and_our_key_may_have_a_passphrase(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd") as sshd:
        secret = tmp_path / "key"
        line = make_key(secret, "word")
        with (sshd.folder / "authorized_keys").open("a") as file:
            file.write(line + "\n")
        settings = sftp_settings(sshd)
        call = replace(settings.call, key=str(secret), key_password="word")
        way = SftpDestination("x", replace(settings, call=call))
        large = Stored(
            sop_class="1.2.840.10008.5.1.4.1.1.2",
            sop_instance="1.2.3",
            transfer_syntax="1.2.840.10008.1.2.1",
            data_set=os.urandom(9 << 20),
        )
        one, cargo = delivery(1, large), Hold({1: large})
        assert await bring(way, [one], cargo) == [Delivered()]
        assert await bring(way, [one], cargo) == [Delivered(comment="already there")]
        (file_there,) = [path for path in sshd.received.rglob("*") if path.is_file()]
        assert read_stored(file_there.read_bytes()) == large
        assert stat.S_IMODE(file_there.stat().st_mode) & 0o077 <= 0o044
        wrong = SftpDestination("x", replace(settings, call=replace(call, key_password="other")))
        assert fault_of(await wrong.probe()) is Fault.PEER
        await way.close()


@pytest.mark.peer
async def test_sshd_never_overwrites_by_the_plain_rename(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd") as sshd:
        way = SftpDestination("x", sftp_settings(sshd))
        (one,), cargo = load_of(study(1))
        assert await bring(way, [one], cargo) == [Delivered()]
        (file,) = [path for path in sshd.received.rglob("*") if path.is_file()]
        file.write_bytes(b"somebody else's")
        assert await bring(way, [one], cargo) == [Delivered(comment=OTHER_NAME)]
        assert file.read_bytes() == b"somebody else's"
        assert way.sessions_opened == 1
        await way.close()


async def test_a_session_lingers_for_the_next_batch_and_ends_after_it(server: Server) -> None:
    batch, cargo = load_of(study(2))
    lingering = server.destination(linger_s=5.0)
    for one in batch:
        assert await bring(lingering, [one], cargo) == [Delivered()]
    assert lingering.sessions_opened == 1
    await lingering.close()
    brief = server.destination(linger_s=0.0)
    for _ in range(2):
        await bring(brief, batch, cargo)
    assert brief.sessions_opened == 2
    await brief.close()
