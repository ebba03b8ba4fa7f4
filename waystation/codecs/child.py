"""The codec child: ``python -m waystation.codecs.child PARENT ADDRESS_BYTES CPU_S``.

Contract: says ``{"ready": true}`` once it can work; then reads jobs from standard input, one JSON
object per line (files, the syntax that the object has, and either ``wants``, the syntax it is to
have, ``redact``, a `RedactJob`, ``preview``, ``render``, ``legible`` or ``pixels``), and answers
each on what was standard output:
``{"frame": n}`` now and then, at last either
``{"size": n, "sha256": hex, "syntax": uid, "changes": [...]}``,
``{"failed": why}``, or ``{"room": why}`` if our own disk was short.  Whatever the codecs print goes
nowhere.  It ends with its input, and by itself when memory ran out.
"""

import hashlib
import json
import os
import sys
import time
import warnings
from typing import Any, BinaryIO, TextIO

from waystation.codecs.confine import allow_cpu, confine
from waystation.dicom.errors import DatasetError
from waystation.transforms.errors import UnfitError
from waystation.transforms.redact import redact
from waystation.transforms.redact_job import Glimpse, RedactJob
from waystation.transforms.redact_preview import preview
from waystation.transforms.render_job import RenderJob
from waystation.transforms.transcode import Tick, transcode

NEWS_S = 0.5
PIECE = 1 << 20
Files = tuple[BinaryIO, BinaryIO, BinaryIO]  # source, scratch, out


def main() -> None:
    """Serve jobs until the parent has no more."""
    parent, address_bytes, cpu_s = map(int, sys.argv[1:4])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    confine(parent, address_bytes)
    warnings.simplefilter("ignore")
    _say(answers, {"ready": True})
    for line in sys.stdin:
        try:
            answer = _work(json.loads(line), answers, cpu_s)
        except MemoryError:
            _say(answers, {"failed": "it needs more memory than a codec may have", "ends": True})
            return
        _say(answers, answer)


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _work(job: dict[str, str], answers: TextIO, cpu_s: int) -> dict[str, Any]:
    allow_cpu(cpu_s)
    told = time.monotonic()

    def tick(number: int) -> None:
        nonlocal told
        allow_cpu(cpu_s)
        if time.monotonic() - told > NEWS_S:
            told = time.monotonic()
            _say(answers, {"frame": number})

    with (
        open(job["in"], "rb") as source,
        open(job["scratch"], "w+b") as scratch,
        open(job["out"], "w+b") as out,
    ):
        try:
            syntax, changes = _made(job, (source, scratch, out), tick)
            size = out.seek(0, os.SEEK_END)
            out.seek(0)
            digest = hashlib.file_digest(out, "sha256").hexdigest()
        except (UnfitError, DatasetError) as error:
            return {"failed": str(error)}
        except OSError as error:
            return {"room": error.strerror or str(error)}
        except Exception as error:
            # Codecs raise what they like on hostile streams; the class name tells no patient.
            if isinstance(error, MemoryError):
                raise
            return {"failed": f"the codec failed: {type(error).__name__}"}
    return {"size": size, "sha256": digest, "syntax": syntax, "changes": changes}


def _made(job: dict[str, str], files: Files, tick: Tick) -> tuple[str, list[str]]:
    """Do the job; return the syntax of what was made ("" for a picture), and what changed."""
    source, scratch, out = files
    if "redact" in job:
        what = (job["has"], RedactJob.of_text(job["redact"]))
        return redact(source, scratch, out, what, tick)
    if "preview" in job:
        preview(source, scratch, out, (job["has"], Glimpse.of_text(job["preview"])))
        return "", []
    if "render" in job:
        from waystation.transforms.render import render

        how = job["has"], RenderJob.of_text(job["render"])
        return "", list(map(str, render(source, scratch, out, how, tick)))
    if "pixels" in job:
        from waystation.transforms.picture_pixels import picture_pixels

        return "", list(map(str, picture_pixels(source, out, job["pixels"], tick)))
    if "legible" in job:
        from waystation.transforms.legible import legible

        return "", list(map(str, legible(source, scratch, out, job["has"], tick)))
    return job["wants"], transcode(source, scratch, out, (job["has"], job["wants"]), tick)


if __name__ == "__main__":
    main()
