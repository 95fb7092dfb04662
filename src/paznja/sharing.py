"""A folder that several processes use at once, and that no process clears while another uses it.

Each process that uses the folder holds a lock on a marker file of its own; the operating system frees the lock when the process
dies. Whoever begins to use the folder, or clears it, holds the gate meanwhile; only one process at a time can.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from paznja.errors import CacheInUse

GATE = ".paznja-gate.lock"

_MARKER = re.compile(r"\.paznja-([0-9a-f]{16})-[0-9a-f]{8}\.lock")
_SOFT = re.compile(rb"\d+\n")
"""How a lock file begins if the system cannot lock files (some network drives): with the number of its process."""

_THIS_PROCESS = secrets.token_hex(8)
_TRIES = 20
_PATIENCE = 60.0
"""Seconds after which whoever holds the gate should have left it, unless its process was suspended."""


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """Until this ends, no other process clears the folder."""
    marker = folder / f".paznja-{_THIS_PROCESS}-{secrets.token_hex(4)}.lock"
    lock = filelock.FileLock(marker)
    with gate(folder):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):  # another process that looks up who uses the folder may have removed the marker, or have it open
            marker.unlink()


@contextmanager
def gate(folder: Path) -> Iterator[None]:
    """Until this ends, no other process begins to use the folder or clears it. The folder is made if it was removed meanwhile.

    CacheInUse if another process keeps the gate closed.
    """
    lock = filelock.FileLock(folder / GATE)
    for tries_left in reversed(range(_TRIES)):
        try:
            lock.acquire(timeout=_PATIENCE, poll_interval=0.01)
            break
        except FileNotFoundError:  # another process is removing the folder at this moment
            if not tries_left:
                raise
        except filelock.Timeout:
            raise CacheInUse(f"Another paznja has held {folder} for a minute: wait until it is done or stop it, then try again.") from None
    try:
        yield
    finally:
        lock.release()


def is_used_by_others(folder: Path) -> bool:
    """Whether another process uses the folder now; removes the markers of dead processes. Call it while holding the gate."""
    living = False
    for name in os.listdir(folder):
        named = _MARKER.fullmatch(name)
        if named and named[1] != _THIS_PROCESS and is_sharing_file(folder / name):
            living = not _remove_if_free(folder / name) or living
    return living


def remove_gate(folder: Path) -> None:
    """Remove the gate; for whoever holds it and removes the folder next."""
    if os.name == "posix" and is_sharing_file(folder / GATE):  # other systems cannot remove an open file; leaving the gate removes it
        (folder / GATE).unlink()


def is_sharing_file(path: Path) -> bool:
    """Whether this module made the file: judged by its name and by what is in it: nothing, or a process's number."""
    if path.name != GATE and not _MARKER.fullmatch(path.name):
        return False
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > 1024:
            return False
        return about.st_size == 0 or _SOFT.match(path.read_bytes()) is not None
    except FileNotFoundError:  # its process is removing it at this moment
        return False


def _remove_if_free(marker: Path) -> bool:
    lock = filelock.FileLock(marker)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return False
    lock.release()
    marker.unlink(missing_ok=True)
    return True
