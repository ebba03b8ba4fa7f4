"""Asking a PACS what there is: one C-FIND with unique keys, for manifests (W-104, W-108).

Contract: only answers that agree with the keys count; a PACS may ignore them (W-58).  Raises
`UpstreamFailed`.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing

from waystation.dicom import tags, uids
from waystation.dicom.compose import Elements, compose
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.flows.fetch_manifest import IMAGE, SERIES, STUDY
from waystation.flows.upstream import Loan, Upstream
from waystation.flows.upstream_failures import failure_of_status
from waystation.model.errors import LostError
from waystation.model.upstream import BAD_GATEWAY, UpstreamFailed
from waystation.wire.status import Category, category

LEVEL = 0x00080052
UNIQUE = {
    STUDY: tags.STUDY_INSTANCE_UID,
    SERIES: tags.SERIES_INSTANCE_UID,
    IMAGE: tags.SOP_INSTANCE_UID,
}
# More answers than this are no manifest of one study.
MOST = 200_000

Keys = Mapping[int, str]


async def ask(upstream: Upstream, level: str, keys: Keys, asked: Sequence[int] = ()) -> list[Head]:
    """Return what a PACS has at a level.

    keys: unique keys of this level and those above, text by tag.  asked: attributes to return.
    """
    root = upstream.terms.has("patient_root")
    sop_class = uids.PATIENT_ROOT_FIND if root else uids.STUDY_ROOT_FIND
    unique = dict.fromkeys((UNIQUE[level], *asked), "") | dict(keys)
    if root:
        study = keys.get(tags.STUDY_INSTANCE_UID, "")
        unique[tags.PATIENT_ID] = upstream.patient_of(study)
    async with upstream.association(sop_class, b"") as loan:
        try:
            found = await _answers(upstream, loan, sop_class, level, unique)
        except LostError:
            # A pooled association may have ended just before it was used.
            if loan.new:
                raise
            await upstream.renew(loan)
            found = await _answers(upstream, loan, sop_class, level, unique)
    return [head for head in found if _agrees(head, keys)]


async def _answers(
    upstream: Upstream, loan: Loan, sop_class: str, level: str, unique: Keys
) -> list[Head]:
    context = loan.call.context_of(sop_class)
    elements: Elements = {tag: (tags.vr_of(tag), text) for tag, text in unique.items()}
    identifier = compose({**elements, LEVEL: ("CS", level)}, context.transfer_syntax)
    found: list[Head] = []
    async with aclosing(loan.call.find(context, identifier)) as answers:
        async for answer in answers:
            kind = category(answer.status)
            if kind is Category.PENDING:
                found.append(_head(upstream.name, answer.data, context.transfer_syntax))
                if len(found) > MOST:
                    text = f"answered with more than {MOST} matches for one study"
                    raise UpstreamFailed(upstream.name, BAD_GATEWAY, text)
            elif kind is not Category.SUCCESS:
                raise failure_of_status(upstream.name, answer.command)
    return found


def _head(source: str, data: bytes, syntax: str) -> Head:
    try:
        return Head.from_bytes(data, syntax)
    except DatasetError as error:
        text = "sent an answer that cannot be read"
        raise UpstreamFailed(source, BAD_GATEWAY, text) from error


def _agrees(head: Head, keys: Keys) -> bool:
    return all(
        tag not in head.elements or not value or head.text(tag) == value
        for tag, value in keys.items()
    )


def number(head: Head, tag: int) -> int | None:
    """Return a count that an answer tells, None if it does not."""
    text = head.text(tag)
    return int(text) if text.isascii() and text.isdigit() else None
