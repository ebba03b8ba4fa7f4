"""Which representation an answer takes (RFC 9110 section 12.5.1, PS3.18 sections 8.7.5 to 8.7.8).

Contract: pure.  `choices` gives every representation of a resource that a caller takes, best first;
none means 406.  No Accept at all means ``*/*``, which takes the default of the resource (W-10).
The ``accept`` query parameter comes before the header.  Unknown media types are passed over, and
so are ranges that nobody can read.  Of equal quality the more exact range wins, then the caller's
order, then ours.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MULTIPART: Final = "multipart/related"
DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
DICOM_XML: Final = "application/dicom+xml"
OCTETS: Final = "application/octet-stream"
JSON: Final = "application/json"
MOST_RANGES: Final = 64
REMEMBERED: Final = 1000

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rf"\s*({_TOKEN})/({_TOKEN})\s*", re.ASCII)
# Parameter values that need quotes and have none are common: type=application/dicom.
_PARAMETER = re.compile(
    rf"\s*;\s*(?:({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*)))?\s*", re.ASCII
)
_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a resource can be sent as.

    media: of the content, or of its parts; outer: `MULTIPART`, or "" for a single body.
    aliases: other names of ``media`` that take it too.
    """

    media: str
    outer: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The media type as it is written in Accept."""
        return f'{self.outer}; type="{self.media}"' if self.outer else self.media


@dataclass(frozen=True, slots=True)
class Range:
    """One media range.  params: by lower-case name, without q; the first of equal names counts."""

    main: str
    sub: str
    params: tuple[tuple[str, str], ...] = ()
    quality: float = 1.0

    def param(self, name: str) -> str | None:
        """Return a parameter, None if it is not there."""
        return next((value for key, value in self.params if key == name), None)


@dataclass(frozen=True, slots=True)
class Choice:
    """One acceptable representation.

    transfer_syntax, charset: what the range says of it, None if it says nothing.
    """

    offer: Offer
    transfer_syntax: str | None = None
    charset: str | None = None


ANY: Final = Range("*", "*")


def ranges(text: str) -> list[Range]:
    """Return the media ranges of one field value or query parameter, as they stand."""
    found: list[Range] = []
    at = 0
    while at < len(text) and len(found) < MOST_RANGES:
        match = _TYPE.match(text, at)
        if match is None:
            at = _behind(text, at)
            continue
        params, at = _params(text, match.end())
        if at < len(text) and text[at] != ",":
            at = _behind(text, at)
            continue
        at += 1
        one = _range(match[1].lower(), match[2].lower(), params)
        if one is not None:
            found.append(one)
    return found


def _behind(text: str, at: int) -> int:
    """Return where the next range begins: behind the next comma."""
    comma = text.find(",", at)
    return len(text) if comma < 0 else comma + 1


def _params(text: str, at: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while match := _PARAMETER.match(text, at):
        name, quoted, plain = match.groups()
        if name:
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            found.setdefault(name.lower(), value)
        at = match.end()
    return found, at


def _range(main: str, sub: str, params: dict[str, str]) -> Range | None:
    quality = params.pop("q", "1")
    if not _QUALITY.fullmatch(quality):
        return None
    return Range(main, sub, tuple(params.items()), float(quality))


def choices(
    offers: Sequence[Offer], header: str | None, parameter: str | None = None
) -> list[Choice]:
    """Return what is acceptable, best first; [] for 406.

    offers: the default first.  header: all Accept fields, joined by commas.  parameter: the
    ``accept`` of the query, as it was decoded (a plus sign may have become a blank).
    """
    if len(header or "") + len(parameter or "") > REMEMBERED:
        return list(_choices(tuple(offers), header, parameter))
    return list(_known_choices(tuple(offers), header, parameter))


def _choices(
    offers: tuple[Offer, ...], header: str | None, parameter: str | None
) -> tuple[Choice, ...]:
    found: list[Choice] = []
    if parameter is not None and parameter.strip():
        found += _chosen(offers, ranges(_with_plus(parameter)))
    if header is not None and header.strip():
        found += _chosen(offers, ranges(header))
    elif not found and parameter is None:
        found += _chosen(offers, [ANY])
    return tuple(dict.fromkeys(found))


# Clients send the same few headers over and over.
_known_choices = lru_cache(maxsize=512)(_choices)


def _with_plus(text: str) -> str:
    return re.sub(r"(application/dicom|image/svg) (?=json|xml)", r"\1+", text)


def _chosen(offers: Sequence[Offer], asked: Sequence[Range]) -> list[Choice]:
    scored = [
        ((-quality, -exact, place, at), choice)
        for at, offer in enumerate(offers)
        for quality, exact, place, choice in _of(offer, asked)
    ]
    return [choice for _, choice in sorted(scored, key=lambda one: one[0])]


def _of(offer: Offer, asked: Sequence[Range]) -> Iterator[tuple[float, int, int, Choice]]:
    """Yield quality, exactness and place of the ranges that speak of an offer most exactly."""
    fits = [(_exactness(offer, one), place, one) for place, one in enumerate(asked)]
    best = max((exact for exact, _, _ in fits), default=0)
    for exact, place, one in fits:
        if exact and exact == best and one.quality > 0:
            choice = Choice(offer, one.param("transfer-syntax"), one.param("charset"))
            yield one.quality, exact, place, choice


def _exactness(offer: Offer, one: Range) -> int:
    """Return 0 if the range does not take the offer, more the more exactly it names it."""
    names = (offer.media, *offer.aliases)
    if one.main == "*":
        return 1 if one.sub == "*" else 0
    main, sub = (offer.outer or offer.media).split("/")
    whole = f"{one.main}/{one.sub}"
    if not offer.outer and one.sub != "*":
        return 3 if whole in names else 0
    if one.main != main or one.sub not in ("*", sub):
        return 0
    if not offer.outer:
        return 2
    kind = one.param("type")
    if kind is None:
        return 2
    kind = kind.lower()
    if kind in ("*/*", ""):
        return 2
    if kind in names:
        return 4
    return 3 if kind == offer.media.split("/")[0] + "/*" else 0
