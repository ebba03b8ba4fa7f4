"""When a series or study counts as complete: ``[completeness]`` (R-71)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from waystation.app.settings_base import Table, _as_tuple, complaint
from waystation.app.settings_dicom import Wait
from waystation.timing.gather import EVIDENCE, Evidence


class PerLevel(Table):
    """A duration for each of the two levels."""

    series: Wait = Field(description="For a series")
    study: Wait = Field(description="For a study")


def _both(value: object) -> object:
    return {"series": value, "study": value} if isinstance(value, str) else value


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise complaint(f"expected at least one of {', '.join(EVIDENCE)}")
    for word in words:
        if words.count(word) > 1:
            raise complaint(f'"{word}" stands here twice')
    return words


EvidenceList = Annotated[
    tuple[Evidence, ...],
    AfterValidator(_words),
    BeforeValidator(_as_tuple),
]
Durations = Annotated[
    PerLevel,
    BeforeValidator(_both),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"series": {"type": "string"}, "study": {"type": "string"}},
                    "required": ["series", "study"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


def _durations(series: str, study: str) -> Any:
    return lambda: PerLevel.model_validate({"series": series, "study": study})


class CompletenessSettings(Table):
    """When what a rule with trigger series or study gathers counts as complete."""

    later: ClassVar[frozenset[str]] = frozenset({"ask_source"})

    series: EvidenceList = Field(
        default=EVIDENCE, description="Evidence for a series; the first that holds ends the wait"
    )
    study: EvidenceList = Field(
        default=EVIDENCE, description="Evidence for a study; the first that holds ends the wait"
    )
    release: Durations = Field(
        default_factory=_durations("15s", "30s"),
        description="Nothing new for so long after all associations ended by release; "
        'one duration, or { series = "15s", study = "30s" }',
    )
    quiet: Durations = Field(
        default_factory=_durations("1m", "2m"),
        description="Nothing new for so long, whatever the associations do; "
        'one duration, or { series = "1m", study = "2m" }',
    )
    force_after: Wait = Field(
        default=5400.0, description="Without evidence for so long it counts as incomplete"
    )
    on_force: Literal["send", "hold"] = Field(
        default="send", description="What is incomplete after that: send it, or hold it"
    )
