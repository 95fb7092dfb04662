"""The kinds of contexts that a counted memory knows, and what it says of each. Plain numbers, imported by the settings."""

from __future__ import annotations

ORDERS = (2, 3, 4, 5, 6, 8)
"""Contexts that are simply the last tokens."""

WORDS = ("pair", "skip", "ending")
"""Contexts that are made of words, numbered from `FIRST_WORD_KIND`."""

FIRST_WORD_KIND = 32
"""Kinds below it are orders."""

KINDS = (*ORDERS, *range(FIRST_WORD_KIND, FIRST_WORD_KIND + len(WORDS)))
"""Every kind that is counted, weakest first: each refines what those before it say."""

RECALLED_KINDS = (3, 4, 5, 6, 8)
"""The kinds that are looked for in the text so far."""

NUM_KINDS = len(KINDS) + len(RECALLED_KINDS)
"""How many kinds of contexts give evidence, counted and recalled ones."""

FEATURES = 4
"""For each kind: whether the context was seen, how often, the share of its likeliest token, and how many different ones there were
(or how long ago it was last there)."""

BUCKETS = 33
"""For each kind: one for a context that was never seen, and 8 for how often by 4 for the share of the likeliest."""
