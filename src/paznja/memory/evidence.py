"""What the memory says of the next token: for each kind of context, how much likelier it makes each token that it has seen.

The kinds refine each other: P_k(v) = (c_k(v) - D) / n_k + g_k P_{k-1}(v), the interpolated absolute discounting of Kneser and
Ney (1995). So log P_k - log P_{k-1} is log(1 + (c_k(v) - D) / (n_k g_k P_{k-1}(v))) for a token that was seen, plus a term that is the
same for all tokens. Only the former is kept. A network that weighs each of these differences separately can trust or distrust every
kind at every position. With all weights at one, their sum is log P of the last kind, up to a constant.

Shapes: N positions, K kinds (counted, then recalled), V tokens, M entries in all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paznja.memory.contexts import hash_contexts
from paznja.memory.counting import PARTITION_BITS
from paznja.memory.kinds import FEATURES

BUCKETS_PER_SHARE = 8
"""How many buckets there are for the counts of a context, within each quarter of the most likely token's share."""

_ENTRIES_PER_POSITION = 192
"""How many entries fit for each position, averaged over a row; what no longer fits is left out."""

_RECALLED_AT_MOST = 32
_RECALLED_DISCOUNT = 0.5
_RECALLED_DECAY = 0.95


class Evidence(NamedTuple):
    """What the memory says of N positions."""

    starts: NDArray[np.int32]
    """(N, K + 1): where each kind's entries begin in `tokens` and `gains`; the last is where they end."""
    tokens: NDArray[np.uint16]
    """(M,): the tokens that the entries are about."""
    gains: NDArray[np.float32]
    """(M,): log P_k - log P_{k-1} of the token, in nats, without the term that all tokens share."""
    features: NDArray[np.float32]
    """(N, K * FEATURES): how sure each kind can be; see `FEATURES`."""
    buckets: NDArray[np.uint8]
    """(N, K): the same, roughly, as a number below `BUCKETS`."""
    prior: NDArray[np.float32]
    """(N, V): the square root of P of the last kind."""

    def part(self, first: int, last: int) -> Evidence:
        """What is said of the positions from `first` to `last` - 1."""
        at = slice(first, last)
        return Evidence(self.starts[at], self.tokens, self.gains, self.features[at], self.buckets[at], self.prior[at])

    @classmethod
    def empty(cls, positions: int, kinds: int, vocabulary: int) -> Evidence:
        """Space for this many positions."""
        return cls(
            np.zeros((positions, kinds + 1), np.int32),
            np.empty(positions * _ENTRIES_PER_POSITION, np.uint16),
            np.empty(positions * _ENTRIES_PER_POSITION, np.float32),
            np.zeros((positions, kinds * FEATURES), np.float32),
            np.zeros((positions, kinds), np.uint8),
            np.zeros((positions, vocabulary), np.float32),
        )


class Tables(NamedTuple):
    """All tables of a counted memory, one after the other, in the form in which compiled functions can take them."""

    kinds: NDArray[np.int64]
    """(K,): the kind of each table."""
    keys: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    set_aside: NDArray[np.uint8]
    """(E,) each; see `counting.Table`."""
    slots: NDArray[np.uint32]
    """Where the entries of each slot begin, one stretch for every table."""
    slot_offsets: NDArray[np.int64]
    """(K,): where each table's stretch begins."""
    slot_bits: NDArray[np.int64]
    """(K,): how many bits of the hash choose the slot in each table."""
    discounts: NDArray[np.float32]
    """(K, 4): see `counting.Table`."""
    least: NDArray[np.int64]
    """(K,): how often a context must have been seen to give evidence."""
    base: NDArray[np.float64]
    """(V,): the probability of each token without any context."""
    values: NDArray[np.float32]
    """(256,): the count that each code stands for."""
    token_bits: int
    """How many bits of a key hold the token."""


@njit(cache=True, nogil=True)
def gather(ids, links, first, start, stop, learning, lettering, tables, evidence, row):
    """Write the evidence for the positions start..stop-1 of a text that begins at `first`, from position `row` of the evidence on.

    `links` are those of the text (`recall.Text`); `learning` is as in `counted.Row`. The loop over a kind's entries stays in this function:
    a call for each entry, even one that is inlined, halves its speed.
    """
    keys, counts, aside, values = tables.keys, tables.counts, tables.set_aside, tables.values
    discounts, least, base, bits = tables.discounts, tables.least, tables.base, tables.token_bits
    slots, slot_offsets, slot_bits = tables.slots, tables.slot_offsets, tables.slot_bits
    starts, tokens, gains, prior = evidence.starts, evidence.tokens, evidence.gains, evidence.prior
    features, buckets = evidence.features, evidence.buckets
    K, R, V = len(tables.kinds), len(links), len(base)
    hashes = np.empty((stop - start, K), np.uint64)
    hash_contexts(ids, first, start, stop, tables.kinds, lettering.is_letter, lettering.folded, hashes)
    p_V = np.empty(V, np.float64)
    seen_V = np.zeros(V, np.float64)
    begins_K, ends_K, checks_K = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.uint32)
    m = row * _ENTRIES_PER_POSITION
    room = (row + stop - start) * _ENTRIES_PER_POSITION
    token_mask = np.uint32((1 << bits) - 1)
    for t in range(start, stop):
        p = row + t - start
        _find(hashes, t - start, slots, slot_offsets, slot_bits, keys, bits, begins_K, ends_K, checks_K)
        p_V[:] = base
        scale = 1.0
        for k in range(K):
            starts[p, k] = m
            begin = begins_K[k]
            end = begin
            total, taken, top, different = 0.0, 0.0, 0.0, 0
            while end < ends_K[k] and keys[end] >> bits == checks_K[k]:
                c = values[counts[end]]
                if learning:
                    c -= values[aside[end]]
                if c > 0:
                    total += c
                    taken += discounts[k, min(3, int(c))]
                    top = max(top, c)
                    different += 1
                end += 1
            if different == 0 or total < least[k] or m + different > room:
                continue
            scale *= max(taken / total, 1e-4)
            share_of_one = 1.0 / (total * scale)
            for e in range(begin, end):
                c = values[counts[e]]
                if learning:
                    c -= values[aside[e]]
                if c > 0:
                    v = keys[e] & token_mask
                    part = (c - discounts[k, min(3, int(c))]) * share_of_one
                    tokens[m] = v
                    gains[m] = np.log(np.float32(1.0 + part / p_V[v]))
                    p_V[v] += part
                    m += 1
            _describe(features, buckets, p, k, total, top / total, 0.3 * np.log(different), int(np.log2(max(total, 1.0))))
        for r in range(R):
            starts[p, K + r] = m
            if links[r, t] < first or m + _RECALLED_AT_MOST > room:
                continue
            m, scale, total, top, found = _recall(ids, links, r, t, first, tokens, gains, m, p_V, seen_V, scale)
            _describe(features, buckets, p, K + r, total, top / total, 0.1 * np.log(t - links[r, t]), found - 1)
        starts[p, K + R] = m
        for v in range(V):
            prior[p, v] = np.sqrt(scale * p_V[v])


@njit(cache=True, nogil=True, inline="always")
def _find(hashes, i, slots, slot_offsets, slot_bits, keys, bits, begins_K, ends_K, checks_K):
    """Where each kind's entries for the context hashes[i] begin, where its slot ends, and what the entries' keys begin with."""
    check_bits = 31 - bits
    low = np.uint64(64 - PARTITION_BITS - check_bits)
    mask = np.uint64((1 << check_bits) - 1)
    # The tables are far larger than the cache: all kinds' look-ups are started before any is waited for.
    for k in range(len(begins_K)):
        h = hashes[i, k]
        slot = slot_offsets[k] + np.int64(h >> np.uint64(64 - slot_bits[k]))
        checks_K[k] = np.uint32((h >> low) & mask)
        begins_K[k] = slots[slot]
        ends_K[k] = 0 if h == 0 else slots[slot + 1]
    for k in range(len(begins_K)):
        e = begins_K[k]
        while e < ends_K[k] and keys[e] >> bits < checks_K[k]:
            e += 1
        begins_K[k] = e


@njit(cache=True, nogil=True)
def _recall(ids, links, r, t, first, tokens, gains, m, p_V, seen_V, scale):
    """Write the entries of what followed the links from position `t`, the latest counting most, and refine `p_V` and `scale`.

    Returns where the entries end, the new scale, the sum of the counts, the largest count, and how many links were followed.
    """
    x = links[r, t]
    begin, found, total, weight = m, 0, 0.0, 1.0
    while x >= first and found < _RECALLED_AT_MOST:
        v = ids[x]
        if seen_V[v] == 0:
            tokens[m] = v
            m += 1
        seen_V[v] += weight
        total += weight
        weight *= _RECALLED_DECAY
        found += 1
        x = links[r, x]
    taken, top = 0.0, 0.0
    for e in range(begin, m):
        c = seen_V[tokens[e]]
        taken += min(c, _RECALLED_DISCOUNT)
        top = max(top, c)
    scale *= taken / total
    for e in range(begin, m):
        v = tokens[e]
        part = max(seen_V[v] - _RECALLED_DISCOUNT, 1e-6) / (total * scale)
        gains[e] = np.log(np.float32(1.0 + part / p_V[v]))
        p_V[v] += part
        seen_V[v] = 0
    return m, scale, total, top, found


@njit(cache=True, nogil=True, inline="always")
def _describe(features, buckets, p, k, total, share, variety, level):
    """Write how sure kind `k` can be at position `p`; `level` is how often the context was seen, from 0 to 7 and above."""
    features[p, FEATURES * k] = 1.0
    features[p, FEATURES * k + 1] = 0.3 * np.log(total)
    features[p, FEATURES * k + 2] = share
    features[p, FEATURES * k + 3] = variety
    buckets[p, k] = 1 + BUCKETS_PER_SHARE * min(3, int(4 * share)) + min(7, level)


@njit(cache=True, nogil=True)
def add_weighed(starts, tokens, gains, weights, logits):
    """Add the gains, each times its kind's weight, to `logits` (N, V)."""
    N, K = weights.shape
    for p in range(N):
        for k in range(K):
            w = weights[p, k]
            for e in range(starts[p, k], starts[p, k + 1]):
                logits[p, tokens[e]] += w * gains[e]


@njit(cache=True, nogil=True)
def weights_gradient(starts, tokens, gains, gradient, out):
    """The gradient of `add_weighed` for its weights: out[N, K] = the sum of `gradient` (N, V) times the gains of each kind."""
    N, K = out.shape
    for p in range(N):
        for k in range(K):
            total = out.dtype.type(0)
            for e in range(starts[p, k], starts[p, k + 1]):
                total += gradient[p, tokens[e]] * gains[e]
            out[p, k] = total
