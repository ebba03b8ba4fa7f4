"""What the answer to a store request says of each instance (PS3.18 10.5.3.3, I.2)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.dicomweb.stow import StoreAnswer, read_answer

JSON = "application/dicom+json"
BOTH = {
    "00081190": {"vr": "UR", "Value": ["http://x/studies/1"]},
    "00081198": {
        "vr": "SQ",
        "Value": [
            {
                "00081150": {"vr": "UI", "Value": ["1.2"]},
                "00081155": {"vr": "UI", "Value": ["1.3"]},
                "00081197": {"vr": "US", "Value": [43264]},
            },
            {"00081155": {"vr": "UI", "Value": ["1.4"]}},
        ],
    },
    "00081199": {
        "vr": "SQ",
        "Value": [
            {"00081155": {"vr": "UI", "Value": ["1.5"]}},
            {
                "00081155": {"vr": "UI", "Value": ["1.6\u0000"]},
                "00081196": {"vr": "US", "Value": ["45056"]},
            },
        ],
    },
    "0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]},
}
READ = StoreAnswer(
    stored={"1.5": 0, "1.6": 0xB000}, failed={"1.3": 0xA900, "1.4": 0x0110}, unnamed=1
)
XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
 <DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence">
  <Item number="1">
   <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.3</Value></DicomAttribute>
   <DicomAttribute tag="00081197" vr="US"><Value number="1">43264</Value></DicomAttribute>
  </Item>
  <Item number="2">
   <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.4</Value></DicomAttribute>
  </Item>
 </DicomAttribute>
 <DicomAttribute tag="00081199" vr="SQ">
  <Item number="1">
   <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.5</Value></DicomAttribute>
  </Item>
  <Item number="2">
   <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.6</Value></DicomAttribute>
   <DicomAttribute tag="00081196" vr="US"><Value number="1">45056</Value></DicomAttribute>
  </Item>
 </DicomAttribute>
 <DicomAttribute tag="0008119a" vr="SQ"><Item number="1"/></DicomAttribute>
</NativeDicomModel>
"""


@pytest.mark.parametrize(
    "body", [json.dumps(BOTH).encode(), json.dumps([BOTH]).encode(), XML, b"\n " + XML]
)
def test_json_and_xml_say_the_same(body: bytes) -> None:
    assert read_answer(body, JSON) == READ


def test_empty_sequences_name_nothing() -> None:
    body = b'{"00081198": {"vr": "SQ"}, "00081199": {"vr": "SQ"}}'
    answer = read_answer(body, JSON)
    assert answer == StoreAnswer()
    assert answer is not None
    assert answer.empty


def test_an_instance_named_as_stored_and_as_failed_has_failed() -> None:
    item = {"00081155": {"vr": "UI", "Value": ["1.2"]}}
    body = json.dumps({"00081198": {"Value": [item]}, "00081199": {"Value": [item]}}).encode()
    assert read_answer(body) == StoreAnswer(failed={"1.2": 0x0110})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"[]",
        b"[1, 2]",
        b"null",
        b'"stored"',
        b"<html><body>Welcome</body></html>",
        b"<NativeDicomModel>",
        b'<!DOCTYPE a [<!ENTITY b "bb">]><NativeDicomModel>&b;</NativeDicomModel>',
        b"[" * 100_000,
        b'{"00081199": ' * 100_000,
        b"\xff\xfe\x00",
        b"9" * 5000,
    ],
)
def test_what_is_no_answer_says_nothing(body: bytes) -> None:
    assert read_answer(body) is None


@pytest.mark.parametrize(
    "sequence", [None, 1, [], {}, {"Value": 1}, {"Value": [1, None, [], {}, {"00081155": "1"}]}]
)
def test_odd_sequences_name_nothing(sequence: object) -> None:
    answer = read_answer(json.dumps({"00081199": sequence}).encode())
    assert answer is not None
    assert answer.empty


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["00081198", "00081199", "00081155", "00081197", "Value", "vr"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_any_json_gives_an_answer_or_none(value: object) -> None:
    answer = read_answer(json.dumps(value).encode(), JSON)
    assert answer is None or not set(answer.stored) & set(answer.failed)


@given(st.binary(max_size=60), st.sampled_from([b"", b"<", b"{", XML[:300]]))
def test_any_bytes_give_an_answer_or_none(data: bytes, before: bytes) -> None:
    read_answer(before + data)
