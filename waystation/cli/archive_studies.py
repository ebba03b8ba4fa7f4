"""The studies of an archive as its commands show and choose them.

Contract: only looks, and may run beside the node.
"""

from pathlib import Path
from typing import Any

MOST = 1000
COLUMNS = {
    "PatientID": 0x00100020,
    "PatientName": 0x00100010,
    "StudyDate": 0x00080020,
    "AccessionNumber": 0x00080050,
    "ModalitiesInStudy": 0x00080061,
    "StudyDescription": 0x00081030,
    "NumberOfStudyRelatedSeries": 0x00201206,
    "NumberOfStudyRelatedInstances": 0x00201208,
    "StudyInstanceUID": 0x0020000D,
}


async def studies_of(data: Path, asked: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """Return what the archive shows of the studies that meet a query; raises `ConfigError`."""
    from contextlib import aclosing

    from waystation.app.archive_offline import reading
    from waystation.dicom.tags import vr_of
    from waystation.matching.keys import first_fault
    from waystation.model.errors import ConfigError
    from waystation.model.query import STUDY, Key, Query

    keys = [
        Key(tag, vr_of(tag), (asked[word],) if asked.get(word) else ())
        for word, tag in COLUMNS.items()
    ]
    query = Query(level=STUDY).with_keys(keys)
    if fault := first_fault(query.keys, query.options):
        raise ConfigError("archive list", fault.comment)
    found: list[dict[str, Any]] = []
    async with aclosing(reading(data).archive.search(query).run()) as answers:
        async for answer in answers:
            shown = answer.record
            found.append({w: list(shown.values(t, vr_of(t))) for w, t in COLUMNS.items()})
            if len(found) == limit:
                break
    return found
