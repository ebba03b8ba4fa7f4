"""Every kind of ``[destination.NAME]``: which model reads it."""

from typing import Annotated

from pydantic import Field

from waystation.app.settings_archive import ArchiveDestination
from waystation.app.settings_destination import (
    DestinationSettings,
    DicomDestination,
    FolderDestination,
)
from waystation.app.settings_remote import S3Destination, SftpDestination
from waystation.app.settings_ways import (
    CommandDestination,
    StowDestination,
    WebhookDestination,
)

AnyDestination = Annotated[
    DicomDestination
    | FolderDestination
    | SftpDestination
    | S3Destination
    | StowDestination
    | WebhookDestination
    | CommandDestination
    | ArchiveDestination,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[DestinationSettings]] = {
    "dicom": DicomDestination,
    "folder": FolderDestination,
    "sftp": SftpDestination,
    "s3": S3Destination,
    "stow": StowDestination,
    "webhook": WebhookDestination,
    "command": CommandDestination,
    "archive": ArchiveDestination,
}
