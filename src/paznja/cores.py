"""How many cores and how much memory this process may use, known without importing torch. A container may allow less than there is."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container allows: files of version 2, or folders with files of version 1."""


def allowed_cores() -> int:
    """The logical cores that this process may use: fewer than the machine has where its affinity or its time is restricted."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = _numbers("cpu.max", 2) or [*(_numbers("cpu/cpu.cfs_quota_us") or [-1]), *(_numbers("cpu/cpu.cfs_period_us") or [0])]
    return max(1, min(there, quota // period)) if quota > 0 and period > 0 else there


def num_cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    logical = allowed_cores()
    return min(logical, psutil.cpu_count(logical=False) or logical)


def memory_left() -> int:
    """How many bytes of memory are left for this process and others that it starts."""
    import psutil

    left = psutil.virtual_memory().available
    for most, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        limit, now = _numbers(most), _numbers(used)
        if limit and now:
            left = min(left, max(0, limit[0] - now[0]))
    return left


def _numbers(file: str, number: int = 1) -> list[int] | None:
    """The first numbers in a file of the container; None if it is not there, or does not have so many: "max" stands for no limit."""
    try:
        found = [int(word) for word in (CGROUP / file).read_text(encoding="utf-8").split()]
    except (OSError, ValueError):
        return None
    return found[:number] if len(found) >= number else None
