"""Looks at what the project got: no identity, dates that kept their intervals, blanked pixels.

    proof.py FOLDER SENT WORD ...

FOLDER holds the objects, SENT the ledgers of the scanner, WORDs are what nobody may find.  Ends
with 0 only if all is as the page says.
"""

import json
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset

BLANK_ROWS = 48
DAYS_BETWEEN = 42
MARKS = {
    "PatientIdentityRemoved": "YES",
    "LongitudinalTemporalInformationModified": "MODIFIED",
    "BurnedInAnnotation": "NO",
}


def originals(sent: Path) -> set[str]:
    """Return the SOP Instance UIDs that the scanner sent."""
    lines = [line for file in sent.iterdir() for line in file.read_text().splitlines()]
    return {json.loads(line)["sop_instance"] for line in lines}


def found_in(file: Path, words: set[str]) -> list[str]:
    """Return the words that stand in the bytes of a file, in one-byte or two-byte letters."""
    content = file.read_bytes().lower()
    return [
        word
        for word in words
        if word.lower().encode() in content or word.lower().encode("utf-16-le") in content
    ]


def faults_of(one: FileDataset) -> list[str]:
    """Return what is wrong with one object."""
    faults = [f"{mark} is not {said}" for mark, said in MARKS.items() if one.get(mark) != said]
    pixels = one.pixel_array
    if pixels[:BLANK_ROWS].any():
        faults.append("something is seen where the name was")
    if not pixels[BLANK_ROWS:].any():
        faults.append("nothing is seen below it")
    return faults


def day(text: str) -> date:
    """Return a date as DICOM writes it."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def main(folder: Path, sent: Path, words: set[str]) -> int:
    """Print what there is, and what is wrong with it; return the exit code."""
    words |= originals(sent)
    faults: list[str] = []
    studies: defaultdict[str, set[date]] = defaultdict(set)
    for file in sorted(folder.iterdir()):
        one = pydicom.dcmread(file)
        studies[one.PatientID].add(day(one.StudyDate))
        faults += [f"{file.name}: {fault}" for fault in faults_of(one)]
        faults += [f"{file.name}: {word} stands in it" for word in found_in(file, words)]
    for patient, days in sorted(studies.items()):
        print(f"   {patient}: examined on {', '.join(map(str, sorted(days)))}")
    intervals = [max(days) - min(days) for days in studies.values() if len(days) > 1]
    if len(studies) != 2 or [one.days for one in intervals] != [DAYS_BETWEEN]:
        faults.append(f"expected two patients, one of them twice with {DAYS_BETWEEN} days between")
    print("   " + ("\n   ".join(faults) if faults else f"no trace of {len(words)} words and UIDs"))
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2]), set(sys.argv[3:])))
