"""What only shows across tables: names that do not resolve, peers in doubt, doors left open.

Contract: `examine` looks at everything that could be read and returns problems and warnings; it
asks the disk whether files are there and changes nothing.
"""

from collections.abc import Iterator, Mapping

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.places import files_and_folders
from waystation.app.semantics_archive import archive
from waystation.app.semantics_deidentify import deidentifying
from waystation.app.semantics_group import grouping
from waystation.app.semantics_hl7 import hl7_and_folders
from waystation.app.semantics_lane import lanes
from waystation.app.semantics_pacs import broker
from waystation.app.semantics_query import querying
from waystation.app.semantics_remote import remote
from waystation.app.semantics_rules import rules
from waystation.app.semantics_schedule import schedules
from waystation.app.semantics_steps import steps
from waystation.app.semantics_transcode import transcoding
from waystation.app.semantics_verify import verifying
from waystation.app.semantics_watch import watching
from waystation.app.semantics_ways import ways
from waystation.app.semantics_worklist import worklist
from waystation.app.settings_base import is_loopback
from waystation.app.settings_destination import DicomDestination
from waystation.app.settings_dicom import DicomSettings
from waystation.app.settings_group import member_tables
from waystation.app.settings_node import WebSettings
from waystation.app.settings_rule import sends_of
from waystation.app.settings_worklist import WorklistSettings
from waystation.app.specificity import rivals
from waystation.app.vocabulary import wrong_words

ARCHIVE = "archive"


def examine(parts: Parts, environ: Mapping[str, str]) -> list[Problem]:
    """Return all problems and warnings that no table shows by itself."""
    return [
        *_rule_names(parts),
        *_rule_sends(parts),
        *_rule_fates(parts),
        *rules(parts),
        *_unused_destinations(parts),
        *_destinations(parts),
        *steps(parts, environ),
        *deidentifying(parts, environ),
        *schedules(parts, environ),
        *lanes(parts, environ),
        *grouping(parts, environ),
        *_peers(parts),
        *_listeners(parts),
        *worklist(parts),
        *hl7_and_folders(parts, environ),
        *archive(parts),
        *querying(parts),
        *broker(parts),
        *verifying(parts),
        *_duplicates(parts),
        *wrong_words(parts),
        *files_and_folders(parts, environ),
        *remote(parts, environ),
        *ways(parts, environ),
        *transcoding(parts),
        *watching(parts, environ),
    ]


def warning(path: Path, text: str) -> Problem:
    return Problem(path=path, text=text, warning=True)


def _rule_names(parts: Parts) -> Iterator[Problem]:
    seen: set[str] = set()
    for position, rule in enumerate(parts.raw_rules()):
        name = rule.get("name")
        if isinstance(name, str) and name in seen:
            yield Problem(
                path=("rule", position, "name"), text=f'another rule is already named "{name}"'
            )
        elif isinstance(name, str):
            seen.add(name)


def _duplicates(parts: Parts) -> Iterator[Problem]:
    raw = parts.document.get("duplicates")
    if isinstance(raw, dict) and (raw.get("compare"), raw.get("different")) == (
        "content",
        "refuse",
    ):
        yield Problem(
            path=("duplicates", "compare"),
            text='pixels are compared after the answer, so "content" cannot go with different = '
            '"refuse"; say compare = "bytes", or different = "hold"',
        )


def _table_names(parts: Parts, table: str) -> set[str]:
    raw = parts.document.get(table)
    return set(raw) if isinstance(raw, dict) else set()


def _rule_sends(parts: Parts) -> Iterator[Problem]:
    known = _table_names(parts, "destination") | _table_names(parts, "group")
    for position, rule in enumerate(parts.raw_rules()):
        for inside, name in sends_of(rule):
            at: Path = ("rule", position, *inside)
            if name not in known and name != ARCHIVE:
                near = closest(name, known)
                yield Problem(path=at, text=f'no destination or group "{name}"{near}')


def _rule_fates(parts: Parts) -> Iterator[Problem]:
    for position, raw in enumerate(parts.raw_rules()):
        at: Path = ("rule", position)
        if not raw.get("send") and "then" not in raw:
            yield Problem(path=at, text='needs "send", or "then" = "hold", "discard" or "archive"')
        if raw.get("send") and "then" in raw:
            yield Problem(path=(*at, "then"), text='is only for a rule without "send"')


def _unused_destinations(parts: Parts) -> Iterator[Problem]:
    used = {name for rule in parts.raw_rules() for _, name in sends_of(rule)}
    groups = parts.document.get("group")
    for table in groups.values() if isinstance(groups, dict) else []:
        used |= {name for _, name in member_tables(table)}
    told = parts.single.get("worklist")
    if isinstance(told, WorklistSettings):
        used |= {*told.forward, *told.webhooks}
    for name in parts.destinations:
        if name not in used:
            yield warning(("destination", name), "no rule sends to it")


def _destinations(parts: Parts) -> Iterator[Problem]:
    dicom = parts.single.get("dicom")
    for name, destination in parts.destinations.items():
        at: Path = ("destination", name)
        if not isinstance(destination, DicomDestination):
            continue
        if destination.tls is not None and not destination.tls.verify:
            yield warning((*at, "tls", "verify"), "anybody can pose as this destination")
        if (
            isinstance(dicom, DicomSettings)
            and destination.port == dicom.port
            and is_loopback(destination.host)
        ):
            yield warning((*at, "port"), "is our own listener: objects would go round in circles")


def _peers(parts: Parts) -> Iterator[Problem]:
    for name, peer in parts.peers.items():
        if peer is not None and not peer.address:
            yield warning(("peer", name), "may call from every address; state its address")
    for first, second, why in rivals(parts.peers):
        yield Problem(path=("peer", second), text=f'cannot be told from peer "{first}": {why}')


def _listeners(parts: Parts) -> Iterator[Problem]:
    dicom, web = parts.single.get("dicom"), parts.single.get("web")
    known = parts.peers or parts.named.get("pacs")
    if isinstance(dicom, DicomSettings) and dicom.peers == "known" and not known:
        stated = "peers" if is_loopback(dicom.host) else "host"
        yield Problem(
            path=("dicom", stated),
            text='nobody could call: add a [peer.NAME] table, or state peers = "any"',
        )
    if isinstance(web, WebSettings) and web.enabled and not is_loopback(web.host):
        yield from _beyond(web)
    if (
        isinstance(dicom, DicomSettings)
        and isinstance(web, WebSettings)
        and web.enabled
        and dicom.port == web.port != 0
    ):
        yield Problem(path=("web", "port"), text="is the port of the DICOM listener already")


def _beyond(web: WebSettings) -> Iterator[Problem]:
    """Yield what is to be said of a listener that others can reach (S-55)."""
    if web.tls is None and not web.trusted_proxies:
        if web.insecure:
            yield warning(
                ("web", "insecure"), "passwords and images cross the network for all to read"
            )
        else:
            yield Problem(
                path=("web", "host"),
                text="anything but loopback needs TLS: add a [web.tls] table, name the proxy that "
                "has it in trusted_proxies, or say insecure = true",
            )
    if web.anonymous == "read":
        yield warning(
            ("web", "anonymous"), "everybody who can reach it may see every image and patient"
        )
