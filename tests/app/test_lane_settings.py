"""The pace of a lane as it is written: read, refused, wired."""

from collections.abc import Callable

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.settings import Settings
from waystation.app.settings_destination import DestinationSettings
from waystation.app.wiring_lane import lane_settings, same_way
from waystation.app.wiring_schedule import Windows
from waystation.flows.lane_settings import NO_FILTER, LaneSettings
from waystation.timing.budget import Limits, RateEntry

MIB = 2**20
PACS = '[destination.{0}]\nkind = "dicom"\nhost = "10.1.9.10"\nae_title = "PACS"\n{1}\n'
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
BOTH = '[[rule]]\nname = "all"\nsend = ["pacs", "copy"]\n'
NIGHT = '[schedule.night]\nopen = "20:00-05:59"\nzone = "UTC"\n'


def pacs(extra: str) -> str:
    return PACS.format("pacs", extra) + RULE


def two(first: str, second: str) -> str:
    return PACS.format("pacs", first) + PACS.format("copy", second) + BOTH


Made = Callable[..., LaneSettings]


@pytest.fixture
def made(read: Load) -> Made:
    def _made(text: str, name: str = "pacs") -> LaneSettings:
        settings: Settings = read(text).settings
        windows = Windows(settings.schedule, now=0.0)
        return lane_settings(settings, name, windows, NO_FILTER)

    return _made


@pytest.mark.req("R-51")
def test_a_rate_is_one_figure_or_a_list_of_hours(made: Made) -> None:
    assert made(pacs('limits = { rate = "20MiB/s", per_minute = 600 }')).limits == Limits(
        rates=(RateEntry(bytes_per_s=20 * MIB),), per_minute=600
    )
    text = 'limits = { rate = [{ when = "night", max = "20 MiB/s" }, { max = "512KiB / s" }] }'
    night, day = made(NIGHT + pacs(text)).limits.rates
    assert (night.bytes_per_s, day.bytes_per_s, day.when) == (20 * MIB, 512 * 1024, None)
    assert night.when is not None
    assert night.when.is_open(0.0)
    assert not night.when.is_open(12 * 3600.0)


@pytest.mark.req("R-51")
def test_who_shares_a_budget_has_it_from_whoever_states_it(made: Made) -> None:
    text = two('limits = { rate = "1MB/s", share = "line" }', 'limits = { share = "line" }')
    assert made(text).limits == made(text, "copy").limits
    assert made(text, "copy").share == "line"


@pytest.mark.req("R-38", "R-40", "R-46", "R-49")
def test_every_key_of_the_pace_reaches_the_lane(made: Made) -> None:
    settings = made(
        pacs(
            'closing = "finish-study"\nstat_waits = true\nsend_anyway_after = "4h"\n'
            'optional_for = "2h"\nsplit_study = true\nprobe_outside_window = true\nparallel = 3'
        )
    )
    assert (settings.finish_study, settings.stat_waits, settings.split_study) == (True,) * 3
    assert (settings.send_anyway_after_s, settings.optional_for_s) == (4 * 3600, 2 * 3600)
    assert (settings.probe_outside_window, settings.parallel) == (True, 3)
    plain = made(pacs(""))
    assert (plain.finish_study, plain.stat_waits, plain.split_study) == (False,) * 3
    assert (plain.send_anyway_after_s, plain.optional_for_s) == (None, 86_400)
    assert not plain.limits.any


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (pacs('limits = { rate = "20MiB" }'), "5 destination.pacs.limits.rate: a rate is a size"),
        (pacs("limits = { rate = 20 }"), "5 destination.pacs.limits.rate: a rate is a size"),
        (pacs("limits = { rate = [] }"), "5 destination.pacs.limits.rate: a rate is a size"),
        (pacs("limits = {}"), "5 destination.pacs.limits: limits nothing"),
        (pacs("limits = { per_minute = 0 }"), "5 destination.pacs.limits.per_minute: "),
        (pacs('limits = { rates = "1MB/s" }'), "5 destination.pacs.limits.rates: unknown key"),
        (
            pacs('limits = { rate = [{ when = "nigth", max = "1MB/s" }] }') + NIGHT,
            '5 destination.pacs.limits.rate.when: no schedule "nigth" (did you mean "night"?)',
        ),
        (pacs('closing = "study"'), '5 destination.pacs.closing: expected "object" or'),
        (pacs('send_anyway_after = "0s"'), "5 destination.pacs.send_anyway_after: "),
        (
            two(
                'limits = { rate = "1MB/s", share = "line" }',
                'limits = { rate = "2MB/s", share = "line" }',
            ),
            "10 destination.copy.limits.rate: is another one than that of",
        ),
        (
            two('limits = { share = "line" }', 'limits = { share = "line" }'),
            '5 destination.pacs.limits.share: nobody who shares it states "rate"',
        ),
    ],
)
def test_what_limits_nothing_or_contradicts_itself_is_a_fault(
    text: str, expected: str, faults: Complain
) -> None:
    said = faults(text)
    assert any(fault.startswith(f"waystation.toml:{expected}") for fault in said), said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            pacs('limits = { rate = "1MB/s", share = "line" }'),
            "5 destination.pacs.limits.share: is shared with nobody",
        ),
        (
            pacs(
                'limits = { rate = [{ max = "1MB/s" }, { when = "20:00-06:00", max = "2MB/s" }] }'
            ),
            "5 destination.pacs.limits.rate: counts always",
        ),
    ],
)
def test_what_is_doubtful_about_limits_is_a_warning(
    text: str, expected: str, warnings: Complain
) -> None:
    said = warnings(text)
    assert any(one.startswith(f"waystation.toml:{expected}") for one in said), said


def test_only_what_leads_elsewhere_needs_another_way(read: Load) -> None:
    def table(extra: str, host: str = "10.1.9.10") -> DestinationSettings:
        text = pacs(extra).replace("10.1.9.10", host)
        return read(text).settings.destination["pacs"]

    assert same_way(table(""), table('window = "never"\nlimits = { per_minute = 5 }'))
    assert not same_way(table(""), table("", "10.1.9.11"))
    assert not same_way(table(""), table('linger = "1s"'))
    assert not same_way(None, table(""))
