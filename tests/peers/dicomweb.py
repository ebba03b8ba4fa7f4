"""Orthanc with its DICOMweb plug-in, behind a login."""

import os
from pathlib import Path

from tests.peers.orthanc import Orthanc
from tests.peers.program import HOST, need

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


class DicomWebOrthanc(Orthanc):
    """DICOMweb under ``url``, for whoever has the login."""

    def __init__(self, folder: Path, *, login: tuple[str, str], http_port: int = 0) -> None:
        need(PLUGIN, access=os.R_OK)
        user, password = login
        super().__init__(
            folder,
            settings={
                "Plugins": [PLUGIN],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
                "AuthenticationEnabled": True,
                "RegisteredUsers": {user: password},
            },
            http_port=http_port,
        )
        self.login = login

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.http_port}/dicom-web"
