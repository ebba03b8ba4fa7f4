"""A program as a strict container runs it: no network, nothing to write but one folder, no rights.

Contract: `shut_in` returns the words that start a command in namespaces of its own: only loopback
is up, every file system is read-only but one folder, the user is `UID` without any capability and
can gain none, and the environment holds PATH alone.  `beside` returns those that run a command
on the same loopback.  Run as a script, this file is the step inside the first namespaces.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

UID = 10001
UNSHARE, NSENTER = "/usr/bin/unshare", "/usr/bin/nsenter"
PSEUDO = {"proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "mqueue"}
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
PR_SET_NO_NEW_PRIVS = 38


def outer() -> list[str]:
    """Return the words that make the namespaces; those of a user need one for users around them."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [UNSHARE, *user, "--net", "--mount"]


def is_possible() -> bool:
    """Return whether this machine lets us make such namespaces."""
    if not os.access(UNSHARE, os.X_OK) or not os.access(NSENTER, os.X_OK):
        return False
    words = [*outer(), UNSHARE, "--user", f"--map-user={UID}", "/bin/true"]
    return subprocess.run(words, capture_output=True, timeout=20, check=False).returncode == 0


def shut_in(writable: Path, *words: str) -> list[str]:
    return [*outer(), sys.executable, "-I", __file__, str(writable), *words]


def beside(pid: int, *words: str) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return [NSENTER, f"--target={pid}", *user, "--net", "--mount", *words]


def main(writable: str, *words: str) -> None:
    _raise_loopback()
    subprocess.run(["mount", "--bind", writable, writable], check=True)
    for place, options in _mounts():
        if place != os.path.realpath(writable):
            subprocess.run(["mount", "-o", f"remount,bind,{options}", place], check=True)
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    user = [UNSHARE, "--user", f"--map-user={UID}", f"--map-group={UID}"]
    os.execve(UNSHARE, [*user, *words], {"PATH": os.defpath})


def _raise_loopback() -> None:
    with socket.socket() as any_socket:
        asked = struct.pack("16sh22x", b"lo", 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def _mounts() -> list[tuple[str, str]]:
    """Return each real mount with its options, made read-only."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        place, options = before.split()[4:6]
        if after.split()[0] not in PSEUDO:
            ours = [one for one in options.split(",") if one not in ("rw", "ro")]
            found.append((place, ",".join([*ours, "ro"])))
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
