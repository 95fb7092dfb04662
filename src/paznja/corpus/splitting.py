"""Which books are held out: whole books, chosen by their contents, never one of two that share a large part."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from paznja.corpus.book import Book

_HELD_OUT_SHARE = 1 / 20
_LARGEST_HELD_OUT_SHARE = 1 / 5
_LAST_PART_SHARE = 1 / 10


def split(books: Sequence[Book], together: Sequence[Sequence[int]] | None = None) -> tuple[tuple[Book, ...], tuple[Book, ...]]:
    """Choose the books to hold out: whole books, by the hashes of their contents, with about a twentieth of the characters.

    At least one book is held out, and none with over a fifth of the characters if there is another. If there is only one book, or all
    belong to one group, the last tenth of each is held out, cut at the end of a paragraph: each becomes two Books, which differ in
    `part`.

    `together`: groups of books, by their numbers; a group is held out, or not, as a whole.

    Returns the training books and the held-out books.
    """
    groups = [[books[i] for i in group] for group in together or [[i] for i in range(len(books))]]
    if len(groups) <= 1:
        parts = [_split_book(book) for book in books]
        return in_order(learnt for learnt, _ in parts), in_order(apart for _, apart in parts)
    sizes = {id(group): sum(book.characters for book in group) for group in groups}
    total = sum(sizes.values())
    wanted = total * _HELD_OUT_SHARE
    by_hash = sorted(groups, key=lambda group: min((book.sha256, book.path.name) for book in group))
    candidates = [group for group in by_hash if sizes[id(group)] <= total * _LARGEST_HELD_OUT_SHARE]
    chosen: list[list[Book]] = []
    characters = 0
    for group in candidates:
        if abs(characters + sizes[id(group)] - wanted) <= abs(characters - wanted):
            chosen.append(group)
            characters += sizes[id(group)]
    if not chosen:
        chosen = [min(candidates or by_hash, key=lambda group: abs(sizes[id(group)] - wanted))]
    held_out = [book for group in chosen for book in group]
    return in_order(book for book in books if book not in held_out), in_order(held_out)


def in_order(books: Iterable[Book]) -> tuple[Book, ...]:
    """By file name, then contents."""
    return tuple(sorted(books, key=lambda book: (book.path.name, book.member, book.sha256)))


def _split_book(book: Book) -> tuple[Book, Book]:
    text = book.text
    cut = _cut(text)
    beginning, end = text[:cut].rstrip() + "\n", text[cut:].lstrip()
    return (
        replace(book, text_or_path=beginning, characters=len(beginning), part="beginning"),
        replace(book, text_or_path=end, characters=len(end), part="end"),
    )


def _cut(text: str) -> int:
    """Where the last tenth begins: at the nearest start of a paragraph, or of a word where paragraphs are too long."""
    aim = round(len(text) * (1 - _LAST_PART_SHARE))
    for boundary in "\n ":
        nearest = {text.rfind(boundary, 0, aim), text.find(boundary, aim, len(text) - 1)} - {-1}
        cut = min(nearest, key=lambda place: abs(place - aim), default=0) + 1
        if 0.5 * _LAST_PART_SHARE <= 1 - cut / len(text) <= 2 * _LAST_PART_SHARE:
            return cut
    return aim
