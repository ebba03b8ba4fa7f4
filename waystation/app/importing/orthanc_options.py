"""Orthanc's options that have no counterpart here, and why; listed one by one."""

from waystation.app.importing.foreign import Source
from waystation.app.importing.page import plain

WHY = {
    "StorageDirectory": "what is stored there is not imported",
    "IndexDirectory": "what is stored there is not imported",
    "MaximumStorageSize": "nothing is deleted to make room; see [spool]",
    "MaximumPatientCount": "nothing is deleted to make room; see [spool]",
    "MaximumStorageMode": "nothing is deleted to make room; see [spool]",
    "RegisteredUsers": "passwords are not copied; make users anew",
    "AuthenticationEnabled": "users are made anew",
    "OverwriteInstances": "other bytes under the same UID are kept as two versions and held",
    "Plugins": "plugins do not run here",
    "PythonScript": "scripts do not run here",
    "IngestTranscoding": "objects are kept as they came",
    "DefaultEncoding": "a data set without character set is read as ASCII",
    "SyncStorageArea": "always synced before the answer",
    "DicomAlwaysAllowEcho": "who may send may ask",
    "DicomAlwaysAllowFind": "query and retrieve are not available in this version",
    "DicomAlwaysAllowFindWorklist": "the worklist is not available in this version",
    "DicomAlwaysAllowGet": "query and retrieve are not available in this version",
    "DicomAlwaysAllowMove": "query and retrieve are not available in this version",
    "DicomScuPreferredTransferSyntax": "Explicit VR Little Endian is tried before Implicit",
    "Worklists": "the worklist is not available in this version",
    "HttpsVerifyPeers": "certificates of servers are always checked",
    "HttpsCACertificates": "write the authority into tls.ca of the destination",
    "HttpProxy": "write it into proxy of the destination",
}
# Where Orthanc says the same as we do anyway.
SAME = {"SyncStorageArea": True, "HttpsVerifyPeers": True, "OverwriteInstances": None}


def options(source: Source, translated: frozenset[str]) -> None:
    """List every option that nothing was made of."""
    for key, node in source.node.items():
        if key in translated:
            continue
        if key in SAME and node.value is SAME[key]:
            source.report.kept(node.where, f"{key}: {WHY[key]}")
        elif node.value in ("", None) or node.value in ({}, []):
            source.report.kept(node.where, f"{plain(key)}: nothing is set")
        else:
            source.report.dropped(node.where, f"{plain(key)}: {WHY.get(key, 'no counterpart')}")
