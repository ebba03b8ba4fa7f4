"""Envelopes are opened by their recipients and by nobody else (D-31)."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from waystation.codecs.envelope import opened, sealing

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certificate(key: Key, name: str = "research") -> bytes:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(3650))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def pem(key: Key, password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


@pytest.fixture(scope="module")
def keys() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(65537, 3072) for _ in range(2)]


@pytest.mark.req("D-31")
def test_every_recipient_can_open_an_envelope(keys: list[rsa.RSAPrivateKey]) -> None:
    certificates = [certificate(key, f"r{number}") for number, key in enumerate(keys)]
    envelope = sealing(certificates)(b"originals \r\n \n of one patient")
    assert b"originals" not in envelope
    for key, pem_of in zip(keys, certificates, strict=True):
        found = opened(envelope + b"\0", pem(key, b"secret"), pem_of, b"secret")
        assert found == b"originals \r\n \n of one patient"


@pytest.mark.req("D-31")
def test_nobody_else_opens_it_nor_a_damaged_one(keys: list[rsa.RSAPrivateKey]) -> None:
    mine, other = keys
    envelope = sealing([certificate(mine)])(b"originals")
    for wrong in (envelope[:-20], b"", b"0\x82", envelope[:100] + b"x" * 400):
        with pytest.raises(ValueError, match="envelope"):
            opened(wrong, pem(mine), certificate(mine))
    with pytest.raises(ValueError, match="envelope"):
        opened(envelope, pem(other), certificate(other))
    with pytest.raises(ValueError, match="private key"):
        opened(envelope, b"no key", certificate(mine))


@pytest.mark.req("D-31")
def test_weak_and_other_keys_are_refused() -> None:
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
        with pytest.raises(ValueError, match="3072 bits"):
            sealing([certificate(key)])
    with pytest.raises(ValueError, match="PEM"):
        sealing([b"nothing"])
    with pytest.raises(ValueError, match="at least one"):
        sealing([])
