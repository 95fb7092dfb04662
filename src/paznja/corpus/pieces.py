"""Texts cut up: a long text into pieces, so that what is made from it (its words, its letters as numbers) is never in memory all at
once; and a line of words, as the tables in this package write them, into a set.
"""

import re
from collections.abc import Iterator

PIECE = 1 << 20
"""Characters in a piece."""


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `PIECE` characters, cut after a newline if there is one, else after a space, else anywhere."""
    return (text[start:end] for start, end in _bounds(text))


def different_words(words: re.Pattern[str], text: str) -> set[str]:
    """Everything that the pattern finds in the text, each once; the pattern must not match spaces."""
    found: set[str] = set()
    for start, end in _bounds(text):
        found.update(words.findall(text, start, end))
    return found


def words(line: str) -> frozenset[str]:
    """The set of words in a string."""
    return frozenset(line.split())


def _bounds(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = start + PIECE
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or text.rfind(" ", start, end) + 1 or end
        yield start, end
        start = end
