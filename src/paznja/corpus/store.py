"""Books that were read once, kept by the contents of their files, so that only new files need reading.

Each file has a folder. Its `books.json` says what is known about the books in the file, and which members of an archive could not be
read; `0.txt`, `1.txt`, ... are the books' texts, `0.npy`, ... their sketches, and `0.latin.json` (with `0.latin.txt`, if anything
changed) is a text in the other script. A folder is written under a hidden name and then renamed.
"""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paznja.corpus.book import Book, Unreadable
from paznja.corpus.ledger import Change, Example
from paznja.corpus.printable import printable
from paznja.corpus.scripts.script import script_of
from paznja.disk import put_in_place, remove, remove_known, rename

READING_VERSION = 3
"""Raise it whenever the same files would give another text; what another version kept is not used."""

_KEPT = ("title", "author", "language", "sha256", "characters", "script", "cyrillic", "serbian", "format", "member", "notices")

_FILE = re.compile(r"books\.json|\d+\.(txt|npy|(latin|cyrillic)\.(txt|json))|\.\d+\.(latin|cyrillic)\.(txt|json)\.\d+\.new")


def is_store_file(name: str) -> bool:
    """Whether this is the name of a file that this module writes."""
    return _FILE.fullmatch(name) is not None


def is_kept(folder: Path) -> bool:
    """Whether this folder holds books that were kept here, intact or damaged: its files' names and `books.json` decide."""
    names = os.listdir(folder)
    if "books.json" not in names or not all(map(is_store_file, names)):
        return False
    try:
        whole = json.loads((folder / "books.json").read_text(encoding="utf-8"))
    except ValueError:  # damaged, but several names, all of them ours, are enough to go by
        return len(names) > 1
    return isinstance(whole, dict) and set(whole) == {"books", "unreadable"}


class Store:
    """The books that were read, in folders below one folder."""

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        """`log`: where faults of paznja in reading are written; without one they are not written anywhere."""
        self.folder = folder
        self.log = log

    def key(self, sha256: str, suffix: str, off: Iterable[str]) -> str:
        """The name under which a file's books are kept; it stands for the file's contents, its format and the rules switched off."""
        whole = json.dumps([READING_VERSION, sha256, suffix, sorted(off)])
        return hashlib.sha256(whole.encode()).hexdigest()[:32]

    def find(self, key: str, path: Path) -> list[Book | Unreadable] | None:
        """What the file that is now at this path gave, with the texts in the store; None if it has not been read yet."""
        place = self.folder / key
        try:
            whole = json.loads((place / "books.json").read_text(encoding="utf-8"))
            os.utime(place)
            books = [_book(place, number, record, path) for number, record in enumerate(whole["books"])]
            return [*books, *(Unreadable(path / member, reason) for member, reason in whole["unreadable"])]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, results: list[Book | Unreadable], path: Path) -> list[Book | Unreadable]:
        """Store what reading a file gave; returns the same with the texts in the store."""
        books = [it for it in results if isinstance(it, Book)]
        unreadable = [it for it in results if isinstance(it, Unreadable)]
        place = self.folder / key
        making = self.folder / f".{key}.{os.getpid()}.new"
        try:
            remove_known(making, is_store_file)
            making.mkdir(mode=0o700, parents=True)
            _write_books(making, books, unreadable, path)
            put_in_place(
                making, place, "--cache", is_whole=lambda: self.find(key, path) is not None, is_own=is_kept, is_known=is_store_file
            )
        finally:
            remove_known(making, is_store_file)
        kept = [dataclasses.replace(book, text_or_path=place / f"{number}.txt") for number, book in enumerate(books)]
        return [*kept, *unreadable]

    def find_converted(self, book: Book, script: str) -> Book | None:
        """The book in this script if it was converted before, which is the same book if nothing had to change; else None."""
        assert isinstance(book.text_or_path, Path)
        try:
            record = json.loads(book.text_or_path.with_suffix(f".{script}.json").read_text(encoding="utf-8"))
            return _converted(book, record, script)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_converted(self, book: Book, text: str, script: str, notices: Iterable[str], changes: Mapping[str, Change]) -> Book:
        """Store the book's converted text; returns the book with it."""
        assert isinstance(book.text_or_path, Path)
        changed = bool(list(notices) or changes) or text != book.text
        if changed:
            _write(book.text_or_path.with_suffix(f".{script}.txt"), text)
        record = {
            "changed": changed,
            "characters": len(text),
            "script": script_of(text),
            "notices": list(notices),
            "changes": _plain(changes),
        }
        _write(book.text_or_path.with_suffix(f".{script}.json"), json.dumps(record, ensure_ascii=False))
        return _converted(book, record, script)


def _write_books(folder: Path, books: list[Book], unreadable: list[Unreadable], path: Path) -> None:
    for number, book in enumerate(books):
        (folder / f"{number}.txt").write_text(book.text, encoding="utf-8", newline="\n")
        np.save(folder / f"{number}.npy", book.sketch)
    records = [{name: getattr(book, name) for name in _KEPT} | {"changes": _plain(book.changes)} for book in books]
    for record in records:
        if not record["member"] and record["title"] == printable(path.stem):
            record["title"] = ""  # the file may have another name the next time
    whole = {"books": records, "unreadable": [(str(it.path.relative_to(path)), it.reason) for it in unreadable]}
    (folder / "books.json").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")


def _write(path: Path, text: str) -> None:
    making = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        making.write_text(text, encoding="utf-8", newline="\n")
        rename(making, path)
    finally:
        remove(making)


def _book(place: Path, number: int, record: dict[str, Any], path: Path) -> Book:
    about = {name: record[name] for name in _KEPT}
    about["notices"] = tuple(about["notices"])
    about["title"] = about["title"] or printable(path.stem)
    text = place / f"{number}.txt"
    if not text.is_file():
        raise KeyError(number)
    return Book(path=path, text_or_path=text, changes=_changes(record["changes"]), sketch=np.load(place / f"{number}.npy"), **about)


def _converted(book: Book, record: dict[str, Any], script: str) -> Book:
    if not record["changed"]:
        return book
    assert isinstance(book.text_or_path, Path)
    text = book.text_or_path.with_suffix(f".{script}.txt")
    return book.rewritten(text, record["characters"], record["script"], record["notices"], _changes(record["changes"]))


def _plain(changes: Mapping[str, Change]) -> dict[str, Any]:
    return {rule: dataclasses.asdict(change) for rule, change in changes.items()}


def _changes(plain: dict[str, Any]) -> dict[str, Change]:
    return {
        rule: Change(change["count"], change["characters"], [Example(**example) for example in change["examples"]])
        for rule, change in plain.items()
    }
