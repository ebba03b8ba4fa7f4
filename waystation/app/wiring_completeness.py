"""``[completeness]`` and the rules → what ends a gather."""

from collections.abc import Callable, Mapping
from datetime import tzinfo

from waystation.app.settings_completeness import CompletenessSettings
from waystation.flows.gather import GatherTerms, Whole
from waystation.rules.expression import StudyCondition, StudyFacts
from waystation.rules.facts import Window
from waystation.rules.read import RuleSet
from waystation.rules.rule import Gathering
from waystation.timing.gather import Terms


def terms_of(
    table: CompletenessSettings,
    ruleset: RuleSet,
    zone: tzinfo,
    windows: Mapping[str, Window],
    clock: Callable[[], float],
) -> Callable[[str, str], GatherTerms]:
    """Return what a rule (name, level) wants of its gathers; defaults for a rule that is gone."""
    gathering = {rule.name: rule.gathering for rule in ruleset.rules if rule.gathering is not None}

    def of(rule: str, level: str) -> GatherTerms:
        own = gathering.get(rule) or Gathering(level=level)
        return GatherTerms(
            terms=_terms(table, level, own.force_after_s),
            takes=_takes(own.if_complete, zone, windows, clock),
            on_force=own.on_force or table.on_force,
            late=own.late,
            late_whole_s=own.late_whole_within_s,
        )

    return of


def _terms(table: CompletenessSettings, level: str, force_s: float | None) -> Terms:
    series = level == "series"
    return Terms(
        evidence=table.series if series else table.study,
        quiet_s=table.quiet.series if series else table.quiet.study,
        release_s=table.release.series if series else table.release.study,
        force_s=table.force_after if force_s is None else force_s,
    )


def _takes(
    condition: StudyCondition | None,
    zone: tzinfo,
    windows: Mapping[str, Window],
    clock: Callable[[], float],
) -> Callable[[Whole], tuple[bool, str]]:
    if condition is None:
        return lambda _whole: (True, "")

    def takes(whole: Whole) -> tuple[bool, str]:
        return condition.judge(
            StudyFacts(
                instances=whole.instances,
                series=whole.series,
                modalities=whole.modalities,
                peers=whole.peers,
                complete_by=whole.complete_by,
                at=clock(),
                zone=zone,
                windows=dict(windows),
            )
        )

    return takes
