"""A viewer that only counts: searches and retrieves over DICOMweb with nothing but Python.

    viewer.py search ROOT                             print the studies, and who holds each
    viewer.py retrieve ROOT STUDY LEDGER              fetch a study, write what came
    viewer.py again ROOT STUDY LEDGER                 fetch it again, compare with the ledger
    viewer.py status ROOT STUDY                       print the status of an answer, and why
    viewer.py fetches NODE                            print what came from which PACS

Contract: every part is split off by its own length and counted with the SHA-256 of its data set.
Ends with 0 only if everything was there and, for ``again``, the same.
"""

import hashlib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

META = 132 + 12  # preamble, prefix, and the element that says how long the rest of the meta is
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def asked(url: str, accept: str) -> Any:
    """Return the open answer to a GET."""
    return urllib.request.urlopen(
        urllib.request.Request(url, headers={"Accept": accept}), timeout=60
    )


def parts(body: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    """Yield SOP Instance UID and bytes of each part."""
    at = 0
    while body[at:].startswith(f"--{boundary}\r\n".encode()):
        head, _, _ = body[at:].partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        start = at + len(head) + 4
        end = start + int(fields["Content-Length"])
        yield fields["Content-Location"].rpartition("/")[2], body[start:end]
        at = end + 2
    if body[at:] != f"--{boundary}--\r\n".encode():
        raise ValueError("the answer has no end")


def digest(content: bytes) -> str:
    """Return the SHA-256 of what stands behind the file meta information (PS3.10 7.1)."""
    start = META + int.from_bytes(content[META - 4 : META], "little")
    return hashlib.sha256(content[start:]).hexdigest()


def search(root: str) -> int:
    """Print one line for each study."""
    with asked(f"{root}/studies?limit=100", "application/json") as answer:
        for study in json.load(answer):
            name = study["00100010"]["Value"][0]["Alphabetic"]
            holders = ", ".join(study["00080054"]["Value"])
            print(f"   {name:<16} at {holders}")
        for text in answer.headers.get_all("Warning") or []:
            print(f"   {text.partition(': ')[2]}")
    return 0


def retrieve(root: str, study: str) -> dict[str, str]:
    """Return SOP Instance UID → digest of a study; print how it came."""
    began = time.monotonic()
    with asked(f"{root}/studies/{study}", DICOM) as answer:
        first = answer.read(1)
        first_ms = (time.monotonic() - began) * 1000
        body = first + answer.read()
        boundary = answer.headers["Content-Type"].rpartition("boundary=")[2]
        source = "the cache" if answer.headers["ETag"] else "the PACS, while it sends"
    all_ms = (time.monotonic() - began) * 1000
    found = {uid: digest(content) for uid, content in parts(body, boundary)}
    print(
        f"   {len(found)} images from {source}: first byte {first_ms:.0f} ms, all {all_ms:.0f} ms"
    )
    return found


def status(root: str, study: str) -> int:
    """Print how a request for a study ends that does not end well."""
    try:
        with asked(f"{root}/studies/{study}", DICOM) as answer:
            print(f"   {answer.status}")
    except urllib.error.HTTPError as error:
        said = json.load(error)
        print(f"   {error.code} {said['title']}: {said['detail']}")
    return 0


def fetches(node: str) -> int:
    """Print the retrievals that moved something."""
    with asked(f"{node}/api/v1/fetches", "application/json") as answer:
        for one in reversed(json.load(answer)["fetches"]):
            if one["way"]:
                came = f"{one['received']} of {one['expected']} images by C-{one['way'].upper()}"
                print(f"   {one['source']:<8} {one['state']}, {came}, checked by {one['verified']}")
    return 0


def main(verb: str, root: str, *words: str) -> int:
    """Do what is asked for."""
    if verb == "search":
        return search(root)
    if verb == "status":
        return status(root, *words)
    if verb == "fetches":
        return fetches(root)
    study, ledger = words[0], Path(words[1])
    found = retrieve(root, study)
    if verb == "retrieve":
        rows = [json.dumps({"sop_instance": uid, "sha256": sha}) for uid, sha in found.items()]
        with ledger.open("a") as file:
            file.writelines(f"{row}\n" for row in rows)
        return 0
    before = [json.loads(line) for line in ledger.read_text().splitlines()]
    known = {row["sop_instance"]: row["sha256"] for row in before}
    return 0 if found and all(known.get(uid) == sha for uid, sha in found.items()) else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
