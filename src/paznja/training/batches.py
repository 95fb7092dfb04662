"""Batches of windows from the books' token ids: every window once before any comes again, in an order that the seed decides.

Knows nothing of text or models. The position is one number, so a resumed run draws exactly what the undisturbed one would have drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paznja.errors import NoBooks


class Batches:
    """Windows of `context` + 1 ids; each epoch cuts the books at another offset and shuffles the windows anew."""

    def __init__(self, ids: NDArray[np.uint16], context: int, batch: int, seed: int) -> None:
        """`ids`: the training books' ids one after the other, usually memory-mapped. NoBooks if they do not fill a window."""
        check_enough(len(ids), context)
        self.ids, self.context, self.batch, self.seed = ids, context, batch, seed
        self.windows_drawn = 0
        """How many windows were drawn since the start of the run: the generator's whole position."""
        self._num_windows = (len(ids) - context - 1) // context
        self._epoch = -1
        self._starts: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def next(self) -> tuple[Tensor, Tensor]:
        """ids_BT and next_ids_BT (int64, on the CPU) of the next batch."""
        return self.windows(self.starts())

    def starts(self) -> list[int]:
        """Where the windows of the next batch begin."""
        self.windows_drawn += self.batch
        return [self._start_of(window) for window in range(self.windows_drawn - self.batch, self.windows_drawn)]

    def windows(self, starts: Sequence[int]) -> tuple[Tensor, Tensor]:
        """ids_BT and next_ids_BT (int64, on the CPU) of the windows that begin there."""
        windows = torch.from_numpy(np.stack([self.ids[start : start + self.context + 1] for start in starts]).astype(np.int64))
        return windows[:, :-1], windows[:, 1:]

    def _start_of(self, window: int) -> int:
        epoch, place = divmod(window, self._num_windows)
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            offset = int(generator.integers(self.context))
            self._starts = generator.permutation(self._num_windows) * self.context + offset
            self._epoch = epoch
        return int(self._starts[place])


def check_enough(num_ids: int, context: int) -> None:
    """NoBooks if training books of so many ids do not fill a window, wherever an epoch begins to cut them."""
    if num_ids < 2 * context + 1:
        raise NoBooks(f"The training books are {num_ids:,} tokens long; a context of {context} needs {2 * context + 1:,} or more.")
