"""Whether torchrun has started this process; known without torch."""

from __future__ import annotations

import os


def is_launched() -> bool:
    """Whether torchrun has started this process."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()


def rank() -> int:
    """The number of this process; 0 decides, and so does a process alone."""
    return int(os.environ["RANK"]) if is_launched() else 0


def launch() -> str:
    """What distinguishes this torchrun from others; it stays the same when torchrun starts its processes again. Empty without torchrun."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "") if is_launched() else ""


def is_restarted() -> bool:
    """Whether torchrun has started its processes again, because one of them had failed."""
    return is_launched() and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
