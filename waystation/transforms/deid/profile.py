"""A profile, resolved: everything that decides what becomes of an object (D-11, D-12, D-38).

Contract: a `Profile` is complete, frozen and hashed: two nodes with the same ``digest`` and the
same keys give the same bytes.  It is read by `transforms.deid.profile_read`.
"""

from dataclasses import dataclass, field
from typing import Literal

from waystation.transforms.deid.dates import Shift
from waystation.transforms.deid.devices import PixelSettings
from waystation.transforms.deid.private import STANDARD, Safe
from waystation.transforms.deid.pseudonyms import IdentityRules
from waystation.transforms.deid.text import TextRules
from waystation.transforms.deid_actions import OPTIONS
from waystation.transforms.deid_table import EDITION

# What changes here changes what the engine writes for the same profile: part of the digest.
ENGINE_REVISION = 1

Do = Literal["keep", "clean", "uid", "dummy", "empty", "remove"]
# The less of the original a rule leaves, the higher: a profile may only go up (D-11).
STRICTNESS: dict[str, int] = {"keep": 0, "clean": 1, "uid": 2, "dummy": 3, "empty": 3, "remove": 3}
OF_CODE: dict[str, int] = {"K": 0, "C": 1, "U": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementRule:
    """What the profile itself says about an element, at every depth.

    value: the dummy.  loosen: why it may be less strict than the table.
    """

    do: Do
    value: str | None = None
    loosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visual:
    """Which objects may show a face: modalities with a body part (or none said), and photographs.

    PS3.15 E.3.2, Clean Recognizable Visual Features.
    """

    modalities: frozenset[str] = frozenset({"CT", "MR", "PT", "NM"})
    body_parts: frozenset[str] = frozenset(
        {"HEAD", "BRAIN", "SKULL", "FACE", "HEADNECK", "NECK", "ORBIT", "SINUS", "EAR", "JAW"}
        | {"MAXILLA", "MANDIBLE", "TMJ", "WHOLEBODY", "NOSE", "IAC", "EYE", "CSPINE", "TEETH"}
    )
    photographs: frozenset[str] = frozenset({"XC", "ES", "OP", "GM", "DMS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One ``[deidentify.NAME]``.  options: in the order of PS3.15."""

    name: str
    project: str = ""
    edition: str = EDITION
    options: tuple[str, ...] = ()
    source: Literal["hmac", "csv", "allocated", "empty"] = "hmac"
    prefix: str = ""
    missing: Literal["hold", "hmac"] = "hold"
    also: frozenset[str] = frozenset()
    identity: IdentityRules = field(default_factory=IdentityRules)
    missing_id: Literal["hold", "study"] = "hold"
    shift: Shift = field(default_factory=Shift)
    keep_timezone: bool = False
    text: TextRules = field(default_factory=TextRules)
    safe_private: Safe = STANDARD
    pixels: PixelSettings = field(default_factory=PixelSettings)
    visual: Visual = field(default_factory=Visual)
    documents: Literal["hold", "dummy"] = "hold"
    unlisted: Literal["keep", "clean", "remove"] = "keep"
    verify: Literal["hold", "off"] = "hold"
    ocr: bool = False  # text that is still found in the pixels of an output holds (D-36)
    sample: float = 0.0
    public: bool = False
    rules: tuple[tuple[int, ElementRule], ...] = ()
    classes: tuple[tuple[str, str], ...] = ()  # SOP classes let through, and why
    digest: str = ""

    def __post_init__(self) -> None:
        unknown = [option for option in self.options if option not in OPTIONS]
        if unknown or self.edition != EDITION:
            raise ValueError(f"no option {unknown[0]}" if unknown else f"no edition {self.edition}")

    def has(self, option: str) -> bool:
        """Tell whether an option is on."""
        return option in self.options
