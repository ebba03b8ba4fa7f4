"""The whole configuration as one frozen value.

Contract: what is in here has been checked by itself, key by key; `waystation.app.semantics`
checks what only shows across tables.  Only `app` sees the whole: a part receives its own.
"""

from pydantic import Field

from waystation.app.settings_base import Table
from waystation.app.settings_destination import AnyDestination
from waystation.app.settings_dicom import DicomSettings, PeerSettings
from waystation.app.settings_node import (
    ArchiveSettings,
    DuplicateSettings,
    LogSettings,
    NodeSettings,
    SpoolSettings,
    WebSettings,
    WorklistSettings,
)
from waystation.app.settings_rule import RoutingSettings, RuleSettings

LATER_TABLES = frozenset(
    {
        "group",
        "schedule",
        "pacs",
        "validate",
        "edit",
        "deidentify",
        "lookup",
        "completeness",
        "report",
        "alert",
    }
)


class Settings(Table):
    """The configuration file of a node."""

    later = LATER_TABLES

    node: NodeSettings = Field(default_factory=NodeSettings, description="Name and place")
    dicom: DicomSettings = Field(default_factory=DicomSettings, description="DICOM listener")
    web: WebSettings = Field(default_factory=WebSettings, description="HTTP listener")
    peer: dict[str, PeerSettings] = Field(
        default_factory=dict, description="Application entities that may call us"
    )
    destination: dict[str, AnyDestination] = Field(default_factory=dict, description="Ways out")
    rule: tuple[RuleSettings, ...] = Field(default=(), description="What goes where")
    routing: RoutingSettings = Field(
        default_factory=RoutingSettings, description="What no rule takes"
    )
    spool: SpoolSettings = Field(default_factory=SpoolSettings, description="Disk space")
    duplicates: DuplicateSettings = Field(
        default_factory=DuplicateSettings, description="Objects that come again"
    )
    log: LogSettings = Field(default_factory=LogSettings, description="Log")
    archive: ArchiveSettings = Field(
        default_factory=ArchiveSettings, description="Embedded archive"
    )
    worklist: WorklistSettings = Field(default_factory=WorklistSettings, description="Worklist")
