"""Contexts: what precedes a token, hashed to one number in nine ways.

Six are the last 2, 3, 4, 5, 6 and 8 tokens. Three are made of words: the word so far together with the word before it ("pair"), with
the word before that ("skip"), or with the last letters of the word before it ("ending", which carry case, gender and number).
Words are compared in lower case. numba compiles the kernels once and caches them.

Shapes: n tokens, K kinds of contexts, V tokens in the vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paznja.memory.kinds import FIRST_WORD_KIND
from paznja.tokenizers import Tokenizer

LOOK_BACK = 128
"""How many tokens before a position are read to find its words."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SALT = np.uint64(0xD6E8FEB86659FD93)
_LAST_MIX = np.uint64(0xBF58476D1CE4E5B9)


class Lettering(NamedTuple):
    """What the contexts need to know about the tokens."""

    is_letter: NDArray[np.bool_]
    """(V,): whether the token consists of letters."""
    folded: NDArray[np.int64]
    """(V,): the id of the token's lower-case form, or its own id if there is none."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Lettering:
        """Derives both from the tokens' texts."""
        texts = [tokenizer.decode([i]) for i in range(tokenizer.size)]
        ids = {text: i for i, text in reversed(list(enumerate(texts)))}
        is_letter = np.array([text.isalpha() for text in texts], np.bool_)
        return cls(is_letter, np.array([ids.get(text.lower(), i) for i, text in enumerate(texts)], np.int64))


@njit(cache=True, nogil=True, inline="always")
def _mix(h, x):
    h = (h ^ (np.uint64(x) + _FACTOR)) * _SALT
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True, inline="always")
def _finish(h, kind):
    h = (h ^ (np.uint64(kind) * _SALT)) * _FACTOR
    h ^= h >> np.uint64(29)
    h *= _LAST_MIX
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True)
def hash_contexts(ids, first, start, stop, kinds, is_letter, folded, out_nK):
    """Hash the contexts of the positions start..stop-1 into `out_nK` (uint64); 0 where too little text precedes the position.

    The text begins at `first`. The context of position t is ids[first:t], so `stop` may be len(ids) + 1.
    """
    K = len(kinds)
    cur = np.uint64(1)
    last = np.uint64(2)
    before = np.uint64(3)
    second = np.uint64(4)
    ending = np.uint64(0)
    last_ending = np.uint64(0)
    before_ending = np.uint64(0)
    in_word = False
    for t in range(max(first, start - LOOK_BACK), stop):
        if t >= start:
            h = np.uint64(0)
            power = _FACTOR
            depth = 0
            for k in range(K):
                kind = kinds[k]
                if kind < FIRST_WORD_KIND:
                    if t - first < kind:
                        out_nK[t - start, k] = np.uint64(0)
                        continue
                    while depth < kind:
                        depth += 1
                        h += np.uint64(ids[t - depth] + 1) * power
                        power *= _FACTOR
                    out_nK[t - start, k] = _finish(h, kind)
                else:
                    word = kind - FIRST_WORD_KIND
                    other = before if word == 0 else second if word == 1 else before_ending
                    out_nK[t - start, k] = _finish(_mix(cur, other), kind)
        if t + 1 >= stop:
            break
        c = ids[t]
        if is_letter[c]:
            if not in_word:
                second = before
                before = last
                before_ending = last_ending
                cur = np.uint64(7)
                ending = np.uint64(0)
                in_word = True
            cur = _mix(cur, folded[c])
            ending = ((ending << np.uint64(16)) | np.uint64(folded[c] + 1)) & np.uint64(0xFFFFFFFFFFFF)
        else:
            if in_word:
                last = cur
                last_ending = ending
                in_word = False
            cur = _mix(cur, c)


@njit(cache=True, nogil=True)
def roll_orders(ids, start, stop, order, out_n1):
    """`hash_contexts` for the last `order` tokens of a text that begins at 0, in a few operations a position whatever the order."""
    highest = np.uint64(1)
    for _ in range(order + 1):
        highest *= _FACTOR
    h = np.uint64(0)
    for j in range(min(order, start), 0, -1):
        h = (h + np.uint64(ids[start - j] + 1)) * _FACTOR
    for t in range(start, stop):
        out_n1[t - start, 0] = _finish(h, order) if t >= order else np.uint64(0)
        if t + 1 < stop:
            h = (h + np.uint64(ids[t] + 1)) * _FACTOR
            if t >= order:
                h -= np.uint64(ids[t - order] + 1) * highest
