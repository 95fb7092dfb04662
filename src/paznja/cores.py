"""How many cores this process may use, known without importing torch."""

from __future__ import annotations

import os


def allowed_cores() -> int:
    """The logical cores that this process may use: fewer than the machine has where its affinity is restricted."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def num_cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    logical = allowed_cores()
    return min(logical, psutil.cpu_count(logical=False) or logical)
