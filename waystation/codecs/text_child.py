"""Becomes a program that reads text: ``python -m ... PARENT ADDRESS_BYTES CPU_S PROGRAM ...``.

Contract: confines itself (`codecs.confine`: it dies with its parent, has no sockets, writes no
file, has so much address space and so many seconds of CPU), then becomes the program whose path
and arguments follow.  What reaches it is a picture of our making on standard input.
"""

import os
import sys

from waystation.codecs.confine import allow_cpu, confine


def main() -> None:
    """Become the program."""
    parent, address_bytes, cpu_s = map(int, sys.argv[1:4])
    confine(parent, address_bytes, becomes_another=True)
    allow_cpu(cpu_s)
    os.execv(sys.argv[4], sys.argv[4:])


if __name__ == "__main__":
    main()
