"""Folders whose files are taken in: ``[inbox.NAME]`` (R-19)."""

from typing import Literal

from pydantic import Field

from waystation.app.settings_base import AETitle, PathText, Table
from waystation.app.settings_dicom import Wait


class InboxSettings(Table):
    """A folder that is watched: what is laid there arrives like an image over the network."""

    path: PathText = Field(
        description="The folder, searched with all below it; its own folders `done` and `failed` "
        "are where files go"
    )
    after: Literal["keep", "delete"] = Field(
        default="keep",
        description="What becomes of a file whose object is kept: keep moves it into `done`, "
        "delete removes it",
    )
    settle: Wait = Field(
        default=5.0, description="How long a file must not have changed before it is taken"
    )
    calling_ae: AETitle | None = Field(
        default=None, description="The calling AE title that rules see for these objects"
    )
