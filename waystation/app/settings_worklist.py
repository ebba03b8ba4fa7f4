"""The worklist: ``[worklist]`` and its areas."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from waystation.app.quantities import Duration
from waystation.app.settings_archive import Conditions
from waystation.app.settings_base import AETitle, Flag, Name, Names, Table, _as_tuple, complaint
from waystation.app.settings_charset import AnswerCharset
from waystation.app.settings_hl7 import FolderBridge, Hl7Settings
from waystation.matching.entry_ids import form_fault


def _form(text: str) -> str:
    if fault := form_fault(text):
        raise complaint(fault)
    return text


def _one_or_several(value: Any) -> Any:
    return _as_tuple([value] if isinstance(value, str) else value)


Titles = Annotated[tuple[AETitle, ...], BeforeValidator(_one_or_several)]
IdForm = Annotated[Name, AfterValidator(_form)]


class WorklistIds(Table):
    """How ids are written that we make because the source gave none; at most 16 characters."""

    accession: IdForm = Field(
        default="W{n:08}",
        description="Accession number: {n} or {n:06} is a running number, {yyyy} {yy} {mm} {dd} "
        "the day",
    )
    procedure: IdForm = Field(default="P{n:08}", description="Requested procedure id")
    step: IdForm = Field(default="S{n:08}", description="Scheduled procedure step id")


class WorklistArea(Table):
    """A part of the worklist under called AE titles of its own."""

    ae_title: Titles = Field(description="Called AE title that opens the area, or several")
    when: Conditions | None = Field(
        default=None,
        description="Which steps it shows: keywords and values as in a query, wild cards and "
        "ranges too; all must match. Absent: every step that belongs to no other area",
    )
    peers: Names = Field(
        default=(), description="Names of the peers that may call it; empty means all"
    )
    answer_charset: AnswerCharset | None = Field(
        default=None, description="As worklist.answer_charset, for this area"
    )
    fuzzy: Flag = Field(default=False, description="Names are matched fuzzily here")
    serve_incomplete: Flag | None = Field(
        default=None, description="As worklist.serve_incomplete, for this area"
    )
    split_steps: Flag | None = Field(
        default=None, description="As worklist.split_steps, for this area"
    )
    keep_done: Duration | None = Field(
        default=None, description="As worklist.keep_done, for steps that belong to this area"
    )
    ids: WorklistIds | None = Field(default=None, description="As worklist.ids, for this area")
    folder: FolderBridge | None = Field(
        default=None, description="A folder whose worklist files are steps of this area"
    )


class WorklistSettings(Table):
    """The worklist service, and MPPS."""

    enabled: Flag = Field(default=True, description="Whether there is a worklist")
    unknown_area: Literal["reject", "default"] = Field(
        default="reject",
        description="Where areas are set: what another called AE title of ours shows: nothing "
        "(reject), or every step (default)",
    )
    identifiers: Literal["lenient", "strict"] = Field(
        default="lenient",
        description="Unknown keys and characters that a VR does not allow: left out of the "
        "answer (lenient), or refused with A900 (strict)",
    )
    answer_charset: AnswerCharset = Field(
        default="stored",
        description="Character set of answers: that of the step (stored), that of the request "
        'where the text fits (request), or a term like "ISO_IR 100"',
    )
    transliterate: Flag = Field(
        default=False,
        description="What the set of an answer does not have: the nearest letters instead of ?",
    )
    serve_incomplete: Flag = Field(
        default=False,
        description="Show entries too that lack what the Standard requires of one",
    )
    split_steps: Flag = Field(
        default=False,
        description="Make several steps at once of a file that holds several, instead of waiting "
        "for a person",
    )
    ids: WorklistIds = Field(
        default_factory=WorklistIds, description="How ids of our own making are written"
    )
    expire: Duration = Field(
        default=30 * 86_400.0,
        description="How long after its start a step that nobody performed leaves the list",
    )
    keep_done: Duration = Field(
        default=90 * 86_400.0,
        description="How long steps stay after they were done, cancelled or expired",
    )
    relist: Flag = Field(
        default=False,
        description="A discontinued step goes back on the list; without this only if the "
        "modality says that the wrong entry was chosen",
    )
    forward: Names = Field(
        default=(),
        description="Destinations of kind dicom that hear of every performed procedure step (MPPS)",
    )
    webhooks: Names = Field(
        default=(),
        description="Destinations of kind webhook that hear of every new step and change of state",
    )
    area: dict[str, WorklistArea] = Field(
        default_factory=dict, description="Parts of the worklist under other called AE titles"
    )
    folder: FolderBridge | None = Field(
        default=None,
        description="A folder of worklist files; a folder in it named like an area, or like the "
        "called AE title of one, holds steps of that area",
    )
    hl7: Hl7Settings | None = Field(
        default=None, description="HL7 messages that make and change steps; absent: none"
    )
