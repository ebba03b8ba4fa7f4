"""Which foreign configurations can be read, by the name that an operator gives them."""

import importlib
from collections.abc import Callable
from pathlib import Path

from waystation.app.faults import closest
from waystation.app.importing.findings import Imported
from waystation.model.errors import ConfigError

SOURCES = {
    "dicomflowrouter": "waystation.app.importing.dicomflowrouter",
    "orthanc": "waystation.app.importing.orthanc",
    "mercure": "waystation.app.importing.mercure",
    "dcmqrscp": "waystation.app.importing.dcmqrscp",
    "ctp-pixels": "waystation.app.importing.ctp_pixels",
    "deid-recipe": "waystation.app.importing.deid_recipe",
    "dcmrs-broker": "waystation.app.importing.dcmrs_broker",
}


def read(source: str, path: Path) -> Imported:
    """Return the configuration at ``path`` in our words.  Raises `ConfigError`."""
    if source not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigError(
            f"import-config {source}", f"not known; there are {known}{closest(source, SOURCES)}"
        )
    translate: Callable[[Path], Imported] = importlib.import_module(SOURCES[source]).read
    return translate(path)
