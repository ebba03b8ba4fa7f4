"""Profiles that contradict themselves, lack a file or a key, or share a key (D-11, D-38).

Contract: a profile that passes can be used: everything it names was read.  Problems name the key
inside the profile; none shows a secret.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from waystation.app.faults import Problem
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.places import secret_problems
from waystation.app.settings_deidentify import DeidentifySettings
from waystation.app.wiring_deidentify import profile_of, project_secret, seal_of
from waystation.codecs.envelope import EXTRA
from waystation.codecs.text import HOW_TO_INSTALL, PROGRAM, program
from waystation.transforms.deid.keys import fingerprint
from waystation.transforms.deid.profile_read import ProfileError
from waystation.transforms.deid.pseudonyms import IdentityRules, read_table


def deidentifying(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong or doubtful with profiles."""
    owners: dict[str, tuple[str, str]] = {}
    for name, table in parts.named.get("deidentify", {}).items():
        if not isinstance(table, DeidentifySettings):
            continue
        at: Path = ("deidentify", name)
        yield from _key(table, (*at, "project", "key"), environ, owners)
        missing = list(_files(table, at))
        yield from missing
        if not missing:
            yield from _profile(name, table, at)
        yield from _table(table, (*at, "pseudonym"))
        yield from _recipients(table, (*at, "reidentify", "recipients"))
        if table.ocr and program(environ) is None:
            problem = f"needs the program {PROGRAM} ({HOW_TO_INSTALL}); install it or say false"
            yield Problem(path=(*at, "ocr"), text=problem)


def _key(
    table: DeidentifySettings,
    at: Path,
    environ: Mapping[str, str],
    owners: dict[str, tuple[str, str]],
) -> Iterator[Problem]:
    source = table.project.key
    found = list(secret_problems(source, at, environ))
    yield from found
    if any(not problem.warning for problem in found):
        return
    try:
        mark = fingerprint(project_secret(source, environ))
    except (OSError, LookupError, ValueError) as error:
        text = str(error) if isinstance(error, ValueError) else "cannot be read"
        yield Problem(path=at, text=text)
        return
    project, profile = owners.setdefault(mark, (table.project.id, str(at[1])))
    if project != table.project.id:
        text = f"the same key as that of [deidentify.{profile}]: two projects could be linked"
        yield Problem(path=at, text=text)


def _files(table: DeidentifySettings, at: Path) -> Iterator[Problem]:
    for keys, path in table.texts().items():
        try:
            path.read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            yield Problem(path=(*at, *keys), text="there is no such file, or it is not UTF-8")


def _profile(name: str, table: DeidentifySettings, at: Path) -> Iterator[Problem]:
    try:
        profile_of(name, table)
    except ProfileError as error:
        yield Problem(path=(*at, *error.path), text=str(error))


def _table(table: DeidentifySettings, at: Path) -> Iterator[Problem]:
    said = table.pseudonym
    if (said.file is None) is (said.source == "csv"):
        text = (
            'source = "csv" needs file = "PATH"'
            if said.file is None
            else 'file has no effect without source = "csv"'
        )
        yield Problem(path=at, text=text)
    elif said.source == "allocated" and find_spec("cryptography") is None:
        text = f"numbers are kept encrypted, which needs {EXTRA}"
        yield Problem(path=(*at, "source"), text=text)
    elif said.file is not None:
        try:
            rules = IdentityRules(case=table.identity.case, zeros=table.identity.zeros)
            read_table(said.file.read_text(encoding="utf-8"), rules)
        except (OSError, UnicodeError):
            text = "there is no such file yet; objects are held until there is"
            yield Problem(path=(*at, "file"), text=text, warning=True)
        except ValueError as error:
            yield Problem(path=(*at, "file"), text=str(error))


def _recipients(table: DeidentifySettings, at: Path) -> Iterator[Problem]:
    try:
        seal_of(table)
    except OSError:
        yield Problem(path=at, text="there is no such file")
    except ValueError as error:
        yield Problem(path=at, text=str(error))
