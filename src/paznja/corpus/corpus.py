"""A shelf of books: finding the files, reading them side by side, and keeping some from training.

The order of the books and the choice of the held-out ones come from the files' names and contents alone, never from
where the files lie, so the same books give the same corpus on any machine.
"""

import hashlib
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from paznja.corpus.formats import READERS, Book, read_book, suffixes
from paznja.errors import NoBooks, UnreadableBook

READING_VERSION = 1
"""Raised whenever the same files would give another text: prepared data of another version is not used."""
MINIMUM_CHARACTERS = 2_000
"""With less text there is nothing to learn from."""

_KINDS_OF_BOOKS = {".pdf", ".docx", ".doc", ".odt", ".rtf", ".fb2", ".mobi", ".azw", ".azw3", ".djvu", ".html", ".htm", ".zip"}
_HELD_OUT_SHARE = 1 / 20
_LARGEST_HELD_OUT_SHARE = 1 / 5
_LAST_PART_SHARE = 1 / 10
_BYTES_WORTH_A_PROCESS = 4_000_000  # a process starts in about 0.2 s, in which this one reads as much
_START_METHOD = "fork" if sys.platform == "linux" else "spawn"
_REASONS_SHOWN = 5

OnRead = Callable[[int, int, Path], None]
"""Called after each file with the number of files done, the number in all, and the file."""


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read, and why, in words that a person can act on."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Corpus:
    """The books that a model learns from, and those that only measure it. Both are ordered by file name, then contents."""

    training: tuple[Book, ...]
    held_out: tuple[Book, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def books(self) -> tuple[Book, ...]:
        """All of them, the training ones first."""
        return self.training + self.held_out

    @property
    def characters(self) -> int:
        """How many characters the books have together."""
        return sum(len(book.text) for book in self.books)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the books' contents, of which are held out, and of the version of the reading."""
        uses = [(book.sha256, book.part, "training") for book in self.training]
        uses += [(book.sha256, book.part, "held-out") for book in self.held_out]
        lines = [f"reading {READING_VERSION}", *(" ".join(use) for use in sorted(uses))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_corpus(
    places: Iterable[Path],
    *,
    held_out: Iterable[Path] | None = None,
    workers: int | None = None,
    on_read: OnRead | None = None,
) -> Corpus:
    """Reads every book at the places (files, and folders with all that is in them). The same bytes twice are one book.

    Args:
        held_out: files to hold out, which need not be at the places; all others train. Left out: `split` chooses.
        workers: processes to read with; as many as there are cores if left out, and only as many as pay.
        on_read: called after each file.

    Raises:
        NoBooks: a place does not exist, no file could be read, or there is too little text.
    """
    files = find_files(places)
    held_out_files = None if held_out is None else find_files(held_out)
    if not files:
        raise NoBooks(f"there are no books there: folders are searched for {suffixes()}")
    files = _once(files + (held_out_files or []))
    results = _read_all(files, workers, on_read)
    unreadable = tuple(sorted((it for it in results if isinstance(it, Unreadable)), key=lambda it: (it.path.name, it.path)))
    books = [it for it in results if isinstance(it, Book)]
    if not books:
        raise NoBooks(f"none of the {len(files):,} files could be read: {_reasons(unreadable)}")
    if held_out_files is None:
        _refuse_too_little(books)
        training, kept = split(_distinct(books))
        return Corpus(training, kept, unreadable)
    kept_paths = {path.resolve() for path in held_out_files}
    kept_hashes = {book.sha256 for book in books if book.path.resolve() in kept_paths}  # a copy elsewhere must not train either
    training = _distinct([book for book in books if book.sha256 not in kept_hashes])
    if kept_paths and not kept_hashes:
        raise NoBooks(f"none of the held-out files could be read: {_reasons(unreadable)}")
    if not training:
        raise NoBooks("every book is held out, so there is none to train on; hold out fewer or add books")
    _refuse_too_little(training)
    return Corpus(training, _distinct([book for book in books if book.path.resolve() in kept_paths]), unreadable)


def read_books(
    places: Iterable[Path], *, workers: int | None = None, on_read: OnRead | None = None
) -> tuple[tuple[Book, ...], tuple[Unreadable, ...]]:
    """Every book at the places, whole, each once, ordered by file name; and the files that could not be read.

    Raises:
        NoBooks: a place does not exist, or no file could be read.
    """
    files = find_files(places)
    if not files:
        raise NoBooks(f"there are no books there: folders are searched for {suffixes()}")
    results = _read_all(files, workers, on_read)
    unreadable = tuple(sorted((it for it in results if isinstance(it, Unreadable)), key=lambda it: (it.path.name, it.path)))
    books = _distinct([it for it in results if isinstance(it, Book)])
    if not books:
        raise NoBooks(f"none of the {len(files):,} files could be read: {_reasons(unreadable)}")
    return books, unreadable


def find_files(places: Iterable[Path]) -> list[Path]:
    """The files at the places, each once: a file itself whatever its suffix, and of a folder all that has a known one.

    Folders are searched recursively, in the order of names; hidden files and folders are left out, and a folder that is
    reached twice (links in a circle) is searched once. A folder that may not be opened stands in the list itself, so that
    reading it gives the reason.

    Raises:
        NoBooks: a place does not exist; the message names it.
    """
    found: list[Path] = []
    searched: set[Path] = set()
    for place in places:
        if not os.path.exists(place):  # unlike Path.exists, never an error
            raise NoBooks(f"{place} does not exist, or lies where it may not be opened; give a file or a folder with books")
        if os.path.isdir(place):
            _search(place, found, searched)
        else:
            found.append(place)
    return _once(found)


def passed_over(places: Iterable[Path]) -> Counter[str]:
    """How many files in these folders may be books but are of a kind that is not read, by suffix."""
    folders = [place for place in places if place.is_dir()]
    suffixes_found = (path.suffix.lower() for folder in folders for path in folder.rglob("*"))
    return Counter(suffix for suffix in suffixes_found if suffix in _KINDS_OF_BOOKS and suffix not in READERS)


def split(books: Sequence[Book]) -> tuple[tuple[Book, ...], tuple[Book, ...]]:
    """Training and held-out books: whole books chosen by their contents' hash, about a twentieth of the characters.

    At least one book is held out, and none with over a fifth of the characters if another can be had. Of a single
    book the last tenth is held out, cut at the end of a paragraph: two Books, told apart by `part`.
    """
    if len(books) <= 1:
        return _split_book(books[0]) if books else ((), ())
    total = sum(len(book.text) for book in books)
    wanted = total * _HELD_OUT_SHARE
    by_hash = sorted(books, key=lambda book: (book.sha256, book.path.name))
    candidates = [book for book in by_hash if len(book.text) <= total * _LARGEST_HELD_OUT_SHARE]
    chosen: list[Book] = []
    characters = 0
    for book in candidates:
        if abs(characters + len(book.text) - wanted) <= abs(characters - wanted):
            chosen.append(book)
            characters += len(book.text)
    if not chosen:
        chosen = [min(candidates or by_hash, key=lambda book: abs(len(book.text) - wanted))]
    return _in_order(book for book in books if book not in chosen), _in_order(chosen)


def file_fingerprints(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Each file's SHA-256 in hexadecimal, in the order given; empty for a file that cannot be opened."""
    return [(path, _sha256(path)) for path in paths]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _search(folder: Path, found: list[Path], searched: set[Path]) -> None:
    if folder.resolve() in searched:
        return
    searched.add(folder.resolve())
    if not os.access(folder, os.R_OK | os.X_OK):
        found.append(folder)
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            _search(path, found, searched)
        elif path.suffix.lower() in READERS and path.is_file():
            found.append(path)


def _once(paths: Iterable[Path]) -> list[Path]:
    return list({path.resolve(): path for path in reversed(list(paths))}.values())[::-1]


def _read_all(files: Sequence[Path], workers: int | None, on_read: OnRead | None) -> list[Book | Unreadable]:
    sizes = {path: path.stat().st_size if os.path.isfile(path) else 0 for path in files}
    workers = min(workers or os.cpu_count() or 1, len(files), sum(sizes.values()) // _BYTES_WORTH_A_PROCESS)
    results: list[Book | Unreadable] = []

    def take(result: Book | Unreadable) -> None:
        results.append(result)
        if on_read is not None:
            on_read(len(results), len(files), result.path)

    left = set(files)
    if workers > 1 and _may_start_processes():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context(_START_METHOD), _leave_interrupts_to_parent)
        try:
            largest_first = sorted(files, key=lambda path: -sizes[path])  # so that no process ends long after the others
            for future in as_completed([pool.submit(_read, path) for path in largest_first]):
                result = future.result()
                left.discard(result.path)
                take(result)
        except BrokenProcessPool:
            pass  # a process was killed, for want of memory perhaps: this one reads what is left
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    for path in files:
        if path in left:
            take(_read(path))
    return results


def _read(path: Path) -> Book | Unreadable:
    try:
        return read_book(path)
    except UnreadableBook as error:
        return Unreadable(path, str(error))


def _may_start_processes() -> bool:
    """Whether a new process leaves the user's script alone: a spawned one runs it again unless it has a `__name__` guard."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if _START_METHOD == "fork" or script is None:
        return True
    try:
        return "__name__" in Path(script).read_text(encoding="utf-8", errors="ignore")
    except OSError:
        return False


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _in_order(books: Iterable[Book]) -> tuple[Book, ...]:
    return tuple(sorted(books, key=lambda book: (book.path.name, book.sha256)))


def _distinct(books: Iterable[Book]) -> tuple[Book, ...]:
    """The books in order, those with the same bytes once (the first by name, then by place)."""
    by_place = sorted(books, key=lambda book: (book.path.name, book.path), reverse=True)
    return _in_order({book.sha256: book for book in by_place}.values())


def _split_book(book: Book) -> tuple[tuple[Book, ...], tuple[Book, ...]]:
    cut = _cut(book.text)
    beginning = replace(book, text=book.text[:cut].rstrip() + "\n", part="beginning")
    return (beginning,), (replace(book, text=book.text[cut:].lstrip(), part="end"),)


def _cut(text: str) -> int:
    """Where the last tenth begins: the nearest start of a paragraph; of a word if the paragraphs are too long for that."""
    aim = round(len(text) * (1 - _LAST_PART_SHARE))
    for boundary in "\n ":
        nearest = {text.rfind(boundary, 0, aim), text.find(boundary, aim, len(text) - 1)} - {-1}
        cut = min(nearest, key=lambda place: abs(place - aim), default=0) + 1
        if 0.5 * _LAST_PART_SHARE <= 1 - cut / len(text) <= 2 * _LAST_PART_SHARE:
            return cut
    return aim


def _reasons(unreadable: Sequence[Unreadable]) -> str:
    shown = "; ".join(f"{it.path} {it.reason}" for it in unreadable[:_REASONS_SHOWN])
    hidden = len(unreadable) - _REASONS_SHOWN
    return shown + (f"; and {hidden:,} more" if hidden > 0 else "")


def _refuse_too_little(books: Iterable[Book]) -> None:
    characters = sum(len(book.text) for book in _distinct(books))
    if characters < MINIMUM_CHARACTERS:
        raise NoBooks(
            f"there is too little text to learn from: {characters:,} characters, and {MINIMUM_CHARACTERS:,} are the least; "
            "about 20,000 are enough to see words, a million to see sentences"
        )
