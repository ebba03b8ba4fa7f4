"""A `Disk` as a mounted file system: the kernel's FUSE protocol, spoken by a few threads (S-29).

Contract: for the time of a ``with`` block everything that programs do below the folder goes to
the disk's log, with the instants when each call came in and when it was answered.  Linux and root
only; nothing but /dev/fuse is needed.  Numbers of files are never used again, so what the kernel
forgets is of no interest.  Not mounted for direct I/O: SQLite's shared memory needs page cache.
"""

import ctypes
import errno
import os
import stat
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.torture.disk import ROOT, Disk, Op

LIBC = ctypes.CDLL(None, use_errno=True)
DETACH = 2
NOSUID_NODEV = 2 | 4
VERSION = (7, 31)
WRITE_BYTES = 256 << 10
THREADS = 6
LONG_S = 3600

BIG_WRITES, MAX_PAGES = 1 << 5, 1 << 22
KEEP_CACHE = 1 << 1
SIZE = 1 << 3
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42

HEAD = struct.Struct("<IIQQIIII")
REPLY = struct.Struct("<IiQ")
ATTR = struct.Struct("<6Q10I")
ENTRY = struct.Struct("<4Q2I")
TRANSFER = struct.Struct("<QQIIQII")
INIT_IN = struct.Struct("<4I")
INIT_OUT = struct.Struct("<4I2H2I2HI28x")
DIRENT = struct.Struct("<QQII")

Answer = tuple[bytes, Op | None]


def unavailable(folder: Path) -> str:
    """Return why nothing can be mounted here, or ""."""
    if os.geteuid() != 0:
        return "mounting a file system of our own needs root"
    try:
        with Mount(folder, Disk()):
            (folder / "tried").touch()
    except OSError as error:
        return f"FUSE is denied: {error}"
    return ""


def _name(raw: bytes) -> str:
    return os.fsdecode(raw.rstrip(b"\0"))


class Mount:
    """The disk below ``folder``; sync_s: how long a sync takes, so that the order shows."""

    def __init__(self, folder: Path, disk: Disk, *, sync_s: float = 0.0) -> None:
        self._folder = folder
        self._disk = disk
        self._sync_s = sync_s
        self._device = -1
        self._threads: list[threading.Thread] = []
        self._calls: dict[int, Callable[[int, bytes], Answer]] = {
            1: self._lookup,
            3: lambda node, _: (self._attributes(node), None),
            4: self._set_attributes,
            9: lambda node, body: self._make(node, body[8:], is_folder=True),
            10: lambda node, body: (b"", self._disk.unlink(node, _name(body))),
            11: lambda node, body: (b"", self._disk.unlink(node, _name(body))),
            12: lambda node, body: self._rename(node, body, 8),
            14: self._open,
            15: self._read,
            16: self._write,
            17: self._space,
            18: lambda _node, _body: (b"", None),
            20: self._sync,
            26: self._begin,
            27: self._open,
            28: self._list,
            29: lambda _node, _body: (b"", None),
            30: self._sync,
            35: self._create,
            45: lambda node, body: self._rename(node, body, 16),
        }

    def __enter__(self) -> "Mount":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0"
        failed = LIBC.mount(
            b"torture", os.fsencode(self._folder), b"fuse", NOSUID_NODEV, options.encode()
        )
        if failed:
            os.close(self._device)
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(self._folder))
        for _ in range(THREADS):
            thread = threading.Thread(target=self._serve, name="fuse", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        LIBC.umount2(os.fsencode(self._folder), DETACH)
        for thread in self._threads:
            thread.join(10.0)
        os.close(self._device)

    def _serve(self) -> None:
        """Answer until the file system is gone."""
        while True:
            try:
                request = os.read(self._device, WRITE_BYTES + 4096)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return
            _, call, unique, node, *_ = HEAD.unpack_from(request)
            if call in (FORGET, INTERRUPT, BATCH_FORGET):
                continue
            number, answer, op = self._answer(call, node, request[HEAD.size :])
            if op is not None:
                if op.kind == "sync" or op.lasting:
                    time.sleep(self._sync_s)
                op.end = time.monotonic()
            try:
                reply = REPLY.pack(REPLY.size + len(answer), -number, unique) + answer
                os.write(self._device, reply)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EINTR):
                    return

    def _answer(self, call: int, node: int, body: bytes) -> tuple[int, bytes, Op | None]:
        handler = self._calls.get(call)
        if handler is None:
            return errno.ENOSYS, b"", None
        try:
            answer, op = handler(node, body)
        except OSError as error:
            return error.errno or errno.EIO, b"", None
        except (KeyError, struct.error):
            return errno.EIO, b"", None
        return 0, answer, op

    def _begin(self, _node: int, body: bytes) -> Answer:
        _, _, read_ahead, offered = INIT_IN.unpack_from(body)
        wanted = offered & (BIG_WRITES | MAX_PAGES)
        pages = WRITE_BYTES // 4096
        return INIT_OUT.pack(
            *VERSION, read_ahead, wanted, 16, 12, WRITE_BYTES, 1, pages, 0, 0
        ), None

    def _attr(self, node: int) -> bytes:
        disk = self._disk
        is_folder = node in disk.folders
        size = 0 if is_folder else len(disk.files[node])
        mode = stat.S_IFDIR | 0o700 if is_folder else stat.S_IFREG | 0o600
        seconds = disk.changed[node]
        whole, parts = int(seconds), int(seconds % 1 * 1e9)
        times = (whole, whole, whole, parts, parts, parts)
        links = 2 if is_folder else 1
        return ATTR.pack(*(node, size, -(-size // 512)), *times, mode, links, 0, 0, 0, 4096, 0)

    def _attributes(self, node: int) -> bytes:
        return struct.pack("<QII", LONG_S, 0, 0) + self._attr(node)

    def _entry(self, node: int) -> bytes:
        return ENTRY.pack(node, 0, LONG_S, LONG_S, 0, 0) + self._attr(node)

    def _lookup(self, node: int, body: bytes) -> Answer:
        return self._entry(self._disk.find(node, _name(body))), None

    def _set_attributes(self, node: int, body: bytes) -> Answer:
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        op = self._disk.cut(node, size) if valid & SIZE else None
        return self._attributes(node), op

    def _make(self, node: int, name: bytes, *, is_folder: bool = False) -> Answer:
        op = self._disk.make(node, _name(name), is_folder=is_folder)
        return self._entry(op.child), op

    def _create(self, node: int, body: bytes) -> Answer:
        entry, op = self._make(node, body[16:])
        return entry + struct.pack("<QII", 0, KEEP_CACHE, 0), op

    def _open(self, _node: int, _body: bytes) -> Answer:
        return struct.pack("<QII", 0, KEEP_CACHE, 0), None

    def _rename(self, node: int, body: bytes, skip: int) -> Answer:
        (to,) = struct.unpack_from("<Q", body)
        name, to_name, *_ = body[skip:].split(b"\0")
        return b"", self._disk.rename(node, os.fsdecode(name), to, os.fsdecode(to_name))

    def _read(self, node: int, body: bytes) -> Answer:
        _, at, size, *_ = TRANSFER.unpack_from(body)
        return bytes(self._disk.files[node][at : at + size]), None

    def _write(self, node: int, body: bytes) -> Answer:
        _, at, size, _, _, flags, _ = TRANSFER.unpack_from(body)
        data = body[TRANSFER.size : TRANSFER.size + size]
        op = self._disk.write(node, at, data, lasting=bool(flags & os.O_DSYNC))
        return struct.pack("<II", size, 0), op

    def _sync(self, node: int, _body: bytes) -> Answer:
        return b"", self._disk.sync(node)

    def _space(self, _node: int, _body: bytes) -> Answer:
        plenty = 1 << 28
        return struct.pack(
            "<5Q4I24x", plenty, plenty, plenty, plenty, plenty, 4096, 255, 4096, 0
        ), None

    def _list(self, node: int, body: bytes) -> Answer:
        _, at, room, *_ = TRANSFER.unpack_from(body)
        out = b""
        entries = sorted(self._disk.folders[node].items(), key=lambda entry: entry[1])
        for name, child in entries:
            # The offset of an entry is its number, so that removing others moves nothing.
            if child <= at:
                continue
            raw = os.fsencode(name)
            kind = stat.S_IFDIR >> 12 if child in self._disk.folders else stat.S_IFREG >> 12
            entry = DIRENT.pack(child, child, len(raw), kind) + raw
            entry += bytes(-len(entry) % 8)
            if len(out) + len(entry) > room:
                break
            out += entry
        return out, None


__all__ = ["ROOT", "Mount", "unavailable"]
