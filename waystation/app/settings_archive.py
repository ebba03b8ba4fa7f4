"""The archive: ``[archive]``, its areas and its retention, and the destination kind ``archive``."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from waystation.app.quantities import Duration, Size
from waystation.app.settings_base import AETitle, Flag, Names, Table, _as_tuple, complaint
from waystation.app.settings_charset import AnswerCharset
from waystation.app.settings_destination import DestinationSettings
from waystation.dicom.tags import tag_for, vr_of
from waystation.matching.keys import fault_of
from waystation.model.query import Key, Options

Right = Literal["find", "get", "move", "store", "commit"]


def _conditions(value: Any) -> Any:
    """A table of keywords, each with the value or values that a query would ask for."""
    if not isinstance(value, dict) or not value:
        raise complaint('expected a table of keywords, like { StudyDescription = "*TEACHING*" }')
    for word, asked in value.items():
        key_of(word, asked)
    return value


def key_of(word: str, asked: Any) -> Key:
    """Return the matching key that one condition means; raises a complaint."""
    values = asked if isinstance(asked, list | tuple) else [asked]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise complaint(f"{word}: expected a text, or a list of texts of which one must match")
    try:
        tag = tag_for(word)
    except ValueError as error:
        raise complaint(str(error)) from None
    key = Key(tag, vr_of(tag), tuple(values))
    if key.vr == "SQ":
        raise complaint(f"{word}: a sequence cannot be a condition here")
    if fault := fault_of(key, Options()):
        raise complaint(fault.comment)
    return key


Conditions = Annotated[dict[str, Any], BeforeValidator(_conditions)]


class AreaSettings(Table):
    """The archive, or a part of it, under a called AE title of its own."""

    ae_title: AETitle = Field(description="Called AE title that opens the area")
    when: Conditions | None = Field(
        default=None,
        description="What belongs to it: keywords and values as in a query, wild cards and "
        "ranges too; all must match. Absent: everything",
    )
    rights: Annotated[tuple[Right, ...], BeforeValidator(_as_tuple)] = Field(
        default=("find", "get", "move", "store", "commit"),
        description="What may be done there: find, get, move, store, commit",
    )
    peers: Names = Field(
        default=(), description="Names of the peers that may call it; empty means all"
    )
    answer_charset: AnswerCharset | None = Field(
        default=None, description="As archive.answer_charset, for this area"
    )
    fuzzy: Flag = Field(default=False, description="Names are matched fuzzily here")


class RetentionRule(Table):
    """Studies that are removed when they are old enough; nothing else ever removes one."""

    older_than: Duration = Field(
        description="How long ago the newest object of a study must have come"
    )
    when: Conditions | None = Field(
        default=None,
        description="Which studies: keywords and values as in a query; all must match",
    )
    only_above: Size | None = Field(
        default=None,
        description="Removes only while the archive holds more than this, oldest first",
    )
    dry_run: Flag = Field(default=False, description="Only tells in the log what it would remove")


class ArchiveSettings(Table):
    """The embedded archive and its query/retrieve service."""

    enabled: Flag = Field(
        default=True,
        description="Whether there is an archive; what goes there without one is held",
    )
    relational: Literal["negotiated", "always", "never"] = Field(
        default="negotiated",
        description="Queries that leave out the unique keys above their level: when negotiated, "
        "always (old clients), or never",
    )
    identifiers: Literal["lenient", "strict"] = Field(
        default="lenient",
        description="Unknown keys and characters that a VR does not allow: left out of the "
        "answer (lenient), or refused with A900 (strict)",
    )
    answer_charset: AnswerCharset = Field(
        default="stored",
        description="Character set of answers: that of the record (stored), that of the "
        'request where the text fits (request), or a term like "ISO_IR 192"',
    )
    transliterate: Flag = Field(
        default=False,
        description="What the set of an answer does not have: the nearest letters instead of ?",
    )
    patient_study_only: Flag = Field(
        default=False, description="Serve the retired Patient/Study Only model too"
    )
    federate: Flag = Field(
        default=False,
        description="Whether C-FIND, C-MOVE and C-GET asked of us are also answered from the PACS "
        "of [pacs.NAME] that have federate = true",
    )
    move_to: Literal["peers", "same-ae", "same-host", "same-group"] = Field(
        default="peers",
        description="Where C-MOVE may send to: any peer with store_at, only the caller's own AE "
        "title or host, or peers of its group",
    )
    area: dict[str, AreaSettings] = Field(
        default_factory=dict, description="The archive seen through other called AE titles"
    )
    retention: dict[str, RetentionRule] = Field(
        default_factory=dict,
        description="Rules by which old studies are removed; without one none is",
    )


class ArchiveDestination(DestinationSettings):
    """The node's own archive, under another name or with limits of its own."""

    kind: Literal["archive"] = Field(description="Kind of destination")
