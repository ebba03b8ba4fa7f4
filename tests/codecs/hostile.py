"""A codec child whose codecs do what a broken one does: the code stream says what.

Run by the pool in place of `waystation.codecs.child`; everything but the decoders is the real one.
"""

import ctypes
import os
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np

from waystation.codecs import child
from waystation.transforms.decode import DECODERS
from waystation.transforms.image import Image


def hang() -> None:
    time.sleep(600)


def spin() -> None:
    while True:
        continue


def crash() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def eat() -> None:
    kept = []
    while True:
        # Reserved, not written to: on a busy machine that would take longer than a frame may.
        kept.append(np.empty(64 << 20, "u1"))


def call_out() -> None:
    try:
        socket.socket()
    except OSError as error:
        raise ValueError("no socket") from error


def run_a_program() -> None:
    try:
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise TypeError("no program") from error


def chatter() -> None:
    os.write(1, b'{"size": 1, "sha256": "", "changes": []}\n')
    print("lies", flush=True)


DEEDS = {
    deed.__name__.encode(): deed
    for deed in (hang, spin, crash, abort, eat, call_out, run_a_program, chatter)
}


def misbehaving(code: bytes, image: Image) -> Any:
    DEEDS[code.rstrip(b"\0")]()
    return real(code, image)


def real(code: bytes, image: Image) -> Any:
    return np.zeros((image.rows, image.columns), "u2"), 16, image.photometric


DECODERS["1.2.840.10008.1.2.4.50"] = misbehaving

if __name__ == "__main__":
    child.main()
