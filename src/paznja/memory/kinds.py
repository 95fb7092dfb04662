"""The kinds of contexts that a counted memory knows, and the shape of its evidence. Plain numbers, so that the settings can import them."""

from __future__ import annotations

ORDERS = (2, 3, 4, 5, 6, 8)
"""Contexts made of the last tokens, by how many tokens they have."""

WORDS = ("pair", "skip", "ending")
"""Contexts that are made of words; their numbers start at `FIRST_WORD_KIND`."""

FIRST_WORD_KIND = 32
"""Kinds below this number are orders."""

KINDS = (*ORDERS, *range(FIRST_WORD_KIND, FIRST_WORD_KIND + len(WORDS)))
"""Every counted kind, weakest first: each refines the predictions of those before it."""

RECALLED_KINDS = (3, 4, 5, 6, 8)
"""The kinds that are looked up in the text so far."""

NUM_KINDS = len(KINDS) + len(RECALLED_KINDS)
"""How many kinds of contexts give evidence, counted and recalled together."""

FEATURES = 4
"""Features of each kind: whether the context was seen, how often, the share of its most likely token, and how many different tokens
followed it (for a recalled kind: how long ago it last occurred)."""

BUCKETS = 33
"""Buckets of each kind: one for a context that was never seen, and 8 levels of count times 4 of the most likely token's share."""
