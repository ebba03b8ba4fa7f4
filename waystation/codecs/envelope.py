"""CMS envelopes: originals that only the holder of a private key can read (D-31).

Contract: `sealing` gives a function that encrypts bytes for all recipients (EnvelopedData, RFC
5652, AES-256-CBC); `opened` decrypts one with a private key and its certificate.  RSA keys have at
least 3072 bits.  ValueError, without secrets in it, for anything else.
PS3.15 E.3.1, PS3.3 C.12.1.1.4.1.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LEAST_BITS: Final = 3072
EXTRA: Final = "pip install 'waystation[reidentify]'"


def sealing(certificates: Sequence[bytes]) -> Callable[[bytes], bytes]:
    """Return what encrypts for the recipients; certificates: one PEM each."""
    recipients = [_certificate(pem) for pem in certificates]
    if not recipients:
        raise ValueError("expected at least one certificate")

    def seal(content: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.algorithms import AES256
        from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

        builder = pkcs7.PKCS7EnvelopeBuilder().set_data(content)
        builder = builder.set_content_encryption_algorithm(AES256)
        for recipient in recipients:
            builder = builder.add_recipient(recipient)
        return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])

    return seal


def opened(envelope: bytes, key: bytes, certificate: bytes, password: bytes | None = None) -> bytes:
    """Return what an envelope holds; key, certificate: PEM.

    Raises ValueError if it is not for this key, or damaged.
    """
    whose, private = _certificate(certificate), _private(key, password)
    from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs7

    try:
        return pkcs7.pkcs7_decrypt_der(_without_padding(envelope), whose, private, [])
    except (InvalidKey, UnsupportedAlgorithm, TypeError) as error:
        raise ValueError("the envelope cannot be opened") from error
    except ValueError as error:
        raise ValueError("the envelope is not for this key, or it is damaged") from error


def _without_padding(envelope: bytes) -> bytes:
    """Return the DER without the byte that DICOM adds to an odd length."""
    if len(envelope) < 2 or envelope[0] != 0x30:
        return envelope
    count = envelope[1] & 0x7F if envelope[1] & 0x80 else 0
    size = int.from_bytes(envelope[2 : 2 + count], "big") if count else envelope[1]
    return envelope[: 2 + count + size]


def _certificate(pem: bytes) -> "x509.Certificate":
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    except ImportError as error:
        raise ValueError(f"sealing needs an extra: {EXTRA}") from error
    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise ValueError("expected a certificate in PEM") from error
    public = found.public_key()
    if not isinstance(public, RSAPublicKey) or public.key_size < LEAST_BITS:
        raise ValueError(f"expected a certificate with an RSA key of {LEAST_BITS} bits or more")
    return found


def _private(pem: bytes, password: bytes | None) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(pem, password)
    except (TypeError, ValueError) as error:
        raise ValueError("expected a private key in PEM, and its password if it has one") from error
    if not isinstance(found, RSAPrivateKey):
        raise ValueError("expected an RSA key")
    return found
