"""Whether another process is still running, by its number and by what it wrote: numbers are used again."""

from __future__ import annotations

from pathlib import Path

_CLOCKS_DIFFER = 10.0
"""Seconds by which a process's creation time, counted from the machine's start, may differ from the disk's clock."""


def is_running(process: int, wrote: Path) -> bool:
    """Whether the process with this number, which made or wrote this file or folder, is running; False if the file is gone.

    A process that began after the file's last change is another one, with the same number.
    """
    import psutil

    try:
        return psutil.Process(process).create_time() <= wrote.stat().st_mtime + _CLOCKS_DIFFER
    except (psutil.NoSuchProcess, FileNotFoundError, ValueError, OverflowError):
        return False
    except psutil.AccessDenied:
        return True
