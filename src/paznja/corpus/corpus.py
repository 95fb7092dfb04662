"""A shelf of books: read, each once, in one script, some of them held out from training.

The order of the books and the choice of the held-out ones depend only on the files' names and contents, never on where the files
are, so the same books give the same corpus on any machine.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from paznja.config import ReadingConfig
from paznja.cores import allowed_cores
from paznja.corpus.book import NO_SKETCH, Book, Unreadable
from paznja.corpus.duplicates import Same, fold, groups, sharing_with, without_duplicates
from paznja.corpus.faults import faults_as, log_for, logged, unreadable
from paznja.corpus.finding import find_files, once
from paznja.corpus.formats import suffixes
from paznja.corpus.ledger import Ledger, check_rules
from paznja.corpus.printable import printable
from paznja.corpus.scripts.converting import convert
from paznja.corpus.scripts.script import script_of
from paznja.corpus.shelf import OnRead, read_files, refuse, side_by_side
from paznja.corpus.splitting import in_order, split
from paznja.corpus.store import Store
from paznja.errors import NoBooks, UnreadableBook, WrongUse

MINIMUM_CHARACTERS = 2_000
"""How many characters there must be to learn from."""

_REASONS_SHOWN = 5
_CHARACTERS_WORTH_A_PROCESS = 2_000_000


@dataclass(frozen=True)
class Corpus:
    """The books that a model learns from, and those that only measure it; both ordered by file name, then by contents."""

    training: tuple[Book, ...]
    held_out: tuple[Book, ...]
    unreadable: tuple[Unreadable, ...]
    same: tuple[Same, ...] = ()
    """Books left out because they are duplicates, or because they share a large part with a held-out book."""
    script: str = "keep"
    """The script that the books were converted to, "cyrillic" or "latin"; "keep" if they were left as they are."""
    without: tuple[str, ...] = ()
    """The names of the rules that were switched off."""

    @property
    def books(self) -> tuple[Book, ...]:
        """All books, the training ones first."""
        return self.training + self.held_out

    @property
    def characters(self) -> int:
        """How many characters all books have together."""
        return sum(book.characters for book in self.books)

    def find(self, wanted: str) -> Book:
        """The book with this title, or the one whose title, author or file name contains these words, in either script.

        WrongUse if no book or several books match; the message names some.
        """

        def folded(text: str) -> str:
            return "".join(map(chr, fold(text)))

        names = [(book, [folded(name) for name in (book.title, book.file, Path(book.file).stem)]) for book in self.books]
        found = [book for book, its in names if folded(wanted) in its] or [
            book for book, its in names if any(folded(wanted) in name for name in (*its, folded(book.author)))
        ]
        if len({book.sha256 for book in found}) == 1:
            return found[0]
        listed = ", ".join(repr(book.title) for book in (found or self.books)[:10])
        if found:
            raise WrongUse(f"Several books match {wanted!r}: {listed}. Give more of the title, or the file's name.")
        raise WrongUse(f"No book matches {wanted!r}; there are {listed}{' and others' if len(self.books) > 10 else ''}.")


def read_corpus(
    places: Iterable[Path],
    *,
    held_out: Iterable[Path] | None = None,
    config: ReadingConfig | None = None,
    store: Store | None = None,
    workers: int | None = None,
    least: int = MINIMUM_CHARACTERS,
    strict: bool = False,
    on_read: OnRead | None = None,
) -> Corpus:
    """Read every book at the places (files, and folders with everything in them); of duplicates, one is kept.

    `held_out`: files to hold out, which do not have to be at the places; all others are for training. None: `split` chooses.
    `config`: which script to convert the books to, and which rules are switched off. `store`: where books are kept once they are read;
    without one, all their texts are in memory. `workers`: how many processes may read at once; None: as many as there are cores. Fewer are
    started if there is little to read. `least`: how many characters there must be to learn from. `strict`: whether to stop at a file that
    cannot be read. `on_read` is called after each file.

    NoBooks if a place does not exist, no file (or, if `strict`, not every file) could be read, or there is too little text.
    """
    config = config or ReadingConfig()
    check_rules(config.without)
    held_out_files = None if held_out is None else find_files(held_out)
    files = _files(places)
    kept_paths = {path.resolve() for path in held_out_files or ()}
    every_file = once(files + (held_out_files or []))
    books, copies, not_read = _read(every_file, config, store, workers, on_read, strict=strict, first=kept_paths)
    apart = frozenset(book.sha256 for book in books if book.path.resolve() in kept_paths)  # a copy elsewhere must not be trained on either
    books, duplicates = without_duplicates(books, apart)
    same = [*copies, *duplicates]
    if held_out_files is None:
        _refuse_too_little(books, least)
    elif kept_paths and not apart:
        raise NoBooks(f"none of the held-out files could be read: {_reasons(not_read)}")
    else:
        leaking = sharing_with(books, apart)
        books = [book for book in books if all(book is not it.book for it in leaking)]
        same = [*same, *leaking]
        if all(book.sha256 in apart for book in books):
            raise NoBooks("every book is held out, so there is none to train on; hold out fewer or add books")
        _refuse_too_little([book for book in books if book.sha256 not in apart], least)
    books, script, not_converted = in_one_script(books, config, store, workers)
    if not_converted:
        not_read = _in_order_of_names(*not_read, *not_converted)
        if strict:
            refuse(not_converted)
        if apart and not any(book.sha256 in apart for book in books):
            raise NoBooks(f"none of the held-out files could be read: {_reasons(not_converted)}")
        _refuse_too_little([book for book in books if book.sha256 not in apart], least)
    about = {"unreadable": not_read, "same": tuple(same), "script": script, "without": config.without}
    if held_out_files is None:
        training, kept = split(books, groups(books))
        return Corpus(training, kept, **about)
    training = in_order(book for book in books if book.sha256 not in apart)
    return Corpus(training, in_order(book for book in books if book.sha256 in apart), **about)


def read_books(
    places: Iterable[Path],
    *,
    config: ReadingConfig | None = None,
    store: Store | None = None,
    workers: int | None = None,
    on_read: OnRead | None = None,
) -> tuple[tuple[Book, ...], tuple[Unreadable, ...]]:
    """Every book at the places, undivided and ordered by file name, and the files that could not be read; of identical files, one is read.

    NoBooks if a place does not exist, or no file could be read.
    """
    config = config or ReadingConfig()
    check_rules(config.without)
    books, _, not_read = _read(_files(places), config, store, workers, on_read)
    books, _, not_converted = in_one_script(books, config, store, workers)
    if not books:
        raise NoBooks(f"none of the files could be read: {_reasons(not_converted)}")
    return in_order(books), _in_order_of_names(*not_read, *not_converted)


def in_one_script(
    books: Sequence[Book], config: ReadingConfig, store: Store | None, workers: int | None = None
) -> tuple[list[Book], str, list[Unreadable]]:
    """Convert the books to the script that the settings ask for; "auto" is the script of most of the Serbian text.

    Returns the books, their script, and what could not be converted.
    """
    script = config.script
    if script == "auto":
        serbian = [book for book in books if book.serbian]
        cyrillic = sum(book.characters * book.cyrillic for book in serbian)
        script = ("cyrillic" if 2 * cyrillic >= sum(book.characters for book in serbian) else "latin") if serbian else "keep"
    if script == "keep":
        return list(books), script, []
    results: dict[int, Book | Unreadable] = {}
    left: list[tuple[int, Book]] = []
    for number, book in enumerate(books):
        found = store.find_converted(book, script) if store is not None and isinstance(book.text_or_path, Path) else None
        if found is not None:
            results[number] = found
        else:
            left.append((number, replace(book, sketch=NO_SKETCH)))  # there is no need to send a sketch to another process and back
    processes = min(workers or allowed_cores(), len(left), sum(book.characters for _, book in left) // _CHARACTERS_WORTH_A_PROCESS)
    work = partial(_convert, script="latin" if script == "latin" else "cyrillic", off=config.without, store=store, log=log_for(store))

    def take(item: tuple[int, Book], result: Book | Unreadable) -> None:
        results[item[0]] = replace(result, sketch=books[item[0]].sketch) if isinstance(result, Book) else result

    side_by_side(work, left, processes, take, lambda item: item[1])
    in_order_given = [results[number] for number in range(len(books))]
    converted = [it for it in in_order_given if isinstance(it, Book)]
    return converted, script, [it for it in in_order_given if isinstance(it, Unreadable)]


def _convert(
    item: tuple[int, Book], *, script: Literal["cyrillic", "latin"], off: Iterable[str], store: Store | None, log: Path | None
) -> Book | Unreadable:
    book = item[1]
    ledger = Ledger(off)
    text = book.text
    try:
        with faults_as(f"could not be converted to {script.capitalize()}, because of a fault in paznja"):
            text = convert(text, script, ledger)
    except UnreadableBook as error:
        return logged(unreadable(book.path / book.member, error), log)
    if store is not None and isinstance(book.text_or_path, Path):
        return store.keep_converted(book, text, script, ledger.notices, ledger.changes)
    return book.rewritten(text, len(text), script_of(text), ledger.notices, ledger.changes)


def _files(places: Iterable[Path]) -> list[Path]:
    files = find_files(places)
    if not files:
        raise NoBooks(f"there are no books there: folders are searched for {suffixes()}")
    return files


def _read(
    files: Sequence[Path],
    config: ReadingConfig,
    store: Store | None,
    workers: int | None,
    on_read: OnRead | None,
    *,
    strict: bool = False,
    first: Set[Path] = frozenset(),
) -> tuple[list[Book], list[Same], tuple[Unreadable, ...]]:
    """The books in the files, their copies, and what could not be read. Of files with the same bytes, one is a book.

    That is the first by its name without the suffix, then by its place; but a file whose resolved path is in `first` comes before others.
    """
    results = read_files(files, off=config.without, store=store, workers=workers, strict=strict, on_read=on_read)
    not_read = _in_order_of_names(*(it for it in results if isinstance(it, Unreadable)))
    found = [it for it in results if isinstance(it, Book)]
    found.sort(key=lambda book: (book.path.resolve() not in first, book.path.stem, book.path, book.member))
    books: dict[str, Book] = {}
    for book in found:
        books.setdefault(book.sha256, book)
    if not books:
        none = f"none of the {len(files):,} files could be read" if len(files) > 1 else "the file could not be read"
        raise NoBooks(f"{none}: {_reasons(not_read)}")
    copies = [Same(book, books[book.sha256], 1.0) for book in found if book is not books[book.sha256]]
    return list(in_order(books.values())), copies, not_read


def _in_order_of_names(*not_read: Unreadable) -> tuple[Unreadable, ...]:
    return tuple(sorted(not_read, key=lambda it: (it.path.name, it.path)))


def _reasons(not_read: Sequence[Unreadable]) -> str:
    shown = "; ".join(f"{printable(it.path)} {printable(it.reason)}" for it in not_read[:_REASONS_SHOWN])
    hidden = len(not_read) - _REASONS_SHOWN
    return shown + (f"; and {hidden:,} more" if hidden > 0 else "")


def _refuse_too_little(books: Iterable[Book], least: int) -> None:
    characters = sum(book.characters for book in books)
    if characters < least:
        raise NoBooks(
            f"there is too little text to learn from: {characters:,} characters, and at least {least:,} are needed; "
            "about 20,000 are enough to see words, a million to see sentences"
        )
