"""``[completeness]`` and the rules → what ends a gather."""

from collections.abc import Callable

from waystation.app.settings import Settings
from waystation.flows.gather import GatherTerms
from waystation.timing.gather import Terms


def terms_of(settings: Settings) -> Callable[[str, str], GatherTerms]:
    """Return what a rule (name, level) wants of its gathers; defaults for a rule that is gone."""
    return lambda _rule, level: GatherTerms(terms=_terms(settings, level))


def _terms(settings: Settings, level: str) -> Terms:
    table = settings.completeness
    series = level == "series"
    return Terms(
        evidence=table.series if series else table.study,
        quiet_s=table.quiet.series if series else table.quiet.study,
        release_s=table.release.series if series else table.release.study,
        force_s=table.force_after,
    )
