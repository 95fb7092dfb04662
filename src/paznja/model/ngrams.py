"""Which rows of the learned memory belong to the last tokens: n-grams, hashed. Without torch, which writing does not need.

The same few lines serve plain integers, NumPy's arrays and torch's tensors, so that the network that learns and the one
that writes cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_PRIME = 2**31 - 1
"""Everything stays below it, so no product leaves 64 bits."""

_FACTOR = 1_000_003
_STEP = 742_938_285
"""Powers of it, modulo the prime, are the factors of one hash function after another."""


def rows_of_ngrams(back: Sequence[Any], pieces: int, num_rows: int) -> list[Any]:
    """Rows, below `num_rows`: `pieces` of the last 2 tokens, as many of the last 3, and so on to the last `len(back)`.

    `back[j]` is the id of j tokens ago plus 1, or 0 where the text had not begun: an integer, or an array or tensor (int64)
    of one for every position.
    """
    rows: list[Any] = []
    key = back[0]
    for code in back[1:]:
        key = (key * _FACTOR + code) % _PRIME
        hashed = key
        for _ in range(pieces):
            # N-grams that share a row by one of these functions hardly ever do by the next.
            hashed = hashed * _STEP % _PRIME
            rows.append(hashed % num_rows)
    return rows
