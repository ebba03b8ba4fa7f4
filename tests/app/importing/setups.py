"""Working folders of DicomFlowRouter as its two published set-ups have them, in our own words."""

from pathlib import Path

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"


def router(*, blacklist: str = "", title: str = "ROUTER_AET") -> str:
    refused = f"blacklist = {blacklist}\n" if blacklist else ""
    return f"[DICOM]\nae_title = {title}\n{refused}[DEBUG]\nlogname = Router\nloglevel = INFO\n"


def endpoint(host: str, *, more: str = "", port: str = "4242", title: str = "TARGET_PACS") -> str:
    return f"[ENDPOINT]\nhostname = {host}\nport = {port}\nae_title = {title}\n{more}"


def forward_with_retry(folder: Path) -> Path:
    """The first set-up: one receiver that takes no ultrasound."""
    return write(
        folder,
        {
            "": router(),
            "endpoint": endpoint("receiver", more=f"blacklist = {ULTRASOUND}\n"),
        },
    )


def two_sites(folder: Path, *, scheduled: str = "m10 < 5") -> Path:
    """The second set-up: a near site at all times, a far one in its window; no CT at all."""
    blacklist = f"blacklist = {ULTRASOUND}\n"
    window = f"[SCHEDULE]\n# for tests\nscheduled = {scheduled}\n; scheduled = 18:00-22:00\n"
    return write(
        folder,
        {
            "": router(blacklist=CT),
            "local": endpoint("pacs.site-a", more=blacklist),
            "remote": endpoint("pacs.site-b", more=blacklist + window),
        },
    )


def write(folder: Path, configs: dict[str, str]) -> Path:
    """Write a config.ini into the folder and its sub-folders."""
    for name, content in configs.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.ini").write_text(content, encoding="utf-8")
    return folder
