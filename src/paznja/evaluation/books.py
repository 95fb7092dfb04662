"""Bits per character of whole books under a trained run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from paznja.corpus.book import Book, Unreadable
from paznja.evaluation.bits_per_character import Piece, bits_of_texts
from paznja.loading import load_memory, load_model, load_run_tokenizer
from paznja.machine import num_cores, set_threads
from paznja.run import Run


@dataclass(frozen=True)
class BookScore:
    """The score of one book."""

    title: str
    author: str
    file: str
    characters: int
    bits_per_character: float
    learnt: bool = False
    """Whether the run learnt from this very file, or from a part of it; then the figure says nothing about unseen text."""


@dataclass(frozen=True)
class Evaluation:
    """Bits per character of all the books together and of each book."""

    bits_per_character: float
    characters: int
    books: tuple[BookScore, ...]
    unreadable: tuple[Unreadable, ...] = ()


OnScored = Callable[[int, int], None]
"""Called on the way, with the tokens that are done and all tokens."""


def evaluate_held_out(run: Run, *, latest: bool = False, on_scored: OnScored | None = None) -> Evaluation:
    """The run's own held-out books, scored. RunError if the run is without their text."""
    books = [book for book in run.books() if book.held_out]
    scored = [BookScore(book.title, book.author, book.file, book.characters, 0.0) for book in books]
    return _evaluated(run, scored, run.held_out_ids(), load_run_tokenizer(run).newline, (), latest, on_scored)


def evaluate_books(
    run: Run, books: Sequence[Book], unreadable: tuple[Unreadable, ...] = (), *, latest: bool = False, on_scored: OnScored | None = None
) -> Evaluation:
    """Other books, scored. Those that the run learnt from, recognised by their files' SHA-256, are scored too and marked `learnt`."""
    tokenizer = load_run_tokenizer(run)
    learnt = {book.sha256 for book in run.books() if not book.held_out}
    scored = [BookScore(book.title, book.author, book.file, book.characters, 0.0, book.sha256 in learnt) for book in books]
    texts = [tokenizer.encode(book.text) for book in books]
    return _evaluated(run, scored, texts, tokenizer.newline, unreadable, latest, on_scored)


def _evaluated(
    run: Run,
    books: Sequence[BookScore],
    texts: Sequence[Piece],
    newline: int,
    unreadable: tuple[Unreadable, ...],
    latest: bool,
    on_scored: OnScored | None,
) -> Evaluation:
    set_threads(num_cores())
    memory = load_memory(run)
    remembered = None
    if memory is not None:
        from paznja.memory.remembered import Remembered

        remembered = Remembered(memory, newline, texts, threads=num_cores())
    bits = bits_of_texts(load_model(run, latest=latest), texts, newline, remembered=remembered, on_scored=on_scored)
    scores = [replace(book, bits_per_character=its_bits / book.characters) for book, its_bits in zip(books, bits, strict=True)]
    characters = sum(book.characters for book in scores)
    return Evaluation(sum(bits) / characters, characters, tuple(scores), unreadable)
