"""``[deidentify.NAME]`` → de-identifiers, with their keys (D-24, D-38).

Contract: `deidentifier_of` gives a de-identifier that is complete, or raises `ConfigError`: there
is none that works with half of its profile.  `deidentifiers` leaves out, and logs, what cannot be
made: rules that name it hold their objects.
"""

import os
from collections.abc import Callable, Mapping

import structlog

from waystation import __version__
from waystation.app.crosswalk import CrosswalkFile
from waystation.app.settings import Settings
from waystation.app.settings_base import Secret
from waystation.app.settings_deidentify import DeidentifySettings
from waystation.model.errors import ConfigError
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive, read_secret
from waystation.transforms.deid.originals import Seal
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.profile_read import ProfileError, read_profile
from waystation.transforms.deid.pseudonyms import IdentityRules, Patient, Pseudonym
from waystation.transforms.deid_step import DeidStep

log = structlog.get_logger()


def project_secret(source: Secret, environ: Mapping[str, str]) -> bytes:
    """Return a project's secret.  Raises OSError or KeyError if it is not there, ValueError."""
    if source.env is not None:
        return read_secret(environ[source.env].encode())
    if source.file is None:
        raise KeyError("key")
    return read_secret(source.file.read_bytes())


def profile_of(name: str, table: DeidentifySettings) -> Profile:
    """Return the profile.  Raises OSError or UnicodeError for a file, `ProfileError`."""
    files = {str(path): path.read_text(encoding="utf-8") for path in table.texts().values()}
    return read_profile(name, table.said(), files)


def seal_of(table: DeidentifySettings) -> Seal | None:
    """Return what encrypts original values, None if nobody may have them.

    Raises OSError for a file, ValueError for a certificate that is not good enough.
    """
    if table.reidentify is None:
        return None
    from waystation.codecs.envelope import sealing

    return sealing([path.read_bytes() for path in table.reidentify.recipients])


def deidentifier_of(
    settings: Settings, name: str, environ: Mapping[str, str] | None = None
) -> Deidentifier:
    """Return the de-identifier of ``[deidentify.NAME]``.  Raises `ConfigError`."""
    table = settings.deidentify.get(name)
    if table is None:
        problem = f"there is no [deidentify.{name}] in the configuration"
        raise ConfigError(f"deidentify.{name}", problem)
    return deidentifier_from(name, table, os.environ if environ is None else environ)


def deidentifier_from(
    name: str, table: DeidentifySettings, environ: Mapping[str, str]
) -> Deidentifier:
    """Return the de-identifier of one table.  Raises `ConfigError`."""
    where = f"deidentify.{name}"
    try:
        secret = project_secret(table.project.key, environ)
        return Deidentifier(
            profile_of(name, table),
            derive(secret, table.project.id),
            version=__version__,
            seal=seal_of(table),
        )
    except KeyError as error:
        raise ConfigError(f"{where}.project.key", "there is no such variable") from error
    except ProfileError as error:
        raise ConfigError(".".join((where, *map(str, error.path))), str(error)) from error
    except OSError as error:
        raise ConfigError(where, f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(where, str(error)) from error


def crosswalk_of(table: DeidentifySettings) -> CrosswalkFile | None:
    """Return the table of pseudonyms of a profile, None if it has none."""
    if table.pseudonym.file is None:
        return None
    rules = IdentityRules(case=table.identity.case, zeros=table.identity.zeros)
    return CrosswalkFile(table.pseudonym.file, rules)


Allocating = Callable[[Deidentifier], Callable[[Patient], Pseudonym]]


def deidentifiers(settings: Settings, allocating: Allocating | None = None) -> dict[str, DeidStep]:
    """Return all profiles, ready to be steps of rules; allocating: gives numbers to patients."""
    found: dict[str, DeidStep] = {}
    for name in settings.deidentify:
        try:
            who, table = deidentifier_of(settings, name), settings.deidentify[name]
            gives = allocating if table.pseudonym.source == "allocated" else None
            found[name] = DeidStep(who, crosswalk_of(table) if gives is None else gives(who))
        except ConfigError as error:
            log.error("profile_unusable", profile=name, why=str(error))
    return found
