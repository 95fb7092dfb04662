"""Batches of windows from the books' token ids: every window comes once before any comes again, in an order that the seed decides.

Knows nothing about text or models. The position is one number, so a resumed run draws exactly what an uninterrupted one would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paznja.errors import NoBooks

if TYPE_CHECKING:
    from paznja.memory.evidence import Evidence


class Batch(NamedTuple):
    """What the network reads in one iteration, and what it should predict: B windows of T positions."""

    ids: Tensor
    """(B, T), int64, on the CPU."""
    next_ids: Tensor
    """(B, T), int64, on the CPU."""
    evidence: Evidence | None = None
    """What a counted memory says about the next tokens of the windows that this process learns from."""


class Batches:
    """Windows of `context` + 1 ids; each epoch cuts the books at a new offset and shuffles the windows again."""

    def __init__(self, ids: NDArray[np.uint16], context: int, batch: int, seed: int) -> None:
        """`ids`: the training books' ids one after the other, usually memory-mapped. NoBooks if they are too few for a window."""
        check_enough(len(ids), context)
        self.ids, self.context, self.batch, self.seed = ids, context, batch, seed
        self.windows_drawn = 0
        """How many windows were drawn since the start of the run: this alone is the position."""
        self._num_windows = (len(ids) - context - 1) // context
        self._epoch = -1
        self._starts: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def next(self) -> Batch:
        """The next batch."""
        return self.windows(self.starts())

    def starts(self) -> NDArray[np.int64]:
        """Where the windows of the next batch begin, (B,)."""
        starts = np.empty(self.batch, np.int64)
        filled = 0
        while filled < self.batch:
            epoch, place = divmod(self.windows_drawn, self._num_windows)
            in_epoch = self._starts_of(epoch)[place : place + self.batch - filled]
            starts[filled : filled + len(in_epoch)] = in_epoch
            filled += len(in_epoch)
            self.windows_drawn += len(in_epoch)
        return starts

    def windows(self, starts: NDArray[np.int64]) -> Batch:
        """The windows that begin there."""
        windows = torch.from_numpy(self.ids[starts[:, None] + np.arange(self.context + 1)].astype(np.int64))
        return Batch(windows[:, :-1], windows[:, 1:])

    def _starts_of(self, epoch: int) -> NDArray[np.int64]:
        """Where the windows of this epoch begin, in the order in which they are drawn."""
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            offset = int(generator.integers(self.context))
            self._starts = generator.permutation(self._num_windows) * self.context + offset
            self._epoch = epoch
        return self._starts


def check_enough(num_ids: int, context: int) -> None:
    """NoBooks if training books of this many ids can be too few for a window, depending on the epoch's offset."""
    if num_ids < 2 * context + 1:
        raise NoBooks(f"The training books are {num_ids:,} tokens long; a context of {context} needs {2 * context + 1:,} or more.")
