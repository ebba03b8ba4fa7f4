"""``[group.NAME]`` → what the group belt goes by."""

from waystation.app.settings import Settings
from waystation.app.settings_group import GroupSettings as GroupTable
from waystation.app.wiring_schedule import Windows
from waystation.flows.groups import GroupSettings, MemberSettings
from waystation.timing.failover import Habits


def groups(settings: Settings, windows: Windows) -> dict[str, GroupSettings]:
    """Return all groups by name."""
    return {name: _group(table, windows) for name, table in settings.group.items()}


def _group(table: GroupTable, windows: Windows) -> GroupSettings:
    return GroupSettings(
        habits=Habits(
            strategy=table.strategy,
            backup=table.backup,
            switch_after_s=table.switch_after,
            return_after_s=table.return_after,
            sticky_for_s=table.sticky_for,
            whole_study=table.on_switch == "whole-study",
            sticky_patient=table.sticky == "patient",
        ),
        members=tuple(
            MemberSettings(
                to=member.to,
                window=windows.of(member.window),
                cost=member.cost,
                weight=member.weight,
            )
            for member in table.members
        ),
        anyway_s=table.send_anyway_after,
    )
