"""What only shows across tables about ``[pacs.NAME]``: names, who is called, who can answer."""

from collections.abc import Iterator

from waystation.app.faults import Problem
from waystation.app.parts import Parts
from waystation.app.settings_base import is_loopback
from waystation.app.settings_dicom import DicomSettings
from waystation.app.settings_pacs import SERVICES, PacsSettings, name_fault

OWN = "is our own listener: the node would ask itself"
UNREACHABLE = (
    "is loopback, where a PACS on another machine cannot send what C-MOVE asks for: only C-GET"
    " will work"
)


def broker(parts: Parts) -> Iterator[Problem]:
    """Yield the problems and warnings of all PACS."""
    tables = parts.named.get("pacs", {})
    dicom = parts.single.get("dicom")
    for name, table in tables.items():
        if fault := name_fault(name):
            yield Problem(path=("pacs", name), text=fault)
        if isinstance(table, PacsSettings) and isinstance(dicom, DicomSettings):
            yield from _calls(name, table, dicom)
    if isinstance(dicom, DicomSettings) and is_loopback(dicom.host):
        far = [
            name
            for name, table in tables.items()
            if isinstance(table, PacsSettings)
            and table.retrieve != "get"
            and not is_loopback(_host(table, "move"))
        ]
        if far:
            yield Problem(path=("dicom", "host"), text=UNREACHABLE, warning=True)


def _calls(name: str, table: PacsSettings, dicom: DicomSettings) -> Iterator[Problem]:
    for word in SERVICES[:2]:
        port = getattr(table, word).port or table.port
        if port == dicom.port and is_loopback(_host(table, word)):
            yield Problem(path=("pacs", name), text=OWN, warning=True)
            break
    ours = (dicom.ae_title, *dicom.aliases)
    title = table.move_destination
    if title is not None and title not in ours and dicom.called_ae == "own":
        yield Problem(
            path=("pacs", name, "move_destination"),
            text=f'is no title of ours; write dicom.aliases = ["{title}"] too',
        )
    if table.tls is not None and not table.tls.verify:
        text = "anybody can pose as this PACS"
        yield Problem(path=("pacs", name, "tls", "verify"), text=text, warning=True)


def _host(table: PacsSettings, word: str) -> str:
    return getattr(table, word).host or table.host or ""
