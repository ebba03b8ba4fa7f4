"""Settings → compiled rules, with the filters of peers and destinations."""

from waystation.app.settings import Settings
from waystation.app.wiring_steps import rule_table
from waystation.rules.admission import EVERYBODY, Admission
from waystation.rules.classes import ClassFilter, class_filter
from waystation.rules.conditions import Condition, condition
from waystation.rules.faults import RuleFault
from waystation.rules.known import Known
from waystation.rules.read import RulesRead, read_rules


def rules(settings: Settings) -> RulesRead:
    """Return the compiled rules, with their faults."""
    faults: list[RuleFault] = []
    known = Known(schedules=settings.schedule)
    read = read_rules(
        [rule_table(rule, settings.edit) for rule in settings.rule],
        destinations=settings.destination,
        groups=settings.group,
        otherwise=settings.routing.otherwise,
        filters=_filters(settings, known, faults),
        admission=_admission(settings, known, faults),
        known=known,
    )
    return RulesRead(read.ruleset, (*faults, *read.faults), read.warnings)


def _filters(settings: Settings, known: Known, faults: list[RuleFault]) -> dict[str, ClassFilter]:
    return {
        name: class_filter(
            name,
            f"destination.{name}",
            faults,
            accept=table.accept,
            refuse=table.refuse,
            refuse_when=table.refuse_when,
            known=known,
        )
        for name, table in settings.destination.items()
    }


def _admission(settings: Settings, known: Known, faults: list[RuleFault]) -> Admission:
    asked = {EVERYBODY: ("dicom", settings.dicom.refuse_when)}
    asked |= {name: (f"peer.{name}", peer.refuse_when) for name, peer in settings.peer.items()}
    refuse_when: dict[str, Condition] = {
        peer: condition(when, f"{where}.refuse_when", faults, 0, known)
        for peer, (where, when) in asked.items()
        if when is not None
    }
    otherwise = {
        name: peer.otherwise for name, peer in settings.peer.items() if peer.otherwise is not None
    }
    return Admission(refuse_when=refuse_when, otherwise=otherwise)
