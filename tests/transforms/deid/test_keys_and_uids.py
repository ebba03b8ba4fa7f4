"""One secret gives five keys; a key gives each UID one successor (D-24, D-26)."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.transforms.deid.keys import (
    PURPOSES,
    Keys,
    derive,
    fingerprint,
    mac,
    read_secret,
)
from waystation.transforms.deid.uids import is_standard, map_in_text, map_uids, new_uid

SECRET = bytes(range(32))
KEY = derive(SECRET, "p").uid
UID = re.compile(rb"2\.25\.(0|[1-9][0-9]*)")


@pytest.mark.req("D-24")
def test_each_purpose_has_a_key_of_its_own_and_no_two_projects_share_one() -> None:
    keys, others = derive(SECRET, "p"), derive(bytes(32), "p")
    found = [getattr(each, name) for each in (keys, others) for name in PURPOSES]
    assert len(set(found)) == 2 * len(PURPOSES)
    assert all(len(key) == 32 for key in found)


@pytest.mark.req("D-24")
def test_sub_keys_are_those_of_rfc_5869() -> None:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    for name in PURPOSES:
        info = b"waystation de-identification 1 " + name.encode()
        expected = HKDF(SHA256(), 32, None, info).derive(SECRET)
        assert getattr(derive(SECRET, "p"), name) == expected


@pytest.mark.req("D-24")
def test_no_key_shows_when_it_is_printed() -> None:
    keys = derive(SECRET, "lung-2027")
    assert repr(keys) == "Keys(key_id='lung-2027')"
    assert isinstance(keys, Keys)


def test_a_secret_is_read_in_three_spellings_and_refused_in_others() -> None:
    spellings = [SECRET, SECRET.hex().encode() + b"\n", base64.b64encode(SECRET) + b"\n"]
    assert [read_secret(text) for text in spellings] == [SECRET] * 3
    for wrong in (b"", b"short", b"x" * 64, b"=" * 44, b"a" * 31):
        with pytest.raises(ValueError, match="expected 32 random bytes"):
            read_secret(wrong)
    with pytest.raises(ValueError, match="32 bytes"):
        derive(b"short", "p")


def test_fingerprints_tell_secrets_apart_without_showing_them() -> None:
    assert fingerprint(SECRET) != fingerprint(bytes(32))
    assert fingerprint(SECRET) not in SECRET.hex()


def test_parts_of_a_message_cannot_be_moved_between_them() -> None:
    assert mac(SECRET, b"ab", b"c") != mac(SECRET, b"a", b"bc")


@pytest.mark.req("D-26")
@given(st.binary(min_size=1, max_size=80).filter(lambda value: value.strip(b"\0 ")))
def test_a_new_uid_is_a_valid_one_of_version_8(original: bytes) -> None:
    made = new_uid(KEY, original)
    if is_standard(original.strip(b"\0 ")):
        return
    assert UID.fullmatch(made)
    assert len(made) <= 44
    number = int(made[5:])
    assert number < 1 << 128
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2
    assert new_uid(KEY, original + b"\0") == new_uid(KEY, b" " + original) == made


@pytest.mark.req("D-26")
def test_a_new_uid_stays_what_it_was_in_earlier_versions() -> None:
    assert new_uid(KEY, b"1.2.3") == b"2.25.82472725059252042462161583499534283255"


@pytest.mark.req("D-26")
def test_uids_of_the_standard_stay_and_those_that_only_look_like_them_do_not() -> None:
    for uid in (b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008", b""):
        assert new_uid(KEY, uid) == uid
    assert new_uid(KEY, b"1.2.840.100081.1") != b"1.2.840.100081.1"


@pytest.mark.req("D-26")
def test_a_hundred_thousand_uids_have_as_many_successors() -> None:
    made = {new_uid(KEY, b"1.2.276.%d" % number) for number in range(100_000)}
    assert len(made) == 100_000


@pytest.mark.req("D-23")
def test_uids_in_lists_and_texts_are_mapped_as_they_are_alone() -> None:
    one, two = b"1.2.3.4.5", b"1.2.3.4.6"
    new_one, new_two = new_uid(KEY, one), new_uid(KEY, two)
    assert map_uids(KEY, one + b"\\" + two + b"\0") == new_one + b"\\" + new_two
    url = b"https://pacs.example/studies/" + one + b"/series/" + two
    assert map_in_text(KEY, url) == url.replace(one, new_one).replace(two, new_two)
    assert map_in_text(KEY, b"version 1.2.3 of 2.0") == b"version 1.2.3 of 2.0"


@pytest.mark.req("D-26")
@pytest.mark.parametrize(
    ("uid", "registered"),
    [
        (b"1.2.840.10008", True),
        (b"1.2.840.10008.5.1.4.1.1.501.2.1", True),
        (b"1.2.840.10008.6.1.1411", True),
        (b"1.2.840.10008.5.1.4.1.1.7.20190101.123", False),
        (b"1.2.840.10008.884422", False),
        (b"1.2.840.100081.1", False),
    ],
)
def test_what_a_device_made_up_below_the_root_of_the_standard_is_replaced(
    uid: bytes, registered: bool
) -> None:
    assert (new_uid(KEY, uid) == uid) is registered


def test_every_registered_uid_stays() -> None:
    from pydicom._uid_dict import UID_dictionary

    ours = [uid.encode() for uid in UID_dictionary if uid.startswith("1.2.840.10008.")]
    assert [uid for uid in ours if new_uid(KEY, uid) != uid] == []
