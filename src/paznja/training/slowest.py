"""Notices that one process takes much longer for its part of the batches than the others, which all wait for it.

Knows nothing about PyTorch or networks: it is told how long each process has computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

SLOW = 1.5
"""A process is slow if it takes more than this many times as long as the others' median."""


class Slow(NamedTuple):
    """A slow process."""

    rank: int
    times: float
    """How many times as long it takes as the others."""


class Slowest:
    """Names a process once: again only after another one was slow, or none."""

    def __init__(self) -> None:
        self._named: int | None = None

    def look(self, seconds: Sequence[float]) -> Slow | None:
        """The process that is slow, if it is not the one that was named before.

        `seconds`: how long each process takes for the same work, by its rank; 0 for one that had none.
        """
        rank = max(range(len(seconds)), key=seconds.__getitem__)
        others = [other for other in [*seconds[:rank], *seconds[rank + 1 :]] if other]
        times = seconds[rank] / median(others) if others else 1.0
        named, self._named = self._named, rank if times > SLOW else None
        return Slow(rank, times) if self._named is not None and self._named != named else None
