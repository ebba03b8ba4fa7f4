"""Send an HL7 message from a file over MLLP and print the answer.

``mllp.py PORT FILE [OLD=NEW...]``: OLD=NEW replaces text; segments may end with newlines.
Exit 0 for AA, 1 for anything else.
"""

import socket
import sys
from pathlib import Path

BEGIN, END = b"\x0b", b"\x1c\r"


def main() -> int:
    port, file, *changes = sys.argv[1:]
    text = Path(file).read_text("utf-8").strip().replace("\n", "\r") + "\r"
    for change in changes:
        old, _, new = change.partition("=")
        text = text.replace(old, new)
    answer = b""
    with socket.create_connection(("127.0.0.1", int(port)), 10) as wire:
        wire.sendall(BEGIN + text.encode() + END)
        while END not in answer and (data := wire.recv(65536)):
            answer += data
    segments = answer.strip(BEGIN + END).decode("ascii").split("\r")
    said = next(line for line in segments if line.startswith("MSA"))
    print(f"   {said}")
    return 0 if said.split("|")[1] == "AA" else 1


if __name__ == "__main__":
    sys.exit(main())
