"""Settings → destinations on other machines: SFTP and S3."""

from collections.abc import Callable

from waystation.app.settings_base import Secret
from waystation.app.settings_destination import DestinationSettings
from waystation.app.settings_remote import S3Destination, SftpDestination
from waystation.app.wiring_tls import secret, text
from waystation.destinations import s3, sftp
from waystation.destinations.base import Destination
from waystation.destinations.sftp_session import SftpCall

Reveal = Callable[[Secret | None], str]


def sftp_call(table: SftpDestination, reveal: Reveal = secret) -> SftpCall:
    """Return how to call the server of a destination."""
    return SftpCall(
        host=table.host,
        port=table.port,
        user=table.user,
        key=text(table.key),
        key_password=reveal(table.key_password),
        password=reveal(table.password),
        known_hosts=text(table.known_hosts),
        host_keys=table.host_key,
        connect_s=table.timeouts.connect,
        login_s=table.timeouts.login,
        response_s=table.timeouts.response,
    )


def sftp_destination(name: str, table: DestinationSettings, _own_title: str) -> Destination:
    """Return the way out of a table of kind sftp."""
    assert isinstance(table, SftpDestination)
    return sftp.SftpDestination(
        name,
        sftp.SftpSettings(
            call=sftp_call(table), path=table.path, template=table.name, linger_s=table.linger
        ),
    )


def s3_destination(name: str, table: DestinationSettings, _own_title: str) -> Destination:
    """Return the way out of a table of kind s3."""
    assert isinstance(table, S3Destination)
    return s3.S3Destination(name, s3_settings(table))


def s3_settings(table: S3Destination, reveal: Reveal = secret) -> s3.S3Settings:
    """Return which bucket a table means and how to get there."""
    return s3.S3Settings(
        bucket=table.bucket,
        prefix=table.prefix,
        template=table.name,
        endpoint=table.endpoint or "",
        region=table.region,
        path_style=table.path_style,
        allow_http=table.allow_http,
        key_id=reveal(table.key_id),
        secret_key=reveal(table.secret_key),
        session_token=reveal(table.session_token),
        encryption=table.encryption or "",
        kms_key=table.kms_key or "",
        storage_class=table.storage_class or "",
        uid_in_metadata=table.uid_in_metadata,
        ca=table.ca.read_text("utf-8") if table.ca is not None else "",
        connect_s=table.timeouts.connect,
        response_s=table.timeouts.response,
    )
