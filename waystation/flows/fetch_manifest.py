"""What a PACS lists of a study, what somebody wants of it, and what to ask for next.  Pure.

Contract: an `Aim` is a study, a series or an instance.  `Manifest.missing` is None while it is not
known what the PACS lists; an empty tuple is the only proof that an aim is complete by UIDs (W-113).
`jobs` never asks for more than the aims need (W-106).
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from waystation.index.cache_book import Listed

STUDY, SERIES, IMAGE = "STUDY", "SERIES", "IMAGE"
# More UIDs than this do not stand in one request: about 4 KB of identifier.
UIDS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted of a study: all of it, a series, or an instance (of a series, if known)."""

    series: str = ""
    instance: str = ""

    @property
    def level(self) -> str:
        """The level of the request that fetches it."""
        return IMAGE if self.instance else SERIES if self.series else STUDY

    def holds(self, series: str, instance: str) -> bool:
        """Tell whether an instance belongs to it."""
        return self.series in ("", series) and self.instance in ("", instance)


WHOLE = Aim()


def aim_of(path: Mapping[str, str]) -> Aim:
    """Return what a path wants."""
    return Aim(path.get("series", ""), path.get("instance", ""))


@dataclass(slots=True)
class Manifest:
    """What is known of what the PACS lists.

    series: how many instances each series has by the count of the PACS (None: it does not say);
    None while it is not known which series there are.  listed: series whose instances are known.
    n: how many instances the study has by the count of the PACS.  counts: likewise of series that
    were asked for one by one.  sizes: of the listed series.
    """

    series: dict[str, int | None] | None = None
    listed: set[str] = field(default_factory=set)
    instances: dict[str, Listed] = field(default_factory=dict)
    n: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def known(self, aim: Aim) -> bool:
        """Tell whether every instance of an aim is known by UID."""
        if aim.instance:
            return True
        if aim.series:
            return aim.series in self.listed
        return self.series is not None and self.listed >= self.series.keys()

    def uids(self, aim: Aim) -> list[str]:
        """Return what is listed of an aim so far."""
        if aim.instance:
            return [aim.instance]
        return [uid for uid, one in self.instances.items() if aim.series in ("", one.series)]

    def size(self, aim: Aim) -> int:
        """Return how many instances are listed of an aim so far, without looking at each."""
        if aim.instance:
            return 1
        return self.sizes.get(aim.series, 0) if aim.series else sum(self.sizes.values())

    def missing(self, aim: Aim, here: Container[str]) -> tuple[str, ...] | None:
        """Return what lacks, None if it is not known what there is."""
        if not self.known(aim):
            return None
        return tuple(uid for uid in self.uids(aim) if uid not in here)

    def count(self, aim: Aim) -> int | None:
        """Return how many instances there are, by UIDs or else as the PACS counts."""
        if self.known(aim):
            return len(self.uids(aim))
        return self.told(aim)

    def told(self, aim: Aim) -> int | None:
        """Return how many instances the PACS counts of a study or a series, None if it does not."""
        if not aim.series:
            return self.n
        found = (self.series or {}).get(aim.series)
        return self.counts.get(aim.series) if found is None else found

    def put(self, series: str, found: Mapping[str, str]) -> None:
        """Take the instances of a series, SOP class by UID; they replace what was listed of it."""
        for uid in [uid for uid, one in self.instances.items() if one.series == series]:
            del self.instances[uid]
        self.instances |= {uid: Listed(series, sop_class) for uid, sop_class in found.items()}
        self.listed.add(series)
        self.sizes[series] = len(found)

    def classes(self, aim: Aim) -> list[str]:
        """Return the SOP classes of what is listed of an aim."""
        found = (self.instances.get(uid) for uid in self.uids(aim))
        return list(dict.fromkeys(one.sop_class for one in found if one and one.sop_class))


@dataclass(frozen=True, slots=True)
class Job:
    """One request of retrieval.  series, instances: the UIDs of its level and the one above."""

    level: str
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


def jobs(
    aims: Sequence[Aim], manifest: Manifest, here: Mapping[str, str], *, lists: bool
) -> list[Job]:
    """Return the requests that bring what the aims lack, in the order of the aims.

    here: series by SOP Instance UID of what is there already.
    lists: whether the PACS takes lists of UIDs.
    """
    if WHOLE in aims:
        return _whole(manifest, here, lists=lists)
    series: list[str] = []
    instances: dict[str, list[str]] = {}
    for aim in aims:
        if aim.instance:
            instances.setdefault(aim.series, []).append(aim.instance)
        elif aim.series in here.values() and manifest.known(aim):
            lacking = manifest.missing(aim, here) or ()
            instances.setdefault(aim.series, []).extend(lacking)
        else:
            series.append(aim.series)
    return [*_of_series(series, lists=lists), *_of_instances(instances, lists=lists)]


def _whole(manifest: Manifest, here: Mapping[str, str], *, lists: bool) -> list[Job]:
    begun = set(here.values())
    if manifest.series is None or not begun & manifest.series.keys():
        return [Job(STUDY)]
    fresh = [uid for uid in manifest.series if uid not in begun]
    rest = [Aim(uid) for uid in manifest.series if uid in begun]
    again = [aim.series for aim in rest if not manifest.known(aim)]
    lacking = {
        aim.series: list(manifest.missing(aim, here) or ()) for aim in rest if manifest.known(aim)
    }
    return [*_of_series([*fresh, *again], lists=lists), *_of_instances(lacking, lists=lists)]


def _of_series(series: Sequence[str], *, lists: bool) -> list[Job]:
    return [Job(SERIES, group) for group in _groups(series, lists=lists)]


def _of_instances(wanted: Mapping[str, Sequence[str]], *, lists: bool) -> list[Job]:
    return [
        Job(IMAGE, (series,), group)
        for series, uids in wanted.items()
        for group in _groups(uids, lists=lists)
    ]


def _groups(uids: Iterable[str], *, lists: bool) -> list[tuple[str, ...]]:
    each = list(dict.fromkeys(uids))
    size = UIDS_AT_ONCE if lists else 1
    return [tuple(each[start : start + size]) for start in range(0, len(each), size)]
