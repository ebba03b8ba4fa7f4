"""One tool over a folder of files, in the tool's own environment: ``TOOL SETTINGS IN OUT``.

Contract: every file of IN becomes a file of the same name in OUT, or stands with its reason in
``failed`` of the one line of JSON that is printed; ``cpu_s`` is the processor time of all files,
start-up and imports not counted, the processes that the tool starts counted.  Nothing but the
standard library is imported before the tool is known: this file runs where Waystation is not.
"""

import contextlib
import io
import json
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

# Turns one file into another.
Treat = Callable[[Path, Path], None]
WARM, CLASSES = "warm.dcm", "classes.txt"
End = Callable[[], None]


def waystation(settings: Path, out: Path) -> tuple[Treat, End]:
    """As ``waystation anonymize`` does it, with verification, in one process."""
    anonymizing = import_module("waystation.app.anonymizing")
    profile_table = import_module("waystation.app.profile_file").profile_table
    name, table = profile_table(str(settings / "research.toml"), None, os.environ)
    place = out.parent / f"{out.name}-placed"
    order = anonymizing.Order(profile=name, table=table, output=place)
    worker = anonymizing.Anonymizer(order)

    def treat(source: Path, target: Path) -> None:
        done = worker.work(source, named=True)
        if done.state != "written":
            raise ValueError(f"{done.state}: {done.why}")
        (place / done.place).rename(target)

    return treat, worker.close


def dicom_anonymizer(_settings: Path, _out: Path) -> tuple[Treat, End]:
    """By the Basic Profile, which is what it does unless told otherwise."""
    anonymize = import_module("dicomanonymizer").anonymize_dicom_file
    return lambda source, target: anonymize(str(source), str(target)), _nothing


def dicognito(_settings: Path, _out: Path) -> tuple[Treat, End]:
    """One anonymizer for all files, so that they stay linked."""
    pydicom = import_module("pydicom")
    anonymizer = import_module("dicognito.anonymizer").Anonymizer(seed="bench")

    def treat(source: Path, target: Path) -> None:
        with pydicom.dcmread(source) as data_set:
            anonymizer.anonymize(data_set)
            data_set.save_as(target)

    return treat, _nothing


def deid(settings: Path, out: Path) -> tuple[Treat, End]:
    """Its default recipe, private elements removed, and our device rules as a recipe of its own."""
    dicom = import_module("deid.dicom")
    import_module("deid.logger").bot.level = -3
    pydicom = import_module("pydicom")
    cleaned = out.parent / f"{out.name}-cleaned"
    cleaned.mkdir(exist_ok=True)
    cleaner = dicom.DicomCleaner(output_folder=str(cleaned), deid=str(settings / "deid.devices"))
    known: dict[str, str] = {}

    def treat(source: Path, target: Path) -> None:
        said = pydicom.dcmread(source, stop_before_pixels=True)
        code = known.setdefault(str(said.get("PatientID", "")), f"SUBJECT-{len(known)}")
        here = source
        if cleaner.detect(str(source))["flagged"]:
            cleaner.clean()
            here = Path(cleaner.save_dicom())
        day = {"entity_timestamp": "19000101", "item_timestamp": "20000101"}
        ids = {str(here): {"entity_id": code, "item_id": code, **day}}
        made = dicom.replace_identifiers(str(here), ids=ids, remove_private=True)
        made[0].save_as(target)

    return treat, _nothing


def rsna_anonymizer(settings: Path, out: Path) -> tuple[Treat, End]:
    """Its controller without its windows: the default script, every class of object allowed."""
    controllers = import_module("anonymizer.controller.anonymizer")
    projects = import_module("anonymizer.model.project")
    assets = Path(import_module("anonymizer").__file__ or "").parent / "assets"
    folder = out.parent / f"{out.name}-project"
    project = projects.ProjectModel(
        storage_dir=folder,
        anonymizer_script_path=assets / "scripts" / "default-anonymizer.script",
    )
    for sop_class in (settings / CLASSES).read_text().split():
        project.add_storage_class(sop_class)
    project.private_dir().mkdir(parents=True)
    controller = controllers.AnonymizerController(project)

    def treat(source: Path, target: Path) -> None:
        # What it cannot treat it moves away, so it gets a copy.
        copy = folder / source.name
        shutil.copy(source, copy)
        why, data_set = controller.anonymize_file(copy)
        copy.unlink(missing_ok=True)
        if why is not None:
            raise ValueError(why)
        controller.local_storage_path(project.images_dir(), data_set).rename(target)

    return treat, controller.stop


TOOLS: dict[str, Callable[[Path, Path], tuple[Treat, End]]] = {
    "waystation": waystation,
    "dicom-anonymizer": dicom_anonymizer,
    "dicognito": dicognito,
    "deid": deid,
    "rsna-anonymizer": rsna_anonymizer,
}


def _nothing() -> None:
    """End nothing."""


def cpu_s() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def run(name: str, settings: Path, source: Path, out: Path) -> dict[str, Any]:
    """Treat all files; before that one of nobody's, which pays for what is loaded late."""
    files = sorted(source.iterdir())
    failed: dict[str, str] = {}
    treat, end = TOOLS[name](settings, out)
    with contextlib.suppress(Exception):
        treat(settings / WARM, out / WARM)
    (out / WARM).unlink(missing_ok=True)
    began = cpu_s()
    for file in files:
        try:
            treat(file, out / file.name)
        except Exception as error:  # noqa: BLE001 - every tool has its own, and the others go on
            failed[file.name] = f"{type(error).__name__}: {error}"[:200]
            (out / file.name).unlink(missing_ok=True)
    end()
    return {"files": len(files), "cpu_s": cpu_s() - began, "failed": failed}


def main() -> None:
    """Run one tool; whatever it prints goes nowhere."""
    name, *places = sys.argv[1:5]
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        done = run(name, *map(Path, places))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
