"""mercure.json: its targets, rules and triggers.

Contract: `read` gives a configuration that sends nothing anywhere it did not go before (R-83).  A
rule that our `if` cannot say is written down disabled; as soon as one rule is not in force, what
no other takes is held instead of discarded.  Nothing of the file is executed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from waystation.app.importing import mercure_targets
from waystation.app.importing.findings import Imported, Report, unreadable
from waystation.app.importing.foreign import Source
from waystation.app.importing.json_text import read_json
from waystation.app.importing.mercure_rules import OFF_PEAK, Rules, rules_of
from waystation.app.importing.mercure_targets import Target, kind_of, usable
from waystation.app.importing.page import Page, names_for, plain
from waystation.app.importing.sources import read_file, shown

CLOCK = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d")
WHY = {
    "bookkeeper": "figures are at /metrics",
    "bookkeeper_api_key": "figures are at /metrics",
    "emergency_clean_percentage": "nothing is deleted to make room; see [spool]",
    "dicom_receiver": "rules may ask for every element",
    "dicom_retrieve": "query and retrieve are not available in this version",
    "process_runner": "modules do not run here",
    "processing_runtime": "modules do not run here",
    "processing_logs": "modules do not run here",
}
TRANSLATED = frozenset(
    {
        *("appliance_name", "port", "accept_compressed_images", "targets", "rules", "modules"),
        *("series_complete_trigger", "study_complete_trigger", "study_forcecomplete_trigger"),
        *("offpeak_start", "offpeak_end", "local_time", "retention", "retry_delay", "retry_max"),
    }
)
OPEN_HOUSE = (
    "everybody may send, from any address: name the senders in [peer.*] tables and remove"
    " [peer.anyone]"
)


def read(path: Path) -> Imported:
    """Return the configuration of a mercure.json.  Raises `ConfigFaults`."""
    if path.is_dir():
        path = path / "mercure.json"
    node = read_json(read_file(path), shown(path), os.environ)
    if not isinstance(node.value, dict):
        raise unreadable(node.where, "expected a table in braces")
    if not {"targets", "rules"} & set(node.value):
        raise unreadable(node.where, "neither targets nor rules: is this a mercure.json?")
    return _Translation(Source(node, Report()), path).result()


class _Translation:
    def __init__(self, source: Source, path: Path) -> None:
        self._source = source
        self._report = source.report
        self._folder = path.parent
        self._page = Page()
        self._page.comment(f"Made by `waystation import-config mercure` from {plain(str(path))}")
        self._page.comment("What was kept, changed or dropped stands in the list beside this text.")

    def result(self) -> Imported:
        targets = list(self._targets())
        ready = [target for target in targets if usable(target)]
        rules = rules_of(self._source, {target.label: target.name for target in ready})
        self._listener()
        self._spool()
        off_peak = self._schedule() if rules.off_peak else ""
        for target in ready:
            for shown_as in rules.lanes_of(target.label):
                waits = shown_as != target.name or rules.only_off_peak(target.label)
                lane = target.shut_off_peak(shown_as, off_peak if waits else "")
                mercure_targets.write(self._page, lane, self._folder)
        for target in targets:
            if target.kind in mercure_targets.PROPOSED:
                mercure_targets.propose(self._page, target)
        self._completeness(rules)
        rules.write(self._page)
        self._otherwise(rules)
        self._rest()
        return self._report.finish(self._page.toml)

    def _targets(self) -> Iterator[Target]:
        table = self._source.table("targets")
        labels = [label for label, _ in table.node.items()] if table else []
        for label, name in names_for(labels).items():
            source = table.table(label) if table else None
            if source is not None:
                yield Target(label=label, name=name, kind=kind_of(source), source=source)

    def _listener(self) -> None:
        source, page, report = self._source, self._page, self._report
        if source.text("appliance_name"):
            page.table("node")
            page.set("name", source.text("appliance_name"))
            report.kept(source.where("appliance_name"), "appliance_name → node.name")
        page.table("dicom")
        page.set("ae_title", "MERCURE", "mercure had no title of its own")
        page.set("called_ae", "any", "it answered to every title")
        page.set("host", "0.0.0.0", "it listened on every address")
        page.set("port", source.port("port", 11112))
        page.set("peers", "known")
        report.kept(source.where("port"), "port → dicom.port")
        page.table("peer", "anyone", because=f"WARNING: {OPEN_HOUSE}.")
        page.set("ae_title", "*")
        report.warning(source.where("port"), OPEN_HOUSE)
        if not source.flag("accept_compressed_images", False):
            report.changed(
                source.where("accept_compressed_images"),
                "compressed images are taken too, and sent on as they came",
            )

    def _spool(self) -> None:
        source, report = self._source, self._report
        seconds = source.number("retention", 0)
        if seconds > 0:
            self._page.table("spool")
            self._page.set("keep", f"{seconds}s")
            report.kept(source.where("retention"), f"retention → spool.keep = {seconds}s")
        for key in ("retry_delay", "retry_max"):
            if source.has(key):
                report.changed(
                    source.where(key), f"{key}: our own pauses, for 7 days instead of about an hour"
                )

    def _schedule(self) -> str:
        """Write the off-peak hours; return the name of their schedule."""
        source = self._source
        hours = [source.text(key) for key in ("offpeak_start", "offpeak_end")]
        page, where = self._page, source.where("offpeak_start")
        page.table("schedule", OFF_PEAK)
        if all(CLOCK.fullmatch(hour) for hour in hours):
            page.set("open", "-".join(hours))
            self._report.kept(where, f"offpeak_start, offpeak_end → schedule.{OFF_PEAK}")
        else:
            page.set("open", "never", f"was: {hours[0]} to {hours[1]}")
            self._report.changed(where, 'off-peak hours that cannot be read: "never" here')
        zone = source.text("local_time")
        if zone:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                source.fault("local_time", "there is no such time zone")
            else:
                page.set("zone", zone)
                self._report.kept(source.where("local_time"), "local_time → zone of off-peak hours")
        return OFF_PEAK

    def _completeness(self, rules: Rules) -> None:
        source = self._source
        waits = {
            "series": source.number("series_complete_trigger", 60),
            "study": source.number("study_complete_trigger", 900),
            "force": source.number("study_forcecomplete_trigger", 5400),
        }
        keys = ("series_complete_trigger", "study_complete_trigger", "study_forcecomplete_trigger")
        for key, seconds in zip(keys, waits.values(), strict=True):
            if seconds < 1:
                source.fault(key, "expected a number of seconds above 0")
        page = self._page
        page.table("completeness", because="mercure waited for silence and nothing else")
        page.set("series", ["quiet"])
        page.set("study", ["quiet"])
        page.set("quiet", {"series": f"{waits['series']}s", "study": f"{waits['study']}s"})
        page.set("force_after", f"{waits['force']}s")
        for key in keys:
            if source.has(key):
                self._report.kept(source.where(key), f"{key} → completeness")

    def _otherwise(self, rules: Rules) -> None:
        where = self._source.where("rules")
        if rules.complete:
            self._page.table("routing", because="WARNING: what no rule takes is thrown away.")
            self._page.set("otherwise", "discard")
            self._report.kept(where, "what no rule takes → discarded")
            self._report.warning(
                where,
                "what no rule takes is thrown away, as it was; [routing] otherwise keeps it",
            )
            return
        self._page.table(
            "routing", because="mercure discarded. Not here while a rule above is not in force."
        )
        self._page.set("otherwise", "hold")
        self._report.changed(where, "what no rule takes → held, as not every rule is in force")

    def _rest(self) -> None:
        modules = self._source.table("modules")
        for label, node in modules.node.items() if modules else ():
            self._report.dropped(node.where, f"module {plain(label)}: modules do not run here")
        for key, node in self._source.node.items():
            if key not in TRANSLATED and node.value not in ("", None) and node.value != {}:
                self._report.dropped(node.where, f"{plain(key)}: {WHY.get(key, 'no counterpart')}")
