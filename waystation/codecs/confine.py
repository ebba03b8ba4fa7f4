"""What a codec child may do: little, and not for long (S-41).

Contract: `confine` is called once, first thing in a child; from then on it dies with its parent,
cannot gain privileges, open a socket, start a program, dump core, use more address space or
write larger files than its limits.  `allow_cpu` gives it seconds for the next frame.  What the
kernel does not offer (another architecture for the system call filter) is left out.
"""

import ctypes
import os
import platform
import resource
import signal
import struct

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
LARGEST_FILE = 5 << 30
OPEN_FILES = 64

# Architecture as the kernel numbers it, and its numbers of socket, execve, execveat, ptrace.
CALLS = {
    "x86_64": (0xC000003E, (41, 59, 322, 101)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117)),
}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, DENY = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW, and EPERM by SECCOMP_RET_ERRNO


def confine(parent: int, address_bytes: int, *, becomes_another: bool = False) -> None:
    """Give up what a codec does not need; parent: the process id it must not outlive.

    becomes_another: it may become another program, which keeps these limits; then it writes no
    file at all.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # The parent ended before we could ask to end with it.
        raise SystemExit(0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _filter(libc, starts=becomes_another)
    _limit(resource.RLIMIT_AS, address_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0 if becomes_another else LARGEST_FILE)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)


def _limit(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(which, (most, most))


def allow_cpu(seconds: int) -> None:
    """Let the process use so many seconds of CPU from now on; then the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    most = int(used.ru_utime + used.ru_stime) + 1 + seconds
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def program(architecture: int, calls: tuple[int, ...]) -> bytes:
    """Return the filter: these system calls fail, all others of this architecture go through."""
    left = len(calls)
    steps = [
        (LOAD, 0, 0, 4),
        (EQUAL, 0, left + 2, architecture),
        (LOAD, 0, 0, 0),
        *((EQUAL, left - place, 0, call) for place, call in enumerate(calls)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, DENY),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _filter(libc: ctypes.CDLL, *, starts: bool) -> None:
    known = CALLS.get(platform.machine())
    if known is None:
        return
    architecture, (socket, execve, execveat, ptrace) = known
    calls = (socket, ptrace) if starts else (socket, execve, execveat, ptrace)
    code = program(architecture, calls)
    steps = ctypes.create_string_buffer(code)
    whole = struct.pack("@HP", len(code) // 8, ctypes.addressof(steps))
    filtered = ctypes.create_string_buffer(whole)
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0)
