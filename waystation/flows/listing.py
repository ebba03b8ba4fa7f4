"""What a PACS lists of a study, series or instance: SOP Instance UIDs with their series (W-131).

Contract: asks, moves nothing.  None where a PACS does not answer at the level of instances.
Raises `UpstreamFailed`.
"""

from waystation.dicom import tags
from waystation.flows.fetch import Path
from waystation.flows.fetch_find import ask
from waystation.flows.fetch_manifest import IMAGE, SERIES
from waystation.flows.upstream import Upstream


async def listing(upstream: Upstream, path: Path) -> dict[str, str] | None:
    """Return the Series Instance UID of every instance at a path, by SOP Instance UID."""
    if upstream.terms.has("no_image_find"):
        return None
    study = {tags.STUDY_INSTANCE_UID: path["study"]}
    if "series" in path:
        names = [path["series"]]
    else:
        found = await ask(upstream, SERIES, study)
        names = [head.text(tags.SERIES_INSTANCE_UID) for head in found]
    listed: dict[str, str] = {}
    for series in dict.fromkeys(name for name in names if name):
        keys = {**study, tags.SERIES_INSTANCE_UID: series}
        if "instance" in path:
            keys[tags.SOP_INSTANCE_UID] = path["instance"]
        for head in await ask(upstream, IMAGE, keys):
            listed[head.text(tags.SOP_INSTANCE_UID)] = series
    listed.pop("", None)
    return listed
