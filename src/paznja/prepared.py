"""A prepared shelf, a folder that is ready to train on: written, read, and recognised among other folders."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paznja.corpus.book import Book, Unreadable
from paznja.corpus.corpus import Corpus
from paznja.corpus.pieces import pieces
from paznja.disk import write_atomically
from paznja.errors import RunError
from paznja.run import BookRecord
from paznja.run.layout import BOOKS, IDS, TOKENIZER
from paznja.run.records import BooksRecord, read_books
from paznja.table import counted
from paznja.tokenizers import learn_tokenizer

_FILE = re.compile(r"(corpus\.bin|(corpus|tokenizer|prepared)\.json)|\.(corpus|tokenizer|prepared)\.json\.\d+\.part")

_REMARKS_SHOWN = 10


@dataclass(frozen=True)
class Prepared:
    """A folder with `corpus.json`, `tokenizer.json` and `corpus.bin`, and what is known about it."""

    folder: Path
    books: tuple[BookRecord, ...]
    unreadable: tuple[Unreadable, ...]
    fingerprint: str
    """A hash of the files' contents, of what is held out, and of how the files were read."""
    script: str
    """The script of most of the text: "cyrillic", "latin" or "other"."""
    remarks: tuple[str, ...]
    """What the owner should know about how the books were treated, in whole sentences."""
    cached: bool
    """Whether it was in the cache already."""

    @property
    def training_characters(self) -> int:
        return sum(book.characters for book in self.books if not book.held_out)

    @property
    def held_out_characters(self) -> int:
        return sum(book.characters for book in self.books if book.held_out)


def is_prepared_file(name: str) -> bool:
    """Whether this is the name of a file that this module writes into a prepared shelf's folder."""
    return _FILE.fullmatch(name) is not None


def is_prepared(folder: Path) -> bool:
    """Whether this is a prepared shelf, whole or damaged, judged by the names of its files and the fingerprint in `prepared.json`."""
    names = os.listdir(folder)
    if not names or not all(map(is_prepared_file, names)):
        return False
    try:
        about = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # damaged, but all its files have names that this module writes
        return IDS in names
    except OSError:  # a folder has this name
        return False
    return isinstance(about, dict) and about.get("fingerprint") == folder.name


def find_prepared(folder: Path) -> Prepared | None:
    """What was prepared in this folder; None if nothing was, if it is damaged, or if paznja did not make it."""
    try:
        if folder.is_symlink() or not folder.is_dir() or not is_prepared(folder):
            return None
        prepared = read_prepared(folder, cached=True)
        tokens = sum(book.tokens for book in prepared.books)
        if (folder / IDS).stat().st_size != 2 * tokens or not (folder / TOKENIZER).is_file():
            return None
        os.utime(folder)
    except (OSError, ValueError, KeyError, TypeError, RunError):
        return None
    return prepared


def read_prepared(folder: Path, *, cached: bool) -> Prepared:
    """What is in the folder of a prepared shelf; OSError, RunError and others if it is damaged."""
    about = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    return Prepared(
        folder=folder,
        books=read_books(folder / BOOKS).books,
        unreadable=tuple(Unreadable(Path(path), reason) for path, reason in about["unreadable"]),
        fingerprint=about["fingerprint"],
        script=about["script"],
        remarks=tuple(about["remarks"]),
        cached=cached,
    )


def write_prepared(folder: Path, corpus: Corpus, kind: str, fingerprint: str, files: tuple[tuple[str, str, str], ...]) -> None:
    """Learn a tokenizer of this kind, and write it, the books' ids and what is known about them into the folder."""
    tokenizer = learn_tokenizer(kind, (book.text for book in corpus.training))
    records: list[BookRecord] = []
    with open(folder / IDS, "wb") as file:
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
    write_atomically(folder / TOKENIZER, tokenizer.to_json().encode())
    write_atomically(folder / BOOKS, BooksRecord(tuple(records), fingerprint, files).to_json())
    about: dict[str, Any] = {
        "fingerprint": fingerprint,
        "script": _script(corpus),
        "unreadable": [[str(bad.path), bad.reason] for bad in corpus.unreadable],
        "remarks": remarks_on(corpus),
    }
    write_atomically(folder / "prepared.json", json.dumps(about, ensure_ascii=False, indent=1).encode())


def remarks_on(corpus: Corpus) -> list[str]:
    """What the owner should know about how the books were treated: which ones are left out as repeats, which ones were converted."""
    remarks = [it.sentence() for it in corpus.same[:_REMARKS_SHOWN]]
    if len(corpus.same) > _REMARKS_SHOWN:
        more = len(corpus.same) - _REMARKS_SHOWN
        verb = "is" if more == 1 else "are"
        remarks.append(f"{counted(more, 'more book')} {verb} on the shelf twice and {verb} used once.")
    changed = [book for book in corpus.books if book.converted_from]
    if changed:
        verb = "was" if len(changed) == 1 else "were"
        script = corpus.script.capitalize()
        remarks.append(
            f"{counted(len(changed), 'book')} {verb} converted to {script}, like the others; --script keep leaves them as they are."
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
