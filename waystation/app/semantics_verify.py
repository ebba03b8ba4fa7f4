"""Destinations that have to confirm what they got: settings that could not work.

Contract: yields problems and warnings; changes nothing.
"""

from collections.abc import Iterator

from waystation.app.faults import Problem
from waystation.app.parts import Parts
from waystation.app.settings_destination import DicomDestination
from waystation.app.settings_dicom import DicomSettings
from waystation.net.gate import title_matches


def verifying(parts: Parts) -> Iterator[Problem]:
    """Yield what stands in the way of verification (R-60)."""
    for name, table in parts.destinations.items():
        if not isinstance(table, DicomDestination):
            continue
        if table.commit_by and table.verify != "commitment":
            yield Problem(
                path=("destination", name, "commit_by"),
                text='needs verify = "commitment": only a promise of its own can stand for ours',
            )
        if table.verify == "commitment" and not _may_call(parts, table.ae_title):
            yield Problem(
                path=("destination", name, "verify"),
                text="its report may come on an association of its own, and nobody with its AE "
                f'title may call: add a [peer.NAME] with ae_title = "{table.ae_title}"',
                warning=True,
            )


def _may_call(parts: Parts, title: str) -> bool:
    dicom = parts.single.get("dicom")
    if isinstance(dicom, DicomSettings) and dicom.peers == "any":
        return True
    known = [peer.ae_title for peer in parts.peers.values() if peer is not None]
    return any(title_matches(pattern, title) for pattern in known)
