"""Texts cut up: a long one a piece at a time, so that what is made of it (its words, its letters as numbers) never fills memory all at
once; a list of words, as our tables write them, into the words.
"""

import re
from collections.abc import Iterator

PIECE = 1 << 20
"""Characters in a piece."""


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `PIECE` characters, each but the last ending with a line, else with a space, if it has any."""
    return (text[start:end] for start, end in _bounds(text))


def different_words(words: re.Pattern[str], text: str) -> set[str]:
    """All that the pattern, which matches no space, finds in the text, each once."""
    found: set[str] = set()
    for start, end in _bounds(text):
        found.update(words.findall(text, start, end))
    return found


def words(line: str) -> frozenset[str]:
    """The words in a line of them, or in several."""
    return frozenset(line.split())


def _bounds(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = start + PIECE
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or text.rfind(" ", start, end) + 1 or end
        yield start, end
        start = end
