"""The whole configuration as one frozen value.

Contract: what is in here has been checked by itself, key by key; `waystation.app.semantics`
checks what only shows across tables.  Only `app` sees the whole: a part receives its own.
"""

from pydantic import Field

from waystation.app.settings_archive import ArchiveSettings
from waystation.app.settings_base import Table
from waystation.app.settings_completeness import CompletenessSettings
from waystation.app.settings_deidentify import DeidentifySettings
from waystation.app.settings_dicom import DicomSettings, PeerSettings
from waystation.app.settings_group import GroupSettings
from waystation.app.settings_inbox import InboxSettings
from waystation.app.settings_kinds import AnyDestination
from waystation.app.settings_node import (
    DuplicateSettings,
    LogSettings,
    NodeSettings,
    SpoolSettings,
    WebSettings,
)
from waystation.app.settings_pacs import CacheSettings, PacsSettings
from waystation.app.settings_rule import RoutingSettings, RuleSettings
from waystation.app.settings_schedule import ScheduleSettings
from waystation.app.settings_steps import EditSettings, LookupSettings, ValidateSettings
from waystation.app.settings_watch import AlertSettings, ReportTable
from waystation.app.settings_worklist import WorklistSettings


class Settings(Table):
    """The configuration file of a node."""

    node: NodeSettings = Field(default_factory=NodeSettings, description="Name and place")
    dicom: DicomSettings = Field(default_factory=DicomSettings, description="DICOM listener")
    web: WebSettings = Field(default_factory=WebSettings, description="HTTP listener")
    peer: dict[str, PeerSettings] = Field(
        default_factory=dict, description="Application entities that may call us"
    )
    destination: dict[str, AnyDestination] = Field(default_factory=dict, description="Ways out")
    schedule: dict[str, ScheduleSettings] = Field(
        default_factory=dict, description="Opening hours with a name"
    )
    group: dict[str, GroupSettings] = Field(
        default_factory=dict, description="Destinations of which one takes each study"
    )
    validate_: dict[str, ValidateSettings] = Field(
        default_factory=dict, alias="validate", description="Checks of objects with a name"
    )
    edit: dict[str, EditSettings] = Field(
        default_factory=dict, description="Edits of objects with a name"
    )
    lookup: dict[str, LookupSettings] = Field(
        default_factory=dict, description="Tables that values are looked up in"
    )
    deidentify: dict[str, DeidentifySettings] = Field(
        default_factory=dict, description="Profiles of de-identification"
    )
    inbox: dict[str, InboxSettings] = Field(
        default_factory=dict, description="Folders whose files are taken in"
    )
    rule: tuple[RuleSettings, ...] = Field(default=(), description="What goes where")
    routing: RoutingSettings = Field(
        default_factory=RoutingSettings, description="What no rule takes"
    )
    spool: SpoolSettings = Field(default_factory=SpoolSettings, description="Disk space")
    duplicates: DuplicateSettings = Field(
        default_factory=DuplicateSettings, description="Objects that come again"
    )
    log: LogSettings = Field(default_factory=LogSettings, description="Log")
    alert: AlertSettings = Field(
        default_factory=AlertSettings, description="Who hears when something is wrong"
    )
    report: dict[str, ReportTable] = Field(
        default_factory=dict, description="What happened, at times of your choice"
    )
    completeness: CompletenessSettings = Field(
        default_factory=CompletenessSettings,
        description="When a series or study counts as complete",
    )
    archive: ArchiveSettings = Field(
        default_factory=ArchiveSettings, description="Embedded archive"
    )
    worklist: WorklistSettings = Field(default_factory=WorklistSettings, description="Worklist")
    pacs: dict[str, PacsSettings] = Field(
        default_factory=dict, description="PACS that the broker gives DICOMweb"
    )
    cache: CacheSettings = Field(
        default_factory=CacheSettings, description="What is kept of fetched objects"
    )
