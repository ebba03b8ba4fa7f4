"""Which records a query means, in which order, and what is read for it."""

from collections.abc import Iterable
from contextlib import aclosing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.index.making import Shelf, ct, query
from waystation.db.statement import Transaction
from waystation.index.search import Found
from waystation.matching.match import match
from waystation.matching.unique import Wanted
from waystation.model.query import Key, Options, Query


@pytest.mark.req("T-37", "TT-4")
async def test_modalities_and_counts_are_answered_and_can_be_asked_for(shelf: Shelf) -> None:
    await shelf.put(ct(1, 1, 1), ct(1, 1, 2), ct(1, 2, 1, Modality="SR"), ct(2, Modality="MR"))
    asked = {
        "ModalitiesInStudy": "SR",
        "NumberOfStudyRelatedSeries": "",
        "NumberOfStudyRelatedInstances": "",
        "StudyInstanceUID": "",
    }
    assert await shelf.ask("STUDY", **asked) == [("CT\\SR", "1.2.3.1", "2", "3")]
    assert await shelf.ask("STUDY", Modality="MR") == [("MR",)]
    assert await shelf.ask("STUDY", NumberOfStudyRelatedInstances="3") == [("3",)]
    assert await shelf.ask("STUDY", ModalitiesInStudy="XA") == []
    assert await shelf.ask("SERIES", Modality="SR", NumberOfSeriesRelatedInstances="") == [
        ("SR", "1")
    ]
    assert await shelf.ask(
        "PATIENT",
        PatientID="P1",
        NumberOfPatientRelatedStudies="",
        NumberOfPatientRelatedSeries="",
        NumberOfPatientRelatedInstances="",
    ) == [("P1", "1", "2", "3")]


@pytest.mark.req("T-37")
async def test_there_is_one_answer_for_each_record(shelf: Shelf) -> None:
    await shelf.put(*(ct(1, series, number) for series in (1, 2) for number in (1, 2, 3)))
    assert len(await shelf.ask("PATIENT", PatientID="P1")) == 1
    assert len(await shelf.ask("STUDY", PatientID="P1")) == 1
    assert len(await shelf.ask("SERIES", PatientID="P1")) == 2
    assert len(await shelf.ask("IMAGE", PatientID="P1")) == 6


@pytest.mark.req("T-18")
async def test_studies_come_newest_first_and_series_and_images_by_number(shelf: Shelf) -> None:
    days = {1: "20260101", 2: "20260301", 3: "", 4: "20260301", 5: "2026.02.01"}
    for study, day in days.items():
        await shelf.put(ct(study, StudyDate=day, StudyTime="120000" if study == 4 else "1015"))
    assert await shelf.ask("STUDY", StudyInstanceUID="") == [
        (f"1.2.3.{study}",) for study in (4, 2, 5, 1, 3)
    ]
    await shelf.put(*(ct(9, 10, n) for n in (10, 9, 100)), ct(9, 9), ct(9, 11, SeriesNumber=""))
    assert await shelf.ask("SERIES", PatientID="P9", SeriesNumber="") == [
        ("P9", "9"),
        ("P9", "10"),
        ("P9", ""),
    ]
    assert await shelf.ask("IMAGE", SeriesInstanceUID="1.2.3.9.10", InstanceNumber="") == [
        ("1.2.3.9.10", number) for number in ("9", "10", "100")
    ]


@pytest.mark.req("T-18")
async def test_pages_fit_together_whatever_leads_the_search(shelf: Shelf) -> None:
    objects = [
        ct(n, PatientName=f"Same^{n % 3}", StudyDate=f"202601{n % 9 + 1:02}") for n in range(700)
    ]
    await shelf.put(*objects)
    for asked in (
        {},
        {"PatientName": "Same*"},
        {"StudyDate": "20260101-20260131"},
        {"ModalitiesInStudy": "CT"},
    ):
        found = await shelf.ask("STUDY", **({"StudyInstanceUID": ""} | asked))
        assert len(set(found)) == len(found) == 700
    assert len(set(await shelf.ask("PATIENT", PatientID="", PatientName="Same*"))) == 700


@pytest.mark.req("T-32")
async def test_a_date_that_only_an_older_object_has_is_found_in_its_place(shelf: Shelf) -> None:
    await shelf.put(ct(1, StudyDate="20260101"), ct(2, StudyDate="20260102"))
    await shelf.put(ct(1, 1, 2, StudyDate="20270101"))
    found = await shelf.ask("STUDY", StudyDate="20260101-20260131", StudyInstanceUID="")
    assert found == [("20270101", "1.2.3.1"), ("20260102", "1.2.3.2")]


@pytest.mark.req("T-18")
async def test_a_search_that_is_given_up_reads_no_further(shelf: Shelf) -> None:
    await shelf.put(*(ct(n) for n in range(300)))
    reads = 0
    asked = query("IMAGE", InstanceNumber="")
    async with aclosing(shelf.archive.search(asked).run()) as answers:
        async for _ in answers:
            reads += 1
            if reads == 5:
                break
    assert shelf.heads_read == 5
    assert len(await shelf.ask("STUDY", StudyInstanceUID="")) == 300


@pytest.mark.req("T-38")
async def test_keys_above_filter_and_keys_below_mean_has_at_least_one(shelf: Shelf) -> None:
    await shelf.put(ct(1, 1, 1, SeriesDescription="scout", Rows=b"\x00\x02"))
    await shelf.put(ct(1, 2, 1, SeriesDescription="lung", Rows=b"\x00\x01"))
    await shelf.put(ct(2, 1, 1, SeriesDescription="bone"))
    uid = {"StudyInstanceUID": ""}
    assert await shelf.ask("STUDY", SeriesDescription="lung", **uid) == [("", "1.2.3.1")]
    assert await shelf.ask("STUDY", SOPInstanceUID="1.2.3.2.1.1", **uid) == [("", "1.2.3.2")]
    assert await shelf.ask("PATIENT", SeriesDescription="lung", PatientID="") == [("", "P1")]
    both = {"SeriesDescription": "scout", "Rows": "512"}
    assert await shelf.ask("STUDY", **both, **uid) == [("", "1.2.3.1", "")]
    assert await shelf.ask("STUDY", **both | {"Rows": "256"}, **uid) == []
    assert await shelf.ask("SERIES", PatientName="name1*", SeriesInstanceUID="", Rows="256") == [
        ("Name1^First", "1.2.3.1.2", "")
    ]


@pytest.mark.req("T-37")
async def test_every_attribute_of_the_head_can_be_asked_of_images(shelf: Shelf) -> None:
    await shelf.put(
        *(ct(1, 1, n, KVP=str(100 + n), ImageType="ORIGINAL\\PRIMARY") for n in range(1, 80))
    )
    assert await shelf.ask("IMAGE", KVP="150", ImageType="") == [("ORIGINAL\\PRIMARY", "150")]
    before = shelf.heads_read
    rows = await shelf.ask("IMAGE", SeriesInstanceUID="1.2.3.1.1", AvailableTransferSyntaxUID="")
    assert len(rows) == 79
    assert shelf.heads_read == before


LONG = {
    "many wild cards": ("1.2*", *(f"*a{n}b" for n in range(3000))),
    "many prefixes": ("1.2*", *(f"p{n}*" for n in range(499))),
    "a long pattern": ("*" + "a" * 60_000, "1.2*"),
}


@pytest.mark.req("T-1")
@pytest.mark.parametrize("tag", [0x00100020, 0x00100010, 0x00081030, 0x00080061])
@pytest.mark.parametrize("values", LONG.values(), ids=list(LONG))
async def test_no_query_is_too_long_for_the_database(
    shelf: Shelf, tag: int, values: tuple[str, ...]
) -> None:
    await shelf.put(
        ct(1, PatientID="1.2", PatientName="1.2", StudyDescription="1.2", Modality="1.2")
    )
    vr = {0x00100010: "PN", 0x00080061: "CS"}.get(tag, "LO")
    asked = Query(level="STUDY").with_keys([Key(tag, vr, values)])
    assert len(await shelf.find(asked)) == 1
    plain = tuple(value.replace("*", "") for value in values)
    await shelf.find(Query(level="STUDY").with_keys([Key(tag, vr, plain)]))


async def test_an_area_shows_only_what_belongs_to_it(shelf: Shelf) -> None:
    await shelf.put(ct(1, StudyDescription="TEACHING 1"), ct(2, StudyDescription="CLINIC"))
    area = [Key(0x00081030, "LO", ("*TEACHING*",))]
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert len(await shelf.find(query(level), area=area)) == 1
    wanted = Wanted(level="STUDY", studies=("1.2.3.1", "1.2.3.2"))
    rows = [row async for row in shelf.archive.instances(wanted, area=area)]
    assert [row.sop_instance_uid for row in rows] == ["1.2.3.1.1.1"]


@pytest.mark.req("T-41")
async def test_instances_are_those_of_the_keys_in_the_order_of_answers(shelf: Shelf) -> None:
    await shelf.put(*(ct(1, s, n) for s in (2, 1) for n in (3, 1, 2)), ct(2), ct(3, PatientID="P1"))

    async def of(**keys: tuple[str, ...]) -> list[str]:
        wanted = Wanted(level="IMAGE", **keys)
        return [row.sop_instance_uid async for row in shelf.archive.instances(wanted)]

    assert await of(studies=("1.2.3.1",)) == [
        f"1.2.3.1.{series}.{number}" for series in (1, 2) for number in (1, 2, 3)
    ]
    assert await of(studies=("1.2.3.1",), series=("1.2.3.1.2",), instances=("1.2.3.1.2.3",)) == [
        "1.2.3.1.2.3"
    ]
    assert await of(patient_ids=("P1",), studies=("1.2.3.2",)) == []
    assert len(await of(patient_ids=("P1",))) == 7
    assert await of(studies=("9.9",)) == []
    assert shelf.heads_read == 0


async def test_a_patient_gets_no_study_that_is_somebody_elses_now(shelf: Shelf) -> None:
    await shelf.put(ct(1, PatientID="A"), ct(2, PatientID="A"))
    await shelf.put(ct(1, 1, 2, PatientID="B"))
    of_a = [
        row async for row in shelf.archive.instances(Wanted(level="PATIENT", patient_ids=("A",)))
    ]
    assert [row.study_uid for row in of_a] == ["1.2.3.2"]
    named = Wanted(level="STUDY", patient_ids=("A",), studies=("1.2.3.1",))
    assert len([row async for row in shelf.archive.instances(named)]) == 2


NAMES = st.sampled_from(
    [
        *("Doe^John", "DOE^JOHN^", "Doe^J*", "D?e*", "*john*", "", "*", "a%_!*", "jo do"),
        *("Müller^Jörg", "MÜLLER*", "muller*", "Strauß", "STRAUSS"),
        *("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田*", "=山田^太郎"),
    ]
)
TEXTS = st.sampled_from(["", "A1", "a1", "A*", "?1", "*1", "A%", "A!_", "X\\A1", " A1 "])
DAYS = st.sampled_from(["", "20260101", "2026.01.01", "20251231", "99999999"])
WANTED_DAYS = st.sampled_from(["", "20260101", "20251231-", "-20260101", "20260101-20260201"])
NAME = 0x00100010
Pair = tuple[int, dict[str, str]]
SAID = st.fixed_dictionaries(
    {
        "PatientName": NAMES.filter(lambda name: "*" not in name[:1]),
        "PatientID": TEXTS,
        "AccessionNumber": TEXTS,
        "StudyDescription": TEXTS,
        "StudyDate": DAYS,
        "PatientBirthDate": DAYS,
        "Modality": st.sampled_from(["CT", "MR", "", "CT\\MR"]),
    }
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "PatientName": NAMES,
        "PatientID": TEXTS,
        "AccessionNumber": TEXTS,
        "StudyDescription": TEXTS,
        "StudyDate": WANTED_DAYS,
        "PatientBirthDate": WANTED_DAYS,
        "ModalitiesInStudy": st.sampled_from(["CT", "M*", "", "?R"]),
    },
)


@pytest.mark.req("T-1")
@given(
    objects=st.lists(st.tuples(st.integers(1, 4), SAID), min_size=1, max_size=8),
    asked=st.lists(ASKED, min_size=1, max_size=6),
    fuzzy=st.booleans(),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_the_index_finds_exactly_what_the_function_finds(
    shelf: Shelf, objects: list[Pair], asked: list[dict[str, str]], fuzzy: bool
) -> None:
    await _clear(shelf)
    await shelf.put(
        *(ct(study, 1, at, SpecificCharacterSet="ISO_IR 192", **said)
          for at, (study, said) in enumerate(objects, 1))
    )  # fmt: skip
    for level in ("PATIENT", "STUDY"):
        everything = await shelf.find(query(level))
        for keys in asked:
            if level == "PATIENT":
                keys = {word: text for word, text in keys.items() if word.startswith("Patient")}
            wanted = query(level, Options(relational=True, fuzzy=fuzzy), **keys)
            assert _uids(await shelf.find(wanted)) == _uids(
                found for found in everything if _matches(wanted, found)
            )


def _matches(wanted: Query, found: Found) -> bool:
    return match(wanted, found.record).matched or match(wanted, found.full).matched


def _uids(found: Iterable[Found]) -> list[tuple[str, ...]]:
    return [
        (each.study_uid, *each.record.values(0x00100020, "LO"), *each.record.values(NAME, "PN"))
        for each in found
    ]


async def _clear(shelf: Shelf) -> None:
    tables = (
        *("arrival", "parcel", "delivery", "archived", "patient", "study", "series"),
        *("instance", "level", "term"),
    )

    def job(transaction: Transaction) -> None:
        for table in tables:
            transaction.run(f"DELETE FROM {table}")

    await shelf.database.write(job)
