"""What an Orthanc holds, as files and as a ledger.

    orthanc.py URL FOLDER LEDGER

Contract: writes each stored instance, as it was received, to ``FOLDER/N.dcm``, and to LEDGER its
SOP Instance UID with the SHA-256 of its data set, as ``waystation simulate-peer`` would.
"""

import hashlib
import io
import json
import sys
import urllib.request
from pathlib import Path

import pydicom

META = 132 + 12  # preamble, prefix, and the element that says how long the rest of the meta is


def asked(url: str) -> bytes:
    """Return the answer to a GET."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def data_set(content: bytes) -> bytes:
    """Return what stands behind the file meta information (PS3.10 7.1)."""
    return content[META + int.from_bytes(content[META - 4 : META], "little") :]


def main(url: str, folder: Path, ledger: Path) -> None:
    """Fetch everything."""
    folder.mkdir(exist_ok=True)
    lines = []
    for number, name in enumerate(json.loads(asked(f"{url}/instances")), 1):
        content = asked(f"{url}/instances/{name}/file")
        (folder / f"{number}.dcm").write_bytes(content)
        found = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        digest = hashlib.sha256(data_set(content)).hexdigest()
        lines.append(json.dumps({"sop_instance": found.SOPInstanceUID, "sha256": digest}) + "\n")
    ledger.write_text("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
