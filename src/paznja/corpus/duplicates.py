"""Duplicates found by content: the same book as EPUB and as plain text, in two editions, in two scripts, alone and in a collection.

A text is folded to bare letters, the same for both Serbian scripts. Every stretch of `WINDOW` letters has a hash; the stretches with the
lowest hashes make up the text's sketch. A given stretch is therefore kept in every book or in none, and two sketches share as large a
part as the two texts do (FracMinHash: Irber and others, 2022, doi:10.1101/2022.01.11.475838).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from paznja.corpus.book import NO_SKETCH, Book, Sketch
from paznja.corpus.pieces import pieces
from paznja.corpus.printable import printable

WINDOW = 32
"""Letters in a stretch: about six words, which two books hardly ever share by chance."""

ONE_IN = 64
"""One stretch in this many is kept."""

SAME = 0.5
"""Two books are the same if the larger one contains at least this share of the smaller one's stretches."""

LARGE_PART = 0.05
"""Two books share a large part if they share at least this much; then neither is trained on if the other is held out."""

ALIKE_IN_LENGTH = 0.95
"""A copy in a better format is kept if it has at least this share of the other copy's characters."""

BETTER_FORMATS = ("xml", "epub", "fb2", "docx", "odt", "html", "htm", "md", "rtf", "txt", "text", "pdf")
"""Best first: the better the format, the more reliably paragraphs, notes and page furniture are recognised."""

_MULTIPLIER = 0x9E3779B97F4A7C15
_CROWD = 32
_AT_ONCE = 1_000_000  # hashes compared at once, so that a large shelf needs no more memory than a small one

# The same for both scripts: j and ž are left out, so lj, nj and dž become the same as љ, њ and џ, and dj the same as ђ.
_BARE = {
    **dict(zip("абвгдђезиклмнопрстћуфхцчшљњџ", "abvgddeziklmnoprstcufhccslnd", strict=True)),
    **dict(zip("đjјжž", "d\0\0\0\0", strict=True)),
}


@dataclass(frozen=True)
class Same:
    """A book that is left out because of another one."""

    book: Book
    of: Book
    share: float
    """The share of the smaller book's stretches that the larger one contains."""

    def sentence(self) -> str:
        """Why the book is left out, for the user."""
        if self.book.sha256 == self.of.sha256:
            copy, kept = (printable(it.file if self.book.file != self.of.file else it.path) for it in (self.book, self.of))
            return f"{copy} is the same file as {kept} and is left out."
        book, of = printable(self.book.file), printable(self.of.file)
        if self.share >= SAME:
            return f"{book} is the same book as {of} ({self.share:.0%} of it is in both) and is left out."
        return f"{book} shares {self.share:.0%} with {of}, which is held out, and is left out."


def sketch_of(text: str) -> Sketch:
    """The hashes of the stretches that are kept, sorted, each once; empty if the text has fewer than `WINDOW` letters."""
    chosen = [NO_SKETCH]
    letters = np.empty(0, dtype=np.uint16)
    for piece in pieces(text):
        letters = np.concatenate([letters, fold(piece)])
        if len(letters) >= WINDOW:
            hashes = _hash_stretches(letters)
            chosen.append(hashes[hashes < np.uint64(2**64 // ONE_IN)])
            letters = letters[1 - WINDOW :]  # the next piece's first stretches begin with these
    return np.unique(np.concatenate(chosen))


def fold(text: str) -> NDArray[np.uint16]:
    """The letters alone, lower case and without accents, the same for both scripts; j and ž, which make digraphs, are left out."""
    units = np.frombuffer(text.encode("utf-16-le", errors="replace"), dtype="<u2")
    letters = _folding()[units]
    return letters[letters != 0]


def without_duplicates(books: Sequence[Book], first: frozenset[str] = frozenset()) -> tuple[list[Book], list[Same]]:
    """The books without duplicates, and the duplicates.

    Of two copies the longer one stays, or the one in the better format if they are about as long.

    `first`: the SHA-256 of books that stay in any case, so that their copies go instead.
    """

    def precedence(i: int) -> tuple[bool, int, str, str]:
        return books[i].sha256 not in first, -books[i].characters, books[i].path.name, books[i].sha256

    order = sorted(range(len(books)), key=precedence)
    shares = _shares([books[i] for i in order], SAME)
    copies: dict[int, list[int]] = {}  # as positions in `order`; the first one stays
    leader: dict[int, int] = {}
    for place, i in enumerate(order):
        found = min((leader[other] for other in shares.get(place, ()) if other in leader), default=None)
        if found is None or books[i].sha256 in first:
            leader[place], copies[place] = place, [place]
            continue
        leader[place] = found
        stays = books[order[copies[found][0]]]
        better = stays.sha256 not in first and _is_better(books[i], stays)
        copies[found].insert(0 if better else len(copies[found]), place)
    same = [
        Same(books[order[place]], books[order[stays]], _share(books[order[place]].sketch, books[order[stays]].sketch))
        for stays, *others in copies.values()
        for place in others
    ]
    staying = sorted(order[stays] for stays, *_ in copies.values())
    return [books[i] for i in staying], sorted(same, key=lambda it: it.book.file)


def sharing_with(books: Sequence[Book], apart: frozenset[str]) -> list[Same]:
    """The books that share a large part with a book whose SHA-256 is in `apart`, each with the one that it shares most with."""
    shares = _shares(books, LARGE_PART)
    found = []
    for number, book in enumerate(books):
        if book.sha256 not in apart:
            leaks = [(share, other) for other, share in shares.get(number, {}).items() if books[other].sha256 in apart]
            if leaks:
                share, other = max(leaks)
                found.append(Same(book, books[other], share))
    return found


def groups(books: Sequence[Book]) -> list[list[int]]:
    """The books' numbers in groups: books that share a large part, directly or through others, are together; ordered by first book."""
    # The shares that `without_duplicates` found would not do: of a crowd, only pairs with its first book were counted there, and that book
    # may have been left out since.
    shares = _shares(books, LARGE_PART)
    group_of: dict[int, list[int]] = {}
    for number in range(len(books)):
        if number in group_of:
            continue
        group, waiting = [number], [number]
        group_of[number] = group
        while waiting:
            for other in shares.get(waiting.pop(), {}):
                if other not in group_of:
                    group_of[other] = group
                    group.append(other)
                    waiting.append(other)
        group.sort()
    return [group for number, group in group_of.items() if number == group[0]]


def _shares(books: Sequence[Book], least: float) -> dict[int, dict[int, float]]:
    """For each book, the others that share at least this part with it, and the part, as a share of the smaller book."""
    pairs, counts = shared_stretches([book.sketch for book in books])
    lengths = np.array([len(book.sketch) for book in books])
    shares = counts / lengths[pairs].min(axis=1)
    found: dict[int, dict[int, float]] = {}
    for (i, k), share in zip(pairs[shares >= least].tolist(), shares[shares >= least].tolist(), strict=True):
        found.setdefault(i, {})[k] = share
        found.setdefault(k, {})[i] = share
    return found


def shared_stretches(sketches: Sequence[Sketch]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the stretches that pairs of books share.

    Where many books share one stretch, only the pairs with the first of them are counted.

    Returns the pairs (n, 2), in order, the lower number first, and how many stretches each pair shares (n,).
    """
    pairs, counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    edges = _edges(sum(map(len, sketches)))
    for parts in zip(*(np.split(sketch, np.searchsorted(sketch, edges)) for sketch in sketches), strict=True):
        hashes = np.concatenate(parts)
        order = np.argsort(hashes, kind="stable")
        owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[order]
        hashes = hashes[order]
        starts = np.flatnonzero(np.concatenate([[len(hashes) > 0], hashes[1:] != hashes[:-1]]))
        lengths = np.diff(np.append(starts, len(hashes)))
        twos = starts[lengths == 2]
        several = zip(starts[lengths > 2].tolist(), lengths[lengths > 2].tolist(), strict=True)
        of_several = [i * len(parts) + k for start, length in several for i, k in _pairs(owners[start : start + length].tolist())]
        more = np.concatenate([owners[twos] * len(parts) + owners[twos + 1], np.array(of_several, dtype=np.int64)])
        pairs, counts = _summed(np.concatenate([pairs, more]), np.concatenate([counts, np.ones_like(more)]))
    return np.stack(np.divmod(pairs, max(1, len(sketches))), axis=1), counts


def _summed(keys: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each key once, in order, with the sum of its counts."""
    order = np.argsort(keys)
    keys, counts = keys[order], counts[order]
    starts = np.flatnonzero(np.concatenate([[len(keys) > 0], keys[1:] != keys[:-1]]))
    return keys[starts], np.add.reduceat(counts, starts) if len(starts) else counts


def _edges(num_hashes: int) -> NDArray[np.uint64]:
    """The hashes that separate ranges of about `_AT_ONCE` hashes each."""
    num_ranges = max(1, num_hashes // _AT_ONCE)
    return np.array([2**64 // ONE_IN * number // num_ranges for number in range(1, num_ranges)], dtype=np.uint64)


def _share(one: Sketch, other: Sketch) -> float:
    return len(np.intersect1d(one, other, assume_unique=True)) / max(1, min(len(one), len(other)))


def _pairs(owners: list[int]) -> Iterator[tuple[int, int]]:
    """All pairs; if there are many owners, only the pairs with the first one, which connect all the others too."""
    return combinations(owners, 2) if len(owners) <= _CROWD else ((owners[0], other) for other in owners[1:])


def _is_better(book: Book, kept: Book) -> bool:
    rank = {name: number for number, name in enumerate(BETTER_FORMATS)}
    ours, theirs = (rank.get(it.format, len(rank)) for it in (book, kept))
    return ours < theirs and book.characters >= ALIKE_IN_LENGTH * kept.characters


def _hash_stretches(letters: NDArray[np.uint16]) -> Sketch:
    """Hash every stretch of `WINDOW` letters: a polynomial, by doubling the width, then mixed so that its size is random."""
    hashes = letters.astype(np.uint64) + np.uint64(1)
    width, power = 1, _MULTIPLIER
    while width < WINDOW:
        hashes = hashes[:-width] * np.uint64(power) + hashes[width:]
        width, power = 2 * width, power * power % 2**64
    hashes ^= hashes >> np.uint64(33)
    hashes *= np.uint64(0xC2B2AE3D27D4EB4F)
    hashes ^= hashes >> np.uint64(29)
    return hashes


@cache
def _folding() -> NDArray[np.uint16]:
    """What each UTF-16 unit is folded to; 0 for what is not a letter."""
    table = np.arange(2**16, dtype=np.uint16)
    table[:0x530] = 0
    table[0x2000:0x3040] = 0
    table[0xFE00:0xFE70] = 0
    for codepoint in range(0x41, 0x530):
        character = chr(codepoint)
        if character.isalpha():
            small = character.lower()[0]
            letter = small if small in _BARE else unicodedata.normalize("NFD", small)[0]
            table[codepoint] = ord(_BARE.get(letter, letter))
    return table
