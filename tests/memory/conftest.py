"""Small texts for the memory, and counting in plain Python to compare it with."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from paznja.memory.contexts import FIRST_WORD_KIND, Lettering

VOCABULARY = 12
"""Ids 0 to 2 are a line end, a space and a full stop; 3 to 7 are lower-case letters, 8 to 11 the first four of them in upper case."""


@pytest.fixture(scope="session")
def lettering() -> Lettering:
    folded = np.arange(VOCABULARY, dtype=np.int64)
    folded[8:12] = [3, 4, 5, 6]
    return Lettering(np.arange(VOCABULARY) >= 3, folded)


@pytest.fixture(scope="session")
def ids() -> np.ndarray:
    """Four thousand tokens with repeated words."""
    numbers = np.random.default_rng(5)
    words = [numbers.integers(3, 12, numbers.integers(1, 7)).tolist() for _ in range(40)]
    text: list[int] = []
    while len(text) < 4000:
        text += [*words[int(numbers.integers(40) * numbers.random())], int(numbers.choice([1, 1, 1, 2, 0]))]
    return np.array(text[:4000], np.uint16)


def _context_of(ids: list[int], kind: int) -> tuple | None:
    """The context of this kind after these ids, as plain values."""
    if kind < FIRST_WORD_KIND:
        return tuple(ids[-kind:]) if len(ids) >= kind else None
    folded = {8: 3, 9: 4, 10: 5, 11: 6}
    words: list[tuple[int, ...]] = []
    so_far: tuple = ("nothing",)
    in_word = False
    for c in ids:
        if c >= 3:
            if not in_word:
                words.append(())
                so_far, in_word = (), True
            words[-1] += (folded.get(c, c),)
            so_far += (folded.get(c, c),)
        else:
            in_word = False
            so_far += (("between", c),)
    earlier = [(), (), *words[:-1]]
    other = (earlier[-1], earlier[-2], earlier[-1][-3:])[kind - FIRST_WORD_KIND]
    # The kinds begin at different places; before the second word they cannot be told apart.
    return (so_far, other, min(len(words), 1))


def _counts_of(ids: list[int], kind: int) -> dict[tuple, Counter[int]]:
    """What followed each context of a kind, and how often."""
    counts: dict[tuple, Counter[int]] = defaultdict(Counter)
    for t, token in enumerate(ids):
        context = _context_of(ids[max(0, t - 100) : t], kind)
        if context is not None:
            counts[context][token] += 1
    return counts


@pytest.fixture(scope="session")
def context_of():
    """See `_context_of`."""
    return _context_of


@pytest.fixture(scope="session")
def counts_of():
    """See `_counts_of`."""
    return _counts_of
