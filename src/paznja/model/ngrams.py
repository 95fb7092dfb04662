"""Which rows of the learned memory belong to the last tokens: hashed n-grams. Needs no torch.

The same few lines work for integers, NumPy arrays and torch tensors, so the network that learns and the one
that writes cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PRIME = 2**31 - 1
"""All keys stay below it, so every product fits into 64 bits."""

FACTOR = 1_000_003
STEP = 742_938_285
"""Each hash function multiplies by the next power of it, modulo the prime."""


def rows_of_ngrams(back: Sequence[Any], pieces: int, num_rows: int) -> list[Any]:
    """Rows, below `num_rows`: `pieces` for the last 2 tokens, as many for the last 3, and so on up to the last `len(back)`.

    `back[j]` is 1 plus the id of the token j places back, or 0 before the beginning of the text: an integer, or an array or tensor (int64)
    with one for every position.
    """
    rows: list[Any] = []
    key = back[0]
    for code in back[1:]:
        key = (key * FACTOR + code) % PRIME
        hashed = key
        for _ in range(pieces):
            # N-grams that share a row by one of these functions hardly ever share one by the next.
            hashed = hashed * STEP % PRIME
            rows.append(hashed % num_rows)
    return rows
