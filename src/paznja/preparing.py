"""From places on disk to a folder that is ready to train on: the books' list, the tokenizer and the ids, kept in a cache by content.

The second time, with the same files, nothing is read but the files' fingerprints. The cache has a size limit; what was
used longest ago goes first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from paznja.config import ReadingConfig
from paznja.corpus.book import Book, Unreadable
from paznja.corpus.corpus import Corpus, read_corpus
from paznja.corpus.finding import file_fingerprints, find_files
from paznja.corpus.ledger import check_rules
from paznja.corpus.pieces import pieces
from paznja.corpus.shelf import refuse
from paznja.corpus.store import READING_VERSION, Store
from paznja.disk import write_atomically, writing_to
from paznja.run import BookRecord, read_books_json, write_books_json
from paznja.tokenizers import learn_tokenizer

PREPARING_VERSION = 2
"""Of what the cache holds; raised whenever the same files would now give other data."""

CACHE_BYTES = 2_000_000_000
"""The cache is kept below this size."""

BOOKS = "books"
"""The folder in the cache with the books that were read, a file at a time."""

_REMARKS_SHOWN = 10


@dataclass(frozen=True)
class Prepared:
    """A folder with `corpus.json`, `tokenizer.json` and `corpus.bin`, and what is known of it."""

    folder: Path
    books: tuple[BookRecord, ...]
    unreadable: tuple[Unreadable, ...]
    fingerprint: str
    """Of the files' contents, of what is held out, and of how they were read."""
    script: str
    """What most of the books' letters are: "cyrillic", "latin" or "other"."""
    remarks: tuple[str, ...]
    """What was done with the books that their owner should know, in whole sentences."""
    cached: bool
    """Whether it was there already."""

    @property
    def training_characters(self) -> int:
        return sum(book.characters for book in self.books if not book.held_out)

    @property
    def held_out_characters(self) -> int:
        return sum(book.characters for book in self.books if book.held_out)


def default_cache() -> Path:
    """The user's cache folder for prepared books."""
    return Path(platformdirs.user_cache_dir("paznja")) / "prepared"


def prepare(
    places: Iterable[Path],
    *,
    held_out: Iterable[Path] | None = None,
    tokenizer: str = "characters",
    config: ReadingConfig | None = None,
    cache: Path | None = None,
    strict: bool = False,
    on_read: Callable[[int, int, Path], None] | None = None,
) -> Prepared:
    """Read the books at these places, or find them read already; `on_read(done, total, file)` is told of each file.

    Raises NoBooks where there is nothing, or too little, to learn from, or, if `strict`, where a file cannot be read; TrainingFailed
    where the cache cannot be written.
    """
    places = [Path(place) for place in places]
    held_out = None if held_out is None else [Path(place) for place in held_out]
    cache = cache or default_cache()
    config = config or ReadingConfig()
    check_rules(config.without)
    files = describe_files(places, held_out)
    fingerprint = _fingerprint(files, tokenizer, config, chosen=held_out is not None)
    folder = cache / fingerprint
    if (folder / "prepared.json").is_file():
        os.utime(folder)
        prepared = _read(folder, cached=True)
        if strict:
            refuse(prepared.unreadable)
        return prepared
    making = cache / f".{fingerprint}.{os.getpid()}.new"
    shutil.rmtree(making, ignore_errors=True)
    try:
        with writing_to(cache, "--cache"):
            store = store_in(cache)
            corpus = read_corpus(places, held_out=held_out, config=config, store=store, strict=strict, on_read=on_read)
            making.mkdir(parents=True)
            _write(making, corpus, tokenizer, fingerprint, files)
            _put_in_place(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    trim_cache(cache, CACHE_BYTES, keep=folder)
    return _read(folder, cached=False)


def describe_files(places: Iterable[Path], held_out: Iterable[Path] | None) -> list[list[str]]:
    """[name, SHA-256, "held out" or ""] of every file that would be read, in order; NoBooks for a place that does not exist."""
    apart = find_files(list(held_out or ()))
    apart_paths = {path.resolve() for path in apart}
    files = {path.resolve(): path for path in [*find_files(list(places)), *apart]}
    described = [(path.name, sha256, path.resolve() in apart_paths) for path, sha256 in file_fingerprints(files.values())]
    return [[name, sha256, "held out" if is_apart else ""] for name, sha256, is_apart in sorted(described)]


def store_in(cache: Path) -> Store:
    """Where the cache keeps the books that were read, a file at a time."""
    folder = cache / BOOKS
    folder.mkdir(parents=True, exist_ok=True)
    return Store(folder)


def _fingerprint(files: list[list[str]], tokenizer: str, config: ReadingConfig, *, chosen: bool) -> str:
    """A name for what `prepare` gives, from the files' contents and names alone; it does not depend on where they are."""
    whole = [PREPARING_VERSION, READING_VERSION, tokenizer, config.script, sorted(config.without), chosen, files]
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode()).hexdigest()[:32]


def cache_size(cache: Path) -> int:
    """Bytes in the cache; a file that a run shares by a hard link counts here too."""
    return sum(map(_size, _folders(cache)))


def trim_cache(cache: Path, limit: int, keep: Path | None = None) -> None:
    """Remove what was used longest ago until the cache is at most `limit` bytes large; `keep` stays. Runs keep their own data."""
    folders = sorted(_folders(cache), key=lambda path: path.stat().st_mtime)
    size = sum(map(_size, folders))
    for folder in folders:
        if size <= limit:
            return
        if folder != keep:
            size -= _size(folder)
            shutil.rmtree(folder, ignore_errors=True)
    if (cache / BOOKS).is_dir() and not any((cache / BOOKS).iterdir()):
        (cache / BOOKS).rmdir()


def _folders(cache: Path) -> list[Path]:
    """What can be removed one by one: prepared shelves, and single books."""
    places = (cache, cache / BOOKS)
    return [path for place in places if place.is_dir() for path in place.iterdir() if path.is_dir() and path != cache / BOOKS]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _put_in_place(making: Path, folder: Path) -> None:
    """Unless another process that read the same books was quicker: its data are the same, and it may be using them."""
    if (folder / "prepared.json").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.replace(making, folder)
    except OSError:
        if not (folder / "prepared.json").is_file():
            raise


def _write(folder: Path, corpus: Corpus, kind: str, fingerprint: str, files: list[list[str]]) -> None:
    tokenizer = learn_tokenizer(kind, (book.text for book in corpus.training))
    records: list[BookRecord] = []
    with open(folder / "corpus.bin", "wb") as file:
        for books, held_out in ((corpus.training, False), (corpus.held_out, True)):
            for book in books:
                tokens = 0
                for piece in pieces(book.text):
                    ids = tokenizer.encode(piece)
                    ids.tofile(file)
                    tokens += len(ids)
                records.append(_record(book, tokens, held_out))
        file.flush()
        os.fsync(file.fileno())
    write_atomically(folder / "tokenizer.json", tokenizer.to_json().encode())
    write_books_json(folder / "corpus.json", records, fingerprint=fingerprint, files=files)
    about: dict[str, Any] = {
        "fingerprint": fingerprint,
        "script": _script(corpus),
        "unreadable": [[str(bad.path), bad.reason] for bad in corpus.unreadable],
        "remarks": remarks_on(corpus),
    }
    write_atomically(folder / "prepared.json", json.dumps(about, ensure_ascii=False, indent=1).encode())


def _read(folder: Path, *, cached: bool) -> Prepared:
    about = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    return Prepared(
        folder=folder,
        books=tuple(read_books_json(folder / "corpus.json")),
        unreadable=tuple(Unreadable(Path(path), reason) for path, reason in about["unreadable"]),
        fingerprint=about["fingerprint"],
        script=about["script"],
        remarks=tuple(about["remarks"]),
        cached=cached,
    )


def remarks_on(corpus: Corpus) -> list[str]:
    """What was done with the books that their owner should know: which are left out as repeats, which were converted."""
    remarks = [it.sentence() for it in corpus.same[:_REMARKS_SHOWN]]
    if len(corpus.same) > _REMARKS_SHOWN:
        remarks.append(f"{len(corpus.same) - _REMARKS_SHOWN} more books stand on the shelf twice and are used once.")
    changed = [book for book in corpus.books if book.converted_from]
    if changed:
        others = "book was" if len(changed) == 1 else "books were"
        remarks.append(
            f"{len(changed):,} {others} brought to {corpus.script.capitalize()}, as the rest; --script keep leaves them as they are."
        )
    return remarks


def _record(book: Book, tokens: int, held_out: bool) -> BookRecord:
    return BookRecord(book.title, book.author, book.file, book.part, book.sha256, book.characters, tokens, held_out)


def _script(corpus: Corpus) -> str:
    """The script in which most of the characters are written."""
    characters: dict[str, int] = {}
    for book in corpus.training:
        characters[book.script] = characters.get(book.script, 0) + book.characters
    return max(characters, key=lambda script: characters[script])
