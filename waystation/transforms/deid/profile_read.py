"""One ``[deidentify.NAME]`` table, checked and resolved (D-11, D-38).

Contract: `read_profile` gives a `Profile` or raises `ProfileError`, which names the key and says
what to write instead.  Files are texts that the caller read, by the names that the table gives
them; nothing is looked up, nothing has a default that depends on the machine.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from waystation.dicom.tags import format_tag, tag_for
from waystation.dicom.uids import sop_classes
from waystation.transforms import deid_options, deid_table
from waystation.transforms.deid.choice import NEVER
from waystation.transforms.deid.dates import Shift
from waystation.transforms.deid.device_rules import read_devices
from waystation.transforms.deid.devices import DeviceRule, PixelSettings
from waystation.transforms.deid.private import STANDARD, Safe, read_safe
from waystation.transforms.deid.profile import (
    ENGINE_REVISION,
    OF_CODE,
    STRICTNESS,
    ElementRule,
    Profile,
    Visual,
)
from waystation.transforms.deid.pseudonyms import SAFE, IdentityRules
from waystation.transforms.deid.risk import RISKS
from waystation.transforms.deid.text import TextRules, read_words
from waystation.transforms.deid_actions import OPTIONS, code_of

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_DAYS: Final = re.compile(r"([0-9]{1,5})d\.\.([0-9]{1,5})d")
LONGEST_PREFIX: Final = 40
ALSO: Final = ("subject", "accession", "study")
Table = Mapping[str, Any]
Files = Mapping[str, str]


class ProfileError(ValueError):
    """The operator must change the profile.  path: the keys inside the table."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(problem)
        self.path = path


def read_profile(name: str, table: Table, files: Files) -> Profile:
    """Return the profile that a table gives; keys and types are right already.

    files: content by the name that ``text.words``, ``private.safe`` and ``pixels.rules`` use.
    """
    if not NAME.fullmatch(name):
        raise ProfileError((), "a profile name has 1 to 32 letters, digits, - or _")
    edition = table.get("edition", deid_table.EDITION)
    if edition != deid_table.EDITION:
        raise ProfileError(("edition",), f'expected edition = "{deid_table.EDITION}"')
    options = _options(table.get("options", ()))
    pseudonym, dates = table.get("pseudonym", {}), table.get("dates", {})
    rules, classes = _rules(table.get("rule", ()), options)
    read = Profile(
        name=name,
        project=table.get("project", {}).get("id", ""),
        options=options,
        source=pseudonym.get("source", "hmac"),
        prefix=_prefix(pseudonym.get("prefix", "")),
        missing=pseudonym.get("missing", "hold"),
        also=_also(pseudonym.get("also", ())),
        identity=IdentityRules(**table.get("identity", {})),
        missing_id=table.get("missing_id", "hold"),
        shift=_shift(dates, options),
        keep_timezone=dates.get("keep_timezone", False),
        text=_text(table.get("text", {}), files, options),
        safe_private=_private(table.get("private", {}), files, options),
        pixels=_pixels(table.get("pixels", {}), files, options),
        visual=_visual(table.get("visual", {})),
        documents=table.get("documents", "hold"),
        unlisted=table.get("unlisted", "keep"),
        verify=table.get("verify", "hold"),
        ocr=table.get("ocr", False),
        sample=float(table.get("sample", 0.0)),
        public=table.get("public", False),
        rules=rules,
        classes=classes,
    )
    if read.public and table.get("reidentify"):
        raise ProfileError(
            ("reidentify",), "a public profile keeps no originals: encryption ages, files do not"
        )
    return _with_digest(read)


def _with_digest(profile: Profile) -> Profile:
    """Return the profile with the hash of everything that it says, and of the tables."""
    from dataclasses import replace

    said = {
        "engine": ENGINE_REVISION,
        "tables": [deid_table.ACTIONS, deid_table.MASKS, deid_options.COLUMNS],
        "profile": asdict(profile),
    }
    text = json.dumps(said, sort_keys=True, default=_plain, separators=(",", ":"))
    return replace(profile, digest=hashlib.sha256(text.encode()).hexdigest())


def _plain(value: object) -> object:
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"a {type(value).__name__} has no place in a profile")


def _options(said: Sequence[str]) -> tuple[str, ...]:
    for place, option in enumerate(said):
        if option not in OPTIONS:
            raise ProfileError(("options", place), f"expected one of {', '.join(OPTIONS)}")
    if {"retain_full_dates", "retain_modified_dates"} <= set(said):
        raise ProfileError(
            ("options",), "retain_full_dates and retain_modified_dates contradict each other"
        )
    return tuple(option for option in OPTIONS if option in said)


def _prefix(text: str) -> str:
    if text and (len(text) > LONGEST_PREFIX or not SAFE.fullmatch(text)):
        raise ProfileError(
            ("pseudonym", "prefix"), f"expected up to {LONGEST_PREFIX} plain ASCII characters"
        )
    return text


def _also(said: Sequence[str]) -> frozenset[str]:
    for place, word in enumerate(said):
        if word not in ALSO:
            raise ProfileError(("pseudonym", "also", place), f"expected one of {', '.join(ALSO)}")
    return frozenset(said)


def _shift(dates: Table, options: tuple[str, ...]) -> Shift:
    if dates and "retain_modified_dates" not in options:
        raise ProfileError(("dates",), "has no effect without the option retain_modified_dates")
    found = _DAYS.fullmatch(dates.get("range", "1d..3650d"))
    if found is None:
        raise ProfileError(("dates", "range"), 'expected days, such as "1d..3650d"')
    try:
        keep = dates.get("keep_weekday", False)
        return Shift(low=int(found[1]), high=int(found[2]), keep_weekday=keep)
    except ValueError as error:
        raise ProfileError(("dates", "range"), str(error)) from None


def _text(said: Table, files: Files, options: tuple[str, ...]) -> TextRules:
    mode = said.get("mode", "remove")
    names = said.get("words", ())
    if names and mode != "allow-list":
        raise ProfileError(("text", "words"), 'has no effect without mode = "allow-list"')
    words: frozenset[str] = frozenset()
    for name in names:
        words |= read_words(files[name])
    return TextRules(mode=mode, words=words)


def _private(said: Table, files: Files, options: tuple[str, ...]) -> Safe:
    if said and "retain_safe_private" not in options:
        raise ProfileError(("private",), "has no effect without the option retain_safe_private")
    found: Safe = frozenset()
    for place, name in enumerate(said.get("safe", ("standard",))):
        try:
            found |= STANDARD if name == "standard" else read_safe(files[name])
        except ValueError as error:
            raise ProfileError(("private", "safe", place), str(error)) from None
    return found


def _pixels(said: Table, files: Files, options: tuple[str, ...]) -> PixelSettings:
    cleans = "clean_pixel_data" in options
    if said and not cleans:
        raise ProfileError(("pixels",), "has no effect without the option clean_pixel_data")
    rules: tuple[DeviceRule, ...] = ()
    for place, name in enumerate(said.get("rules", ())):
        try:
            rules += read_devices(tomllib.loads(files[name]))
        except ValueError as error:
            raise ProfileError(("pixels", "rules", place), str(error)) from None
    risk = frozenset(said.get("risk", RISKS))
    if unknown := sorted(risk - set(RISKS)):
        raise ProfileError(
            ("pixels", "risk"), f"expected some of {', '.join(RISKS)}, not {unknown}"
        )
    return PixelSettings(
        clean=cleans,
        rules=rules,
        risk=risk,
        unknown=said.get("unknown", "hold"),
        lossy=said.get("lossy", "decode"),
    )


def _visual(said: Table) -> Visual:
    return Visual(**{key: frozenset(word.upper() for word in said[key]) for key in said})


def _rules(
    said: Sequence[Table], options: tuple[str, ...]
) -> tuple[tuple[tuple[int, ElementRule], ...], tuple[tuple[str, str], ...]]:
    elements: dict[int, ElementRule] = {}
    classes: dict[str, str] = {}
    for place, rule in enumerate(said):
        if ("tag" in rule) is ("sop_class" in rule):
            raise ProfileError(("rule", place), "expected either tag or sop_class")
        if "sop_class" in rule:
            uid = _class(rule, place)
            classes[uid] = rule["loosen"]
            continue
        tag = _tag(rule["tag"], place)
        if tag in elements:
            raise ProfileError(("rule", place, "tag"), f"{format_tag(tag)} has a rule already")
        elements[tag] = _element_rule(tag, rule, options, place)
    return tuple(sorted(elements.items())), tuple(sorted(classes.items()))


def _class(rule: Table, place: int) -> str:
    if rule.get("do") != "keep" or not rule.get("loosen"):
        raise ProfileError(
            ("rule", place), 'a class is let through with do = "keep" and loosen = "reason"'
        )
    word = str(rule["sop_class"])
    if re.fullmatch(r"[0-9.]{3,64}", word):
        return word
    for uid, (keyword, _, _) in sop_classes().items():
        if keyword == word:
            return uid
    raise ProfileError(("rule", place, "sop_class"), "expected a UID or keyword of a SOP class")


def _tag(word: str, place: int) -> int:
    try:
        tag = tag_for(word)
    except ValueError as error:
        raise ProfileError(("rule", place, "tag"), str(error)) from None
    if tag >> 16 & 1:
        raise ProfileError(("rule", place, "tag"), "private elements are named under private.safe")
    if tag in NEVER:
        raise ProfileError(("rule", place, "tag"), f"{format_tag(tag)} never leaves")
    return tag


def _element_rule(tag: int, rule: Table, options: tuple[str, ...], place: int) -> ElementRule:
    do, value, loosen = rule.get("do", ""), rule.get("value"), rule.get("loosen", "")
    if do not in STRICTNESS:
        raise ProfileError(("rule", place, "do"), f"expected one of {', '.join(STRICTNESS)}")
    if value is not None and (do not in ("dummy", "empty") or not value.isascii()):
        raise ProfileError(("rule", place, "value"), 'expected ASCII text, with do = "dummy"')
    if do == "uid" and "retain_uids" in options:
        raise ProfileError(("rule", place, "do"), "retain_uids and a mapped UID contradict")
    row = deid_table.row_of(tag)
    code = code_of(row, options)[0] if row is not None else "K"
    if STRICTNESS[do] < OF_CODE.get(code, 3) and not loosen:
        raise ProfileError(
            ("rule", place), f'less strict than the table ({code}): add loosen = "reason"'
        )
    return ElementRule(do=do, value=value, loosen=loosen)
