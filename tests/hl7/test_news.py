"""What a message says: orders with their verbs and steps, patients, merges."""

from collections.abc import Sequence

import pytest

from tests.hl7.building import message, msh, order, pid
from waystation.hl7.answer import acknowledgement, asked_of
from waystation.hl7.errors import Hl7Error
from waystation.hl7.mapping import default_map
from waystation.hl7.message import parse
from waystation.hl7.news import (
    SERVED,
    EndNews,
    Item,
    MergeNews,
    OrderNews,
    PatientKey,
    PatientNews,
    news_of,
)


def news(raw: bytes) -> list[Item]:
    return news_of(parse(raw), default_map())


def only(raw: bytes) -> OrderNews:
    (item,) = news(raw)
    assert isinstance(item, OrderNews)
    return item


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("control", "verb"),
    [
        ("NW", "open"),
        ("RO", "open"),
        ("XO", "change"),
        ("XX", "change"),
        ("RP", "change"),
        ("", "change"),
        ("CA", "cancel"),
        ("OC", "cancel"),
        ("DC", "discontinue"),
        ("SC", "nothing"),
    ],
)
def test_order_control_says_what_to_do(control: str, verb: str) -> None:
    assert only(order(verb=control)).verb == verb


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("status", "verb"), [("CM", "complete"), ("IP", "start"), ("CA", "cancel"), ("A", "nothing")]
)
def test_a_status_change_says_what_happened(status: str, verb: str) -> None:
    raw = message(msh(), pid(), f"ORC|SC|PL1|FI1||{status}", "OBR|1|PL1|FI1|X^Y")
    assert only(raw).verb == verb
    assert not only(raw).wanted


@pytest.mark.req("T-60")
def test_a_replacement_ends_the_old_order_and_opens_the_new_one() -> None:
    found = news(
        message(msh(), pid(), "ORC|RP|OLD", "OBR|1|OLD||X^Y", "ORC|RO|NEW", "OBR|1|NEW||X^Z")
    )
    assert [(one.keys, one.verb) for one in found if isinstance(one, OrderNews)] == [
        (("p:OLD",), "cancel"),
        (("p:NEW",), "open"),
    ]


def omi(*steps: str, at: str = "20260101120000") -> bytes:
    return message(
        msh("OMI^O23^OMI_O23", at=at, version="2.5.1", charset="UNICODE UTF-8"),
        pid(),
        "ORC|NW|PL1|FI1",
        "TQ1|1||||||20260301083000||S",
        "OBR|1|PL1|FI1|CTH^CT head^L",
        *steps,
        codec="utf-8",
    )


@pytest.mark.req("T-60", "T-54")
def test_each_ipc_is_a_step_of_its_own() -> None:
    item = only(omi("IPC|A1|RP1|1.2.3|S1|CT|P1^One^L||| CT1", "IPC|A1|RP1|1.2.3|S2|MR|P2^Two^L"))
    assert [step.id for step in item.steps] == ["S1", "S2"]
    first, second = (step.values for step in item.steps)
    assert (first["Modality"].value, second["Modality"].value) == ("CT", "MR")
    assert first["StudyInstanceUID"].value == second["StudyInstanceUID"].value == "1.2.3"
    assert first["RequestedProcedurePriority"].value == "STAT"
    assert ("PatientName" in item.common, "PatientName" in first) == (True, False)


def test_steps_without_an_id_are_counted() -> None:
    item = only(omi("IPC|A1|RP1|1.2.3||CT", "IPC|A1|RP1|1.2.3||MR"))
    assert [step.id for step in item.steps] == ["#1", "#2"]


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("event", "verb"), [("S12", "change"), ("S13", "change"), ("S15", "cancel"), ("S26", "cancel")]
)
def test_an_appointment_speaks_of_the_order_that_it_names(event: str, verb: str) -> None:
    sch = "SCH|AP1|AF1" + "|" * 24 + "PL1|FI1"
    raw = message(msh(f"SIU^{event}"), sch, pid(), "AIS|1|A|CTH^CT head|20260301083000")
    item = only(raw)
    assert item.verb == verb
    assert item.keys == ("p:PL1", "f:FI1", "s:AP1", "t:AF1")
    assert item.common["ScheduledProcedureStepStartDate"].value == "20260301"


@pytest.mark.req("T-60")
@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A31"])
def test_patients_are_told_by_adt(event: str) -> None:
    (item,) = news(message(msh(f"ADT^{event}"), "EVN|x|20260101", pid(name="Doe^Jane")))
    assert isinstance(item, PatientNews)
    assert item.patient == PatientKey("P1", "HOSP")
    assert item.values["PatientName"].value == "Doe^Jane"


@pytest.mark.req("T-60")
def test_a_merge_names_both_ids() -> None:
    found = news(message(msh("ADT^A40"), pid("NEW"), "MRG|OLD^^^HOSP"))
    assert found[0] == MergeNews(old=PatientKey("OLD", "HOSP"), into=PatientKey("NEW", "HOSP"))
    assert isinstance(found[1], PatientNews)


@pytest.mark.req("T-60")
def test_one_message_may_merge_several_pairs() -> None:
    found = news(
        message(msh("ADT^A40"), pid("N1"), "MRG|O1^^^HOSP", pid("N2", "Other^Name"), "MRG|O2")
    )
    merges = [one for one in found if isinstance(one, MergeNews)]
    assert [(one.old.id, one.into.id) for one in merges] == [("O1", "N1"), ("O2", "N2")]
    assert merges[1].old.issuer == "HOSP"


@pytest.mark.req("T-60")
@pytest.mark.parametrize("event", ["A03", "A11", "A23"])
def test_the_end_of_a_visit_is_told(event: str) -> None:
    (item,) = news(message(msh(f"ADT^{event}"), pid()))
    assert isinstance(item, EndNews)
    assert event in item.why


@pytest.mark.req("T-60")
@pytest.mark.parametrize("kind", ["ORU^R01", "ADT^A02", "MDM^T02", "ORM^O02", "QRY", "SIU^S99"])
def test_other_types_are_rejected(kind: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        news(message(msh(kind), pid()))
    assert refused.value.rejected
    assert kind not in SERVED


@pytest.mark.parametrize(
    ("segments", "where"),
    [
        ((pid(),), "ORC"),
        (("ORC|NW|1",), "PID"),
        ((pid(), "ORC|ZZ|1", "OBR|1|1"), "ORC-1"),
        ((pid(), "ORC|NW", "OBR|1||"), "ORC-2"),
        (("PID|1||||Doe", "ORC|NW|1", "OBR|1|1"), "PID-3"),
    ],
)
def test_what_an_order_lacks_is_named(segments: Sequence[str], where: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        news(message(msh(), *segments))
    assert refused.value.where == where
    assert not refused.value.rejected


@pytest.mark.parametrize(
    ("segments", "where"),
    [((pid(),), "MRG-1"), ((pid("A"), "MRG|A^^^HOSP"), "MRG-1"), (("MRG|A",), "PID")],
)
def test_a_merge_without_two_patients_is_refused(segments: Sequence[str], where: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        news(message(msh("ADT^A40"), *segments))
    assert refused.value.where == where


# acknowledgements


@pytest.mark.req("T-60")
def test_an_acknowledgement_goes_back_the_way_the_message_came() -> None:
    asked = asked_of(order(control="C1"))
    found = parse(acknowledgement(asked, "W1", "20260101120001"))
    assert found.kind == "ACK^O01"
    assert [found.header.value(n) for n in (3, 4, 5, 6)] == ["WS", "RAD", "RIS", "HOSP"]
    assert (found.value("MSA", 1), found.value("MSA", 2)) == ("AA", "C1")
    assert found.first("ERR") is None


@pytest.mark.req("T-60")
@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.5", "2.5.1", "2.8", "2.x", ""])
def test_a_refusal_tells_segment_field_and_text(version: str) -> None:
    raw = message(msh(control="C1", version=version), pid())
    fault = Hl7Error("PID-7", "is a date that does not exist & more", 102)
    found = parse(acknowledgement(asked_of(raw), "W1", "20260101120001", fault))
    assert found.value("MSA", 1) == "AE"
    error = found.first("ERR")
    assert error is not None
    text = error.value(8) if version in ("2.5", "2.5.1", "2.8") else ""
    place = (error.value(2, 1), error.value(2, 3)) if text else (error.value(1), error.value(1, 3))
    assert place == ("PID", "7")
    assert "does not exist & more" in (text or error.part(error.raw(1), 4, 5))
    assert "102" in (error.value(3) or error.value(1, 4))


def test_what_is_no_message_gets_an_answer_all_the_same() -> None:
    for raw in (b"", b"nonsense", b"MSH", b"MSH|||||||", b"\xff" * 50, b"MSH|^~\\&"):
        answer = acknowledgement(asked_of(raw), "W1", "20260101", Hl7Error("", "no", rejected=True))
        assert b"\rMSA|AR" in answer
        answer.decode("ascii")


def test_each_procedure_has_its_own_time_and_none_that_of_another() -> None:
    raw = message(
        msh("OMG^O19", version="2.5.1"),
        pid(),
        "ORC|NW|PL1|||||^^^20260101080000",
        "OBR|1|PL1||A^First",
        "TQ1|1||||||20260102090000",
        "OBR|2|PL1||B^Second",
        "TQ1|2",
        "OBR|3|PL1||C^Third",
        "TQ1|3||||||20260103110000",
    )
    (item,) = news_of(parse(raw), default_map())
    assert isinstance(item, OrderNews)
    said = [one.values["ScheduledProcedureStepStartDate"].value for one in item.steps]
    assert said == ["20260102", "20260101", "20260103"]
