"""Nothing of a patient in logs, metrics, mails and answers (RT-17, S-68)."""

import asyncio
import io
from collections.abc import Iterator, Sequence

import pytest
import structlog

from tests.flows.rig import Rig, destination, rule
from tests.net.mail_sink import mailbox
from tests.net.sink import Sink, until_async
from tests.objects.elements import element
from tests.objects.files import Stored
from waystation.app import logs
from waystation.app.view import View

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
PATIENTS = 500


class Patient:
    """One synthetic patient; everything about them can be searched for."""

    def __init__(self, number: int) -> None:
        self.study = f"2.25.7770{number:04}"
        self.words = {
            f"CANARY{number:04}^JANE",
            f"PID-{number:06}",
            f"ACC{number:07}",
            f"DESC-{number:05}",
            f"{1800 + number // 28:04}02{1 + number % 28:02}",
            self.study,
        }
        name, patient_id, accession, description, birth, _ = sorted(self.words, key=_order)
        rows = [
            (0x00080016, "UI", CT),
            (0x00080018, "UI", f"{self.study}.1.1"),
            (0x00080020, "DA", birth),
            (0x00080050, "SH", accession),
            (0x00080060, "CS", "CT"),
            (0x00081030, "LO", description),
            (0x00100010, "PN", name),
            (0x00100020, "LO", patient_id),
            (0x00100030, "DA", birth),
            (0x0020000D, "UI", self.study),
            (0x0020000E, "UI", f"{self.study}.1"),
        ]
        data = b"".join(element(tag, vr, value) for tag, vr, value in rows)
        # Every tenth is cut in the middle of a value.
        self.cut = number % 10 == 9
        self.stored = Stored(
            sop_class=CT,
            sop_instance=f"{self.study}.1.1",
            transfer_syntax=EXPLICIT,
            data_set=data[:-7] if self.cut else data,
        )


def _order(word: str) -> int:
    starts = ("CANARY", "PID", "ACC", "DESC", "1", "2.25")
    return next(place for place, start in enumerate(starts) if word.startswith(start))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Return what the log of this process says, everything included."""
    before = structlog.get_config()
    text = io.StringIO()
    monkeypatch.setattr("sys.stderr", text)
    logs.set_up("debug", "text")
    yield text
    structlog.configure(**before)
    logs._lines.clear()


async def no_faults() -> list[str]:
    return []


@pytest.mark.slow
@pytest.mark.req("RT-17", "R-85", "R-86", "S-68")
async def test_five_hundred_patients_leave_no_trace_but_their_images(
    rig: Rig, written: io.StringIO
) -> None:
    patients = [Patient(number) for number in range(PATIENTS)]
    good = await rig.sink()
    gossip = await rig.sink(Sink(script=lambda _command: 0xA900))
    gossip.comments[0xA900] = "CANARY0001^JANE PID-000001 born 18000202"
    answers: list[str] = []
    async with mailbox() as box:
        mail = (
            f'[alert]\nto = ["it@x.example"]\n[alert.mail]\nhost = "127.0.0.1"\nport = {box.port}'
        )
        mail += '\ntls = "none"\nfrom = "node@x.example"\n'
        odd = '[[rule]]\nname = "odd"\nif = "number(StudyDescription) > 3"\nsend = ["a"]\n'
        tables = destination("a", good.port) + destination("b", gossip.port)
        await rig.start(mail + tables + rule("a", "b") + odd)

        async def modality(some: list[Patient]) -> None:
            for one in some:
                for answer in await rig.send(one.stored):
                    answers.append(answer.error_comment)
                    assert bool(answer.status) is one.cut

        await asyncio.gather(*(modality(patients[start::10]) for start in range(10)))
        whole = sum(not one.cut for one in patients)
        await rig.wait_for({"done": whole}, to="a", within_s=100.0)
        await rig.wait_for({"held:object-refused": whole}, to="b", within_s=60.0)
        await until_async(lambda: _any(box.mails), 10.0)
        metrics = (await View(rig.node, no_faults).metrics_text()).decode()
        mails = "\n".join(str(one) for one in box.mails)
        await rig.stop()
    shown = "\n".join([written.getvalue(), metrics, mails, *answers])
    found = [word for one in patients for word in one.words if word in shown]
    assert found == []
    assert written.getvalue().count(" delivered to=a") == whole


async def _any(found: Sequence[object]) -> bool:
    return bool(found)
