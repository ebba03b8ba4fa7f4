"""mercure's targets as our destinations.

Contract: every target that images can be pushed to and that we can speak to becomes one; the
others are listed.  Credentials are named, never copied; what used TLS never goes without.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from waystation.app.importing.foreign import Source, variable_for, write_secret, write_tls
from waystation.app.importing.page import Page, plain, value
from waystation.wire.names import is_ae_title

NOT_OURS = {
    "rsync": "rsync is not spoken here; use sftp or folder",
    "xnat": "XNAT is not spoken here; send to its DICOM receiver",
    "dummy": "a dummy sends nothing",
}
PROPOSED = {
    "sftp": "the server's host key and the password",
    "s3": "the access key",
}
TEXTS = {"contact", "comment", "target_type", "direction"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target.  window: our schedule for it, "" for always."""

    label: str
    name: str
    kind: str
    source: Source
    window: str = ""

    def shut_off_peak(self, name: str, window: str) -> "Target":
        """Return the same target, sent to during off-peak hours only."""
        return replace(self, name=name, window=window)


# The keys that were looked at, and whether the way stays shut for want of its files.
Wrote = tuple[set[str], bool]


def kind_of(source: Source) -> str:
    """Return the type of a target; old files do not say, their keys do."""
    stated = source.text("target_type")
    if stated:
        return stated
    if source.has("ip") and source.has("aet_target"):
        return "dicomtls" if source.has("tls_key") else "dicom"
    return "dicomweb" if source.has("url") else "sftp" if source.has("host") else "unknown"


def usable(target: Target) -> bool:
    """Tell whether images can go there; list why not."""
    source = target.source
    if source.text("direction") in ("pull", "query"):
        source.report.dropped(source.where("direction"), f"{target.label}: for queries only")
        return False
    if target.kind in PROPOSED:
        source.report.changed(
            source.where(),
            f"target {plain(target.label)} → a proposed destination, as a comment: it needs"
            f" {PROPOSED[target.kind]}",
        )
        return False
    if target.kind not in WRITERS:
        why = NOT_OURS.get(target.kind, "is of no known type")
        source.report.dropped(source.where(), f"target {plain(target.label)}: {why}")
        return False
    return True


def write(page: Page, target: Target, folder: Path) -> None:
    """Write the destination of a target."""
    source = target.source
    note = source.text("comment") or source.text("contact")
    said = [part for part in (target.label if target.label != target.name else "", note) if part]
    page.table("destination", target.name, because=": ".join(said))
    known, shut = WRITERS[target.kind](page, target, folder)
    if target.window and not shut:
        page.set("window", target.window)
    source.report.kept(source.where(), f"{plain(target.label)} → destination.{target.name}")
    for key, node in source.node.items():
        if key not in known and key not in TEXTS and node.value not in ("", None, False):
            source.report.dropped(node.where, f"{plain(target.label)}.{plain(key)}: no counterpart")


def propose(page: Page, target: Target) -> None:
    """Write a destination that needs a secret first as a comment."""
    source = target.source
    pairs: dict[str, object] = {"kind": target.kind}
    if target.kind == "sftp":
        pairs |= {
            "host": source.text("host"),
            "user": source.text("user"),
            "path": source.text("folder"),
            "password": {"env": variable_for(target.name, "PASSWORD")},
            "known_hosts": "known_hosts",
        }
    else:
        pairs |= {
            "bucket": source.text("bucket"),
            "prefix": source.text("prefix"),
            "region": source.text("region"),
            "key_id": {"env": variable_for(target.name, "KEY_ID")},
            "secret_key": {"env": variable_for(target.name, "SECRET_KEY")},
        }
    page.proposal(
        [
            f"{target.label}: needs {PROPOSED[target.kind]}; then uncomment, and name it in send",
            f"[destination.{target.name}]",
            *(f"{key} = {value(item)}" for key, item in pairs.items() if item),
        ]
    )


def _dicom(page: Page, target: Target, folder: Path) -> Wrote:
    source = target.source
    page.set("kind", "dicom")
    page.set("ae_title", source.title("aet_target"))
    page.set("host", source.needed("ip"))
    page.set("port", source.port("port"))
    title = source.text("aet_source")
    if source.flag("pass_sender_aet", False):
        page.set("calling_ae", "passthrough")
    elif title and is_ae_title(title):
        page.set("calling_ae", f"fixed:{title}")
    elif title:
        source.fault("aet_source", "an AE title has 1 to 16 printable ASCII characters")
    if source.flag("pass_receiver_aet", False):
        source.report.changed(
            source.where("pass_receiver_aet"), f"{target.label}: always called by aet_target here"
        )
    return {
        *("ip", "port", "aet_target", "aet_source", "pass_sender_aet", "pass_receiver_aet"),
    }, False


def _dicomtls(page: Page, target: Target, folder: Path) -> Wrote:
    known, _ = _dicom(page, target, folder)
    keys = {"ca": "ca_cert", "certificate": "tls_cert", "key": "tls_key"}
    source = target.source
    files = {
        ours: (folder / source.text(key)).absolute()
        for ours, key in keys.items()
        if source.text(key)
    }
    is_open = write_tls(page, files, source.report, source.where("tls_cert"))
    return known | set(keys.values()), not is_open


def _dicomweb(page: Page, target: Target, folder: Path) -> Wrote:
    source = target.source
    url = source.needed("url").rstrip("/")
    prefix = source.text("stow_url_prefix").strip("/")
    page.set("kind", "stow")
    page.set("url", f"{url}/{prefix}" if prefix else url)
    name = variable_for(target.name, "PASSWORD")
    if source.text("http_user"):
        auth: dict[str, object] = {"user": source.text("http_user"), "password": {"env": name}}
        write_secret(page, "auth", auth, source.report, source.where("http_user"))
    elif source.has("access_token"):
        token = {"token": {"env": variable_for(target.name, "TOKEN")}}
        write_secret(page, "auth", token, source.report, source.where("access_token"))
    return {
        *("url", "stow_url_prefix", "qido_url_prefix", "wado_url_prefix"),
        *("http_user", "http_password", "access_token"),
    }, False


def _folder(page: Page, target: Target, folder: Path) -> Wrote:
    page.set("kind", "folder")
    page.set("path", target.source.needed("folder"))
    return {"folder"}, False


WRITERS = {
    "dicom": _dicom,
    "dicomtls": _dicomtls,
    "dicomweb": _dicomweb,
    "folder": _folder,
}
