"""Where the last tokens stood before in the same text: what a book has just said is what it will soon say again.

For every position and kind of context, the position before it with the same context, so that following the links goes back through
all of them, the latest first. A text of the held-out books, a book that is learnt from, and a text that is being written are all
the same here.

Shapes: n tokens, R kinds of contexts.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paznja.memory.contexts import Lettering, hash_contexts
from paznja.memory.kinds import RECALLED_KINDS

_KINDS = np.array(RECALLED_KINDS, np.int64)

NONE = -1
"""A link that leads nowhere."""


class Text:
    """Tokens with their links; may grow."""

    def __init__(self, ids: NDArray[np.uint16], lettering: Lettering, spans: NDArray[np.int64] | None = None) -> None:
        """`spans`: (S, 2), the books within `ids`, ascending; nothing is recalled across them. None: all of it is one."""
        self._lettering = lettering
        self.length = len(ids)
        self.spans = np.array([[0, len(ids)]], np.int64) if spans is None else np.ascontiguousarray(spans, np.int64)
        self.ids = np.ascontiguousarray(ids, np.uint16)
        self.links = np.empty((len(RECALLED_KINDS), len(ids) + 1), np.int32)
        size = 1 << max(12, min(22, (2 * len(ids)).bit_length()))
        self._heads = np.full((len(RECALLED_KINDS), size), NONE, np.int32)
        self._checks = np.zeros((len(RECALLED_KINDS), size), np.uint32)
        for first, stop in self.spans:
            self._link(int(first), int(first), int(stop))
        self._link(int(self.spans[-1, 0]), self.length, self.length + 1)

    def append(self, new_id: int) -> None:
        """One more token, at the end of the last span."""
        if self.length == len(self.ids):
            self.ids = np.concatenate((self.ids, np.empty(max(256, self.length), np.uint16)))
            self.links = np.concatenate((self.links, np.empty((len(self.links), len(self.ids) - self.length), np.int32)), axis=1)
        self.ids[self.length] = new_id
        self.length += 1
        self.spans[-1, 1] = self.length
        self._link(int(self.spans[-1, 0]), self.length, self.length + 1)

    def first(self, position: int) -> int:
        """Where the span of this position begins."""
        span = int(np.searchsorted(self.spans[:, 0], position, side="right")) - 1
        return int(self.spans[max(0, span), 0])

    def _link(self, first: int, start: int, stop: int) -> None:
        lettering = self._lettering
        _link(self.ids, first, start, stop, _KINDS, lettering.is_letter, lettering.folded, self._heads, self._checks, self.links)


@njit(cache=True, nogil=True)
def _link(ids, first, start, stop, kinds, is_letter, folded, heads, checks, links):
    """Fill links[:, start:stop]; each position becomes the head of its contexts."""
    mask = np.uint64(heads.shape[1] - 1)
    hashes = np.empty((min(1024, stop - start), len(kinds)), np.uint64)
    for chunk in range(start, stop, 1024):
        end = min(stop, chunk + 1024)
        hash_contexts(ids, first, chunk, end, kinds, is_letter, folded, hashes)
        for t in range(chunk, end):
            for r in range(len(kinds)):
                h = hashes[t - chunk, r]
                links[r, t] = NONE
                if h == 0:
                    continue
                slot = h & mask
                check = np.uint32(h >> np.uint64(32))
                before = heads[r, slot]
                if before >= first and checks[r, slot] == check:
                    links[r, t] = before
                heads[r, slot] = t
                checks[r, slot] = check
