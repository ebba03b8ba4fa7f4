"""Profiles of de-identification: ``[deidentify.NAME]`` (D-38).

Contract: keys and types are checked here, what they mean together by
`waystation.transforms.deid.profile_read`.  Keys are never inline.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from waystation.app.settings_base import (
    Flag,
    Name,
    Names,
    PathText,
    SecretSource,
    Table,
    _as_tuple,
    _in_folder,
    complaint,
)

STANDARD = "standard"


def _standard_or_path(value: object, info: ValidationInfo) -> object:
    if value == STANDARD or (isinstance(value, Path) and str(value) == STANDARD):
        return Path(STANDARD)
    return _in_folder(value, info)


Paths = Annotated[tuple[PathText, ...], BeforeValidator(_as_tuple)]
SafeList = Annotated[
    Path,
    BeforeValidator(_standard_or_path),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
SafeLists = Annotated[tuple[SafeList, ...], BeforeValidator(_as_tuple)]
Do = Literal["keep", "clean", "uid", "dummy", "empty", "remove"]


class ProjectTable(Table):
    """Whose key it is.  Objects of one project stay linked, those of two never are."""

    id: Name = Field(description="Name of the project, for reports; never written into objects")
    key: SecretSource = Field(
        description="The project's secret, { file } or { env }: 32 random bytes, as they are or "
        "as 64 hexadecimal digits or base64; losing it ends repeatability, leaking it lets others "
        "confirm guesses"
    )


class PseudonymTable(Table):
    """What Patient's Name and Patient ID become."""

    source: Literal["hmac", "csv", "allocated", "empty"] = Field(
        default="hmac",
        description="hmac: calculated from the project key; csv: from a table; allocated: the next "
        "number of the project; empty: nothing",
    )
    prefix: str = Field(
        default="", description="With hmac and allocated: what pseudonyms begin with"
    )
    file: PathText | None = Field(
        default=None,
        description="With csv: the table, columns issuer, patient_id, pseudonym_id, "
        "pseudonym_name and maybe shift_days; read again when it changes",
    )
    missing: Literal["hold", "hmac"] = Field(
        default="hold", description="With csv: what becomes of patients who are not in the table"
    )
    also: Names = Field(
        default=(),
        description="What else gets a code that the key gives: subject (Clinical Trial Subject "
        "ID), accession (Accession Number), study (Study ID)",
    )


class IdentityTable(Table):
    """When two Patient IDs mean one patient; the issuer always counts."""

    case: Literal["keep", "fold"] = Field(default="keep", description="fold: a and A are alike")
    zeros: Literal["keep", "strip"] = Field(
        default="keep", description="strip: zeros in front do not count"
    )


class DatesTable(Table):
    """How dates move; with the option retain_modified_dates."""

    range: Name = Field(
        default="1d..3650d", description="All dates of a patient go back by so many days"
    )
    keep_weekday: Flag = Field(default=False, description="Move by whole weeks")
    keep_timezone: Flag = Field(default=False, description="Keep offsets from UTC")


class TextTable(Table):
    """How free text is cleaned, where an option keeps it."""

    mode: Literal["remove", "allow-list"] = Field(
        default="remove",
        description="remove: whole texts go; allow-list: words that are known to be harmless stay",
    )
    words: Paths = Field(
        default=(), description="Files with further words, beside those that come with Waystation"
    )


class PrivateTable(Table):
    """Private elements that stay; with the option retain_safe_private."""

    safe: SafeLists = Field(
        default=(Path(STANDARD),),
        description='"standard" for the list of PS3.15, and CSV files with the columns creator, '
        "group, element",
    )


class PixelsTable(Table):
    """What becomes of burned-in text; with the option clean_pixel_data."""

    rules: Paths = Field(default=(), description="Device rules; see the page about pixels")
    unknown: Literal["hold", "approve"] = Field(
        default="hold",
        description="Objects whose burned-in state is not known: held for good, or until a person "
        "approves them",
    )
    risk: Names | None = Field(
        default=None, description="Classes of objects that are not believed; default is all"
    )
    lossy: Literal["decode", "hold"] = Field(
        default="decode",
        description="Objects compressed with loss whose pixels change: written uncompressed, or "
        "held",
    )


class VisualTable(Table):
    """Which objects may show a face; with the option clean_recognizable_visual_features."""

    modalities: Names | None = Field(
        default=None, description="Modalities that count if the body part does"
    )
    body_parts: Names | None = Field(
        default=None, description="Values of Body Part Examined that count, as does none"
    )
    photographs: Names | None = Field(default=None, description="Modalities that count always")


class DeidRule(Table):
    """What the profile itself says about one element, or one kind of object."""

    tag: Name | None = Field(default=None, description="Keyword or (gggg,eeee), at every depth")
    sop_class: Name | None = Field(
        default=None, description="Audio or video that is let through: keyword or UID of its class"
    )
    do: Do = Field(description="What is done with it")
    value: str | None = Field(default=None, description='With do = "dummy": the dummy')
    loosen: str = Field(
        default="",
        description="Why it may be less strict than the table; reports repeat it",
    )


class ReidentifyTable(Table):
    """Original values, encrypted for whoever may restore them (D-31)."""

    recipients: Annotated[Paths, Field(min_length=1)] = Field(
        description="Certificates (PEM, RSA of 3072 bits or more); the private keys lie elsewhere"
    )


def _rule_list(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise complaint("expected a list of tables, written as [[deidentify.NAME.rule]]")
    return tuple(value)


class DeidentifySettings(Table):
    """A profile of de-identification."""

    edition: Literal["2026c"] = Field(
        default="2026c", description="Edition of PS3.15 whose table is used"
    )
    project: ProjectTable = Field(description="Name and key of the project")
    options: Names = Field(default=(), description="Options of the Basic Profile that are on")
    pseudonym: PseudonymTable = Field(
        default_factory=PseudonymTable, description="What names and IDs become"
    )
    identity: IdentityTable = Field(
        default_factory=IdentityTable, description="When two Patient IDs mean one patient"
    )
    missing_id: Literal["hold", "study"] = Field(
        default="hold",
        description="Objects without Patient ID: held, or each study counts as a patient",
    )
    dates: DatesTable = Field(default_factory=DatesTable, description="How dates move")
    text: TextTable = Field(default_factory=TextTable, description="How text is cleaned")
    private: PrivateTable = Field(
        default_factory=PrivateTable, description="Private elements that stay"
    )
    pixels: PixelsTable = Field(default_factory=PixelsTable, description="Burned-in text")
    visual: VisualTable = Field(default_factory=VisualTable, description="Recognizable faces")
    documents: Literal["hold", "dummy"] = Field(
        default="hold",
        description="Encapsulated documents, and structured reports without the option "
        "clean_structured_content: held, or replaced by a page or item that says REMOVED",
    )
    unlisted: Literal["keep", "clean", "remove"] = Field(
        default="keep",
        description="Standard attributes that the table does not name: kept, their free text "
        "cleaned, or removed where the object does not need them",
    )
    verify: Literal["hold", "off"] = Field(
        default="hold",
        description="What was written is searched for what identifies the patient; a hit holds",
    )
    ocr: Flag = Field(
        default=False,
        description="Also look for text in the pixels as they would leave; what shows any is "
        "held. Needs the program tesseract, and takes the place of no rule",
    )
    sample: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Share of studies that a person sees before they leave"
    )
    public: Flag = Field(
        default=False, description="Objects will be published: no originals, not even encrypted"
    )
    rule: Annotated[tuple[DeidRule, ...], BeforeValidator(_rule_list)] = Field(
        default=(), description="What the profile itself says about elements"
    )
    reidentify: ReidentifyTable | None = Field(
        default=None, description="Who may restore original values; default is nobody"
    )

    def said(self) -> dict[str, Any]:
        """Return what was written, as `transforms.deid.profile_read` takes it."""
        return self.model_dump(exclude_unset=True, exclude_none=True)

    def texts(self) -> dict[tuple[str | int, ...], Path]:
        """Return the files that are part of the profile, by the keys that name them."""
        found: dict[tuple[str | int, ...], Path] = {}
        lists = {
            ("text", "words"): self.text.words,
            ("private", "safe"): self.private.safe,
            ("pixels", "rules"): self.pixels.rules,
        }
        for keys, paths in lists.items():
            found |= {(*keys, place): path for place, path in enumerate(paths)}
        return {keys: path for keys, path in found.items() if str(path) != STANDARD}
