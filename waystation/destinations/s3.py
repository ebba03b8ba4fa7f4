"""Delivery into a bucket of an S3-compatible object store.

Contract (R-54, S-5): an object is put with its SHA-256 checksum and only if its key is free; one
that is there already counts as delivered if it holds the same data set, else the object gets a
second key that ends with its digest.  Nothing is ever overwritten.  What is larger than
`MULTIPART_BYTES` goes in parts, in bounded memory; S3 has no condition there, so the key is looked
up first, and two large objects of this node never race for one key.  The metadata say
``dataset-sha256``: the digest under which the journal knows the object.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from waystation.destinations.base import Cargo, singly
from waystation.destinations.naming import DEFAULT_TEMPLATE, marked, read_template
from waystation.destinations.outgoing import OutgoingFile, outgoing
from waystation.destinations.s3_answers import code_of, meaning
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import ConfigError, StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Store

MULTIPART_BYTES = 64 << 20
SLOWEST_BYTES_PER_S = 128 << 10
_PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 3
DIGEST = "dataset-sha256"
OTHER_KEY = "another object has its key: stored with its digest behind it"
UNSETTLED = "the key is taken by an object that is not there yet"
# Whoever may only write can neither look at a key nor list.
_NOT_FOR_US = "AccessDenied"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Which bucket, and how to get there.

    Without key_id the credentials of environment or instance are used.  ca: PEM text.
    """

    bucket: str
    prefix: str = ""
    template: str = DEFAULT_TEMPLATE
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    allow_http: bool = False
    key_id: str = ""
    secret_key: str = ""
    session_token: str = ""
    encryption: str = ""
    kms_key: str = ""
    storage_class: str = ""
    uid_in_metadata: bool = False
    ca: str = ""
    connect_s: float = 10.0
    response_s: float = 60.0

    def patience_s(self, size_bytes: int) -> float:
        """Return how long a request may take that sends so much."""
        return self.response_s + size_bytes / SLOWEST_BYTES_PER_S


class S3Destination:
    """One ``[destination.NAME]`` of kind s3."""

    def __init__(self, name: str, settings: S3Settings) -> None:
        self.name = name
        self._settings = settings
        self._template = read_template(settings.template)
        self._stores: dict[int, S3Store] = {}
        self._large = asyncio.Lock()

    def _store(self, retries: int = 0) -> "S3Store":
        """Return the client; the lane repeats, so it hardly does so itself."""
        if retries not in self._stores:
            self._stores[retries] = open_store(self._settings, retries)
        return self._stores[retries]

    def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Put each object; stop when the way itself fails."""
        return singly(batch, lambda delivery: self._one(delivery, cargo))

    async def _one(self, delivery: Delivery, cargo: Cargo) -> Outcome:
        from obstore.exceptions import BaseError

        file: OutgoingFile | None = None
        try:
            file = await outgoing(delivery, cargo, self._template)
            return await self._bring(delivery, file)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        except (BaseError, OSError) as error:
            return meaning(error, self._settings.bucket)
        finally:
            if file is not None:
                await file.close()

    async def _bring(self, delivery: Delivery, file: OutgoingFile) -> Outcome:
        """Put the object under the first key that is free or holds the same."""
        attributes = self._attributes(delivery, file)
        whole = await _whole(file) if file.size_bytes <= MULTIPART_BYTES else None
        comment = ""
        for key in (file.name, marked(file.name, file.sha256)):
            if whole is not None:
                taken = await self._create(key, whole, attributes)
            else:
                taken = await self._create_large(key, file, attributes)
            if not taken:
                return Delivered(comment=comment)
            same = await self._same(key, file)
            if same is None:
                return Deferred(fault=Fault.TRANSIENT, why=UNSETTLED, connected=True)
            if same:
                return Delivered(comment="already there")
            comment = OTHER_KEY
        why = "other objects have its keys already"
        return Deferred(fault=Fault.OBJECT, why=why, connected=True)

    def _attributes(self, delivery: Delivery, file: OutgoingFile) -> dict[str, str]:
        found = {"Content-Type": "application/dicom", DIGEST: file.sha256}
        if self._settings.storage_class:
            found["Storage-Class"] = self._settings.storage_class
        if self._settings.uid_in_metadata:
            found["sop-instance-uid"] = delivery.sop_instance_uid
        return found

    async def _create(self, key: str, data: bytes, attributes: dict[str, str]) -> bool:
        """Put one object; return True if the key is taken."""
        from obstore.exceptions import AlreadyExistsError

        try:
            async with asyncio.timeout(self._settings.patience_s(len(data))):
                await self._store().put_async(key, data, mode="create", attributes=attributes)
        except AlreadyExistsError:
            return True
        return False

    async def _create_large(self, key: str, file: OutgoingFile, attributes: dict[str, str]) -> bool:
        """Put a large object in parts; return True if the key is taken."""
        async with self._large:
            if await self._exists(key):
                return True
            await self._put_parts(key, file, attributes)
            return False

    async def _exists(self, key: str) -> bool:
        try:
            await self._store().head_async(key)
        except FileNotFoundError:
            return False
        return True

    async def _put_parts(self, key: str, file: OutgoingFile, attributes: dict[str, str]) -> None:
        """Put all parts; when the file breaks, the parts are given up and its error comes out."""
        async with aclosing(file.pieces()) as pieces:
            await self._store(retries=3).put_async(
                key,
                pieces,
                attributes=attributes,
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def _same(self, key: str, file: OutgoingFile) -> bool | None:
        """Compare what is there by its metadata; where it has none, by its bytes.

        None if nothing is there: somebody is about to write or remove it.
        """
        from obstore.exceptions import PermissionDeniedError

        try:
            there = await self._store().get_async(key, options={"head": True})
            if (known := there.attributes.get(DIGEST)) is not None:
                return known == file.sha256
            likeness = file.likeness()
            found = await self._store().get_async(key)
            async for piece in found.stream():
                likeness.feed(bytes(piece))
        except PermissionDeniedError:
            return False
        except FileNotFoundError:
            return None
        return likeness.equal()

    async def probe(self) -> Deferred | None:
        """List one key: bucket, credentials and way are in order then."""
        from obstore.exceptions import BaseError

        try:
            async for _ in self._store().list(".waystation-probe", chunk_size=1):
                break
        except BaseError as error:
            # Whoever may only write is known there all the same.
            if code_of(error) == _NOT_FOR_US:
                return None
            return meaning(error, self._settings.bucket)
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        except OSError as error:
            return meaning(error, self._settings.bucket)
        return None

    async def close(self) -> None:
        """Nothing stays open: connections end with the clients."""
        self._stores.clear()


async def _whole(file: OutgoingFile) -> bytes:
    async with aclosing(file.pieces()) as pieces:
        return b"".join([piece async for piece in pieces])


def open_store(settings: S3Settings, retries: int) -> "S3Store":
    """Return a client.  Raises `ConfigError` if there can be none."""
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    config: S3Config = {
        "bucket": settings.bucket,
        "region": settings.region,
        "virtual_hosted_style_request": not settings.path_style,
        "checksum_algorithm": "SHA256",
    }
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
        if not settings.path_style:
            config["endpoint"] = settings.endpoint.replace("://", f"://{settings.bucket}.", 1)
    if settings.encryption:
        config["server_side_encryption"] = settings.encryption
    if settings.kms_key:
        config["sse_kms_key_id"] = settings.kms_key
    client: ClientConfig = {
        "allow_http": settings.allow_http,
        "connect_timeout": timedelta(seconds=settings.connect_s),
        "timeout": timedelta(seconds=settings.patience_s(MULTIPART_BYTES)),
    }
    if settings.ca:
        client["root_certificate"] = settings.ca
    retry: RetryConfig = {"max_retries": retries, "retry_timeout": timedelta(seconds=15)}
    given: Any = None
    if settings.key_id:
        given = _given(settings)
    try:
        return S3Store(
            prefix=settings.prefix or None,
            config=config,
            client_options=client,
            retry_config=retry,
            credential_provider=given,
        )
    except (BaseError, ValueError) as error:
        where = "ca" if settings.ca else "endpoint"
        first = str(error).partition("\n")[0]
        raise ConfigError(where, f"cannot be used: {first}") from error


def _given(settings: S3Settings) -> Any:
    """Return what hands out our credentials, so that nothing of the environment joins them."""

    def credentials() -> dict[str, Any]:
        return {
            "access_key_id": settings.key_id,
            "secret_access_key": settings.secret_key,
            "token": settings.session_token or None,
            "expires_at": None,
        }

    return credentials
