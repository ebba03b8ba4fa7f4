"""Steps with de-identification, pixels, every way out, crashes, and what people are told."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.rig import BASE, CT, TINY, Rig, destination
from tests.flows.test_treat import WARD, head_of, ruled, tail
from tests.net.sink import Sink, call_to, store, until_async
from tests.objects import public
from tests.objects.files import read_stored
from tests.objects.samples import study
from tests.peers.dcmtk import StoreScp
from tests.peers.pynetdicom_scp import ScriptedScp
from waystation.dicom.head import Head
from waystation.dicom.splice import replace as replace_in
from waystation.model.peer import Remote
from waystation.transforms.redact_job import Rectangle, RedactJob
from waystation.transforms.steps import DeidResult, StepFacts

ID, REMOVED, METHOD = 0x00100020, 0x00120062, 0x00120063


class Double:
    """De-identification as far as the belt needs it: another patient, and the marks."""

    def __init__(self, *, fails: bool = False, pixels: RedactJob | None = None) -> None:
        self.digest = "double"
        self._fails = fails
        self._pixels = pixels

    def __call__(self, head: Head, facts: StepFacts) -> DeidResult:
        if self._fails:
            raise RuntimeError("patient 123")
        marks = {REMOVED: b"YES", METHOD: b"double"}
        made = replace_in(head, {ID: b"PSEUDO"} | marks)
        return DeidResult(head=made, mark="research 1", pixels=self._pixels)


async def start(rig: Rig, sink: Sink, double: Double, *, extra: str = "") -> None:
    """Start a node whose one rule de-identifies by a double."""
    text = destination("a", sink.port, extra) + ruled("")
    await rig.start(text)
    rule = rig.node.settings.rule[0].model_copy(update={"deidentify": "research"})
    rig.node.stepping._deidentifiers = lambda _settings: {"research": double}
    await rig.node.reload(rig.node.settings.model_copy(update={"rule": (rule,)}))


@pytest.mark.req("R-69", "D-37")
async def test_what_was_de_identified_passes_the_second_lock(rig: Rig) -> None:
    sink = await rig.sink()
    await start(rig, sink, Double(), extra="only_deidentified = true")
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    (got,) = sink.objects
    assert head_of(got).text(ID) == "PSEUDO"
    assert tail(got) == tail(TINY)
    ((mark, detail),) = await rig.rows(
        "SELECT t.deidentified, a.detail FROM treatment t, attempt a"
    )
    assert (mark, detail) == ("research 1", "de-identified by research 1")


@pytest.mark.req("R-69", "RT-11", "D-39")
async def test_a_fault_in_de_identification_sends_no_byte(rig: Rig) -> None:
    sink = await rig.sink()
    await start(rig, sink, Double(fails=True))
    await rig.accepted(TINY, CT)
    await rig.wait_for({"held:deid-failed": 2})
    assert (sink.objects, sink.associations) == ([], 0)
    for (why,) in await rig.rows("SELECT why FROM delivery"):
        assert "123" not in why


@pytest.mark.req("R-69", "D-39")
async def test_a_profile_that_is_gone_holds(rig: Rig) -> None:
    sink = await rig.sink()
    await start(rig, sink, Double())
    rig.node.stepping._deidentifiers = lambda _settings: {}
    await rig.node.stepping.use(rig.node.settings)
    await rig.accepted(TINY)
    await rig.wait_for({"held:deid-failed": 1})
    assert sink.objects == []


@pytest.mark.req("R-65")
async def test_an_object_whose_pixels_change_is_kept_whole_and_goes_with_its_arrival(
    rig: Rig,
) -> None:
    sink = await rig.sink(Sink(script=lambda _command: 0xA700))
    job = RedactJob(rectangles=(Rectangle(0, 0, 4, 2),))
    await start(rig, sink, Double(pixels=job), extra="only_deidentified = true")
    await rig.accepted(CT)

    async def tried() -> bool:
        return len(sink.objects) >= 2

    await until_async(tried, 20.0)
    sink.script = lambda _command: 0
    await rig.wait_for({"done": 1})
    assert len({one.data_set for one in sink.objects}) == 1
    after = head_of(sink.objects[-1])
    assert after.text(ID) == "PSEUDO"
    assert tail(sink.objects[-1]) != tail(CT)
    ((blob, size, head),) = await rig.rows("SELECT blob, size_bytes, head FROM treatment")
    assert (size, bytes(head)) == (len(sink.objects[-1].data_set), b"")
    assert (rig.data / "blobs" / blob).exists()
    await rig.stop()
    await rig.start(keep="0s")
    await rig.node.sweep.once()
    assert not (rig.data / "blobs" / blob).exists()
    assert await rig.rows("SELECT blob FROM treatment") == [("",)]


@pytest.mark.req("R-65", "R-54")
async def test_files_have_the_name_and_the_bytes_of_what_was_made(rig: Rig, tmp_path: Path) -> None:
    out, seen = tmp_path / "out", tmp_path / "seen"
    out.mkdir()
    seen.mkdir()
    copy = f'["/bin/cp", "{{file}}", "{seen}"]'
    text = f'[destination.a]\nkind = "folder"\npath = "{out}"\nname = "{{PatientID}}/x.dcm"\n'
    text += f'[destination.b]\nkind = "command"\ncommand = {copy}\n'
    text += ruled(f"edit = {WARD}") + ruled(f"edit = {WARD}", name="b", to="b")
    await rig.start(text)
    await rig.accepted(CT)
    await rig.wait_for({"done": 2})
    (made,) = [file for file in out.rglob("*") if file.is_file()]
    (given,) = [file for file in seen.rglob("*") if file.is_file()]
    assert made.parent.name.startswith("X-")
    one, other = read_stored(made.read_bytes()), read_stored(given.read_bytes())
    assert one.digest == other.digest
    assert tail(one) == tail(CT)
    digests = await rig.rows("SELECT DISTINCT sent_sha256 FROM delivery")
    assert [bytes(row[0]).hex() for row in digests] == [one.digest]
    assert await rig.rows("SELECT count(*) FROM treatment") == [(1,)]


@pytest.mark.peer
@pytest.mark.req("R-65", "R-62")
async def test_what_was_edited_is_re_encoded_for_who_needs_it(rig: Rig) -> None:
    with ScriptedScp(syntaxes=[public.IMPLICIT]) as scp:
        await rig.start(destination("a", scp.port) + ruled(f"edit = {WARD}"))
        await rig.accepted(CT)
        await rig.wait_for({"done": 1})
        (got,) = scp.seen.stored
    assert head_of(got).values("InstitutionName") == ["St Mary"]
    ((syntax, sha256, detail),) = await rig.rows(
        "SELECT d.sent_syntax, d.sent_sha256, a.detail FROM delivery d, attempt a"
    )
    assert (syntax, bytes(sha256).hex()) == (public.IMPLICIT, got.digest)
    assert detail.startswith("edited InstitutionName, PatientID; Explicit VR Little Endian sent")


@pytest.mark.peer
@pytest.mark.req("RT-11")
async def test_a_real_receiver_gets_edited_objects_with_untouched_tails(
    rig: Rig, tmp_path: Path
) -> None:
    objects = study(4, kind="ct")
    with StoreScp(tmp_path / "scp") as scp:
        table = destination("a", scp.port).replace('"SINK"', '"STORESCP"')
        edit = "edit = [ { set = 'InstitutionName', to = 'St Mary' }, { new_uids = true } ]"
        await rig.start(table + ruled(edit))
        await rig.accepted(*objects)
        await rig.wait_for({"done": 4})
        got = scp.stored()
    assert sorted(map(tail, got)) == sorted(map(tail, objects))
    assert {head_of(one).text(0x00080080) for one in got} == {"St Mary"}
    assert not {one.sop_instance for one in got} & {one.sop_instance for one in objects}
    digests = await rig.rows("SELECT sent_sha256 FROM delivery")
    assert {bytes(row[0]).hex() for row in digests} == {one.digest for one in got}


NODE = """
import asyncio, os, sys
from pathlib import Path
from waystation.app.node import Node
from waystation.app.read import load_text

async def main():
    text = Path(sys.argv[1]).read_text()
    node = Node(load_text(text, Path(sys.argv[1]), os.environ).settings)
    await node.start()
    print(node.dicom_port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def life(config: Path) -> tuple["subprocess.Popen[str]", int]:
    """Start a node of its own; return it with its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", NODE, str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().isdigit():
            return process, int(line)
    raise AssertionError("the node did not start")


def end(process: "subprocess.Popen[str]") -> None:
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.mark.req("R-65", "R-14")
async def test_a_killed_node_sends_the_same_bytes_in_its_next_life(
    rig: Rig, tmp_path: Path
) -> None:
    sink = await rig.sink(Sink(script=lambda _command: "silent"))
    text = BASE.format(data=tmp_path / "data", dicom="", keep="24h")
    config = tmp_path / "waystation.toml"
    config.write_text(text + destination("a", sink.port) + ruled(f"edit = {WARD}"))
    process, port = await asyncio.to_thread(life, config)
    try:
        remote = Remote(
            name="node", ae_title="WAYSTATION", host="127.0.0.1", port=port, calling_ae="CT1"
        )
        call = await call_to(remote, [CT])
        assert (await store(call, CT)).status == 0

        async def sent() -> bool:
            return bool(sink.objects)

        await until_async(sent)
        process.send_signal(signal.SIGKILL)
        end(process)
        sink.script = lambda _command: 0
        process, _ = await asyncio.to_thread(life, config)

        async def sent_again() -> bool:
            return bool(sink.uids(0))

        await until_async(sent_again)
    finally:
        process.kill()
        end(process)
    assert len({one.data_set for one in sink.objects}) == 1
    assert head_of(sink.objects[0]).values("InstitutionName") == ["St Mary"]


@pytest.mark.req("R-69", "D-37")
async def test_a_real_profile_passes_the_lock_and_leaves_no_patient(
    rig: Rig, tmp_path: Path
) -> None:
    sink = await rig.sink()
    (tmp_path / "lung.key").write_bytes(bytes(range(32)))
    profile = '[deidentify.research]\nproject = { id = "lung", key = { file = "lung.key" } }\n'
    await rig.start(
        destination("a", sink.port, "only_deidentified = true")
        + profile
        + ruled('edit = [ { set = "Manufacturer", to = "ACME" } ]\ndeidentify = "research"')
    )
    objects = study(3, kind="ct")
    await rig.accepted(*objects)
    await rig.wait_for({"done": 3})
    patient = head_of(objects[0]).text(ID).encode()
    for got in sink.objects:
        assert patient not in got.data_set
        assert head_of(got).text(REMOVED) == "YES"
    assert sorted(map(tail, sink.objects)) == sorted(map(tail, objects))
    assert not {one.sop_instance for one in sink.objects} & {one.sop_instance for one in objects}
