"""What a modality sees: ``find --json`` from stdin, one line for each entry.

``--value TAG`` prints that attribute of the first entry instead.  Exit 1 if there is none.
"""

import json
import sys
from typing import Any

STEP = "00400100"
# Patient name and ID, accession number; of the step: AE title, date, time.
SHOWN = ("00100010", "00100020", "00080050")
OF_STEP = ("00400001", "00400002", "00400003")


def text(entry: dict[str, Any], tag: str) -> str:
    """Return the first value of an attribute in DICOM JSON."""
    values = entry.get(tag, {}).get("Value") or [""]
    value = values[0]
    return str(value.get("Alphabetic", "") if isinstance(value, dict) else value)


def main() -> int:
    entries = [json.loads(line) for line in sys.stdin if line.strip()]
    if sys.argv[1:2] == ["--value"]:
        print(text(entries[0], sys.argv[2]) if entries else "")
        return 0 if entries else 1
    for entry in entries:
        step = (entry.get(STEP, {}).get("Value") or [{}])[0]
        words = [text(entry, tag) for tag in SHOWN] + [text(step, tag) for tag in OF_STEP]
        print("   entry:", ", ".join(words))
    print(f"   entries: {len(entries)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
