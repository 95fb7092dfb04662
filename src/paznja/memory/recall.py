"""Where the last tokens occurred before in the same text: what a book has just said, it is likely to say again soon.

Every position has, for each kind of context, a link to the nearest earlier position with the same context. Following the links goes
back through all of them, the latest first. Held-out books, books that are learned from and texts that are being written are treated
alike.

Shapes: n tokens, R kinds of contexts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paznja.memory.contexts import Lettering, hash_contexts
from paznja.memory.kinds import RECALLED_KINDS

_KINDS = np.array(RECALLED_KINDS, np.int64)

_PROBES = 8

NONE = -1
"""A link that leads nowhere."""


class Text:
    """A text's tokens with their links; it can grow."""

    def __init__(
        self, ids: NDArray[np.uint16], lettering: Lettering, spans: NDArray[np.int64] | None = None, *, growing: bool = False
    ) -> None:
        """Link the positions of a text.

        `spans`: (S, 2), the books within `ids`, ascending; nothing is recalled across their borders. None: the whole text is one.
        `growing`: whether `append` will be called.
        """
        self._lettering = lettering
        self.length = len(ids)
        self.spans = np.array([[0, len(ids)]], np.int64) if spans is None else np.ascontiguousarray(spans, np.int64)
        self.ids = np.ascontiguousarray(ids, np.uint16)
        self.links = np.empty((len(_KINDS), len(ids) + 1), np.int32)
        self._heads: list[_Heads] = []
        size = 1 << max(14 if growing else 10, min(22, (4 * len(ids)).bit_length()))
        for r in range(len(_KINDS)):
            heads = _Heads(np.full(size, NONE, np.int32), np.zeros(size, np.uint32))
            for first, stop in self.spans:
                self._link(r, heads, int(first), int(first), int(stop))
            self._link(r, heads, int(self.spans[-1, 0]), self.length, self.length + 1)
            if growing:
                self._heads.append(heads)

    def append(self, new_id: int) -> None:
        """Add one token at the end of the last span."""
        if self.length == len(self.ids):
            self.ids = np.concatenate((self.ids, np.empty(max(256, self.length), np.uint16)))
            self.links = np.concatenate((self.links, np.empty((len(self.links), len(self.ids) - self.length), np.int32)), axis=1)
        self.ids[self.length] = new_id
        self.length += 1
        self.spans[-1, 1] = self.length
        for r, heads in enumerate(self._heads):
            self._link(r, heads, int(self.spans[-1, 0]), self.length, self.length + 1)

    def first(self, position: int) -> int:
        """Where the span that contains this position begins."""
        span = int(np.searchsorted(self.spans[:, 0], position, side="right")) - 1
        return int(self.spans[max(0, span), 0])

    def _link(self, r: int, heads: _Heads, first: int, start: int, stop: int) -> None:
        letters, folded = self._lettering.is_letter, self._lettering.folded
        _link(self.ids, first, start, stop, _KINDS[r : r + 1], letters, folded, heads.positions, heads.checks, self.links[r])


class _Heads(NamedTuple):
    """A hash table of the last position of each context."""

    positions: NDArray[np.int32]
    checks: NDArray[np.uint32]


@njit(cache=True, nogil=True)
def _link(ids, first, start, stop, kinds, is_letter, folded, positions, checks, links):
    """Fill links[start:stop] for one kind, and make each position the last one of its context."""
    mask = np.uint64(len(positions) - 1)
    hashes = np.empty((min(1024, stop - start), 1), np.uint64)
    for chunk in range(start, stop, 1024):
        end = min(stop, chunk + 1024)
        hash_contexts(ids, first, chunk, end, kinds, is_letter, folded, hashes)
        for t in range(chunk, end):
            h = hashes[t - chunk, 0]
            links[t] = NONE
            if h == 0:
                continue
            check = np.uint32(h >> np.uint64(32))
            oldest = h & mask
            for probe in range(_PROBES):
                slot = (h + np.uint64(probe)) & mask
                before = positions[slot]
                if before < first:  # empty, or in an earlier book
                    oldest = slot
                    break
                if checks[slot] == check:
                    links[t] = before
                    oldest = slot
                    break
                if before < positions[oldest]:
                    oldest = slot
            positions[oldest] = t
            checks[oldest] = check
