"""Settings that only a restart changes."""

from waystation.app.settings import Settings


def need_restart(before: Settings, after: Settings) -> list[str]:
    """Return the names of settings that differ and are not put in force by a reload."""
    old = _fixed(before)
    return [key for key, value in _fixed(after).items() if old[key] != value]


def _fixed(settings: Settings) -> dict[str, object]:
    """Return the settings that only a restart changes."""
    dicom, web, hl7 = settings.dicom, settings.web, settings.worklist.hl7
    return {
        "node.data": settings.node.data,
        "dicom.host": dicom.host,
        "dicom.port": dicom.port,
        "dicom.tls": dicom.tls,
        "dicom.max_pdu": dicom.max_pdu,
        "dicom.max_object": dicom.max_object,
        "dicom.timeouts": dicom.timeouts,
        "worklist.hl7": hl7 and (hl7.enabled, hl7.host, hl7.port, hl7.tls),
        "web": (web.host, web.port, web.enabled, web.tls, web.setup),
        "web.viewer": web.viewer,
    }
