"""What the objects in a folder say: one line for each element, and whether it is as expected.

    elements.py FOLDER KEYWORD=VALUE ...     VALUE may be a pattern; without "=" it is only printed

Contract: prints each value with the number of objects that have it; ends with 0 only if there is an
object, and all of them have the expected values.
"""

import sys
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pydicom


def main(folder: Path, wanted: list[str]) -> int:
    """Print the elements; return the exit code."""
    found = [pydicom.dcmread(file, stop_before_pixels=True) for file in sorted(folder.iterdir())]
    good = bool(found)
    for one in wanted:
        keyword, expects, pattern = one.partition("=")
        values = Counter(str(data_set.get(keyword, "")) for data_set in found)
        fits = not expects or all(fnmatchcase(value, pattern) for value in values)
        said = ", ".join(f"{value or '(none)'} ({n} x)" for value, n in sorted(values.items()))
        print(f"   {keyword:<24} {said}{'' if fits else f'   but {pattern} was expected'}")
        good = good and fits
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
