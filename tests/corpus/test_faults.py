"""Readers that fail because of a fault in paznja: the file is named, the rest is read, and the traceback is in the log."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.corpus.readers.made import zipped

from paznja.cache import passing_cache
from paznja.corpus import corpus as corpus_module
from paznja.corpus import faults, shelf
from paznja.corpus.book import Book, Unreadable
from paznja.corpus.corpus import read_books, read_corpus
from paznja.corpus.formats import READERS, books_in
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.store import Store
from paznja.errors import NoBooks, UnreadableBook
from paznja.preparing import prepare

TEXT = "Мост преко реке стоји одавно. "


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "cache" / "books").mkdir(parents=True)
    return Store(tmp_path / "cache" / "books", log=tmp_path / "cache" / faults.LOG)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "cache" / faults.LOG


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three books; the reader below cannot read the second."""
    folder = tmp_path / "books"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Књига {number}. {TEXT * 200}", encoding="utf-8")
    (folder / "1.txt").write_text(f"КВАР {TEXT * 200}", encoding="utf-8")
    return folder


@pytest.fixture
def cache_of_one_training(tmp_path: Path) -> Iterator[Path]:
    with passing_cache(tmp_path / "cache") as passing:
        yield passing


def endlessly(depth: int) -> int:
    return endlessly(depth + 1) + 1


READ, READ_PLAIN_TEXT = shelf._read, READERS[".txt"]


def fail(data: bytes, ledger: Ledger, *, fault: str) -> Contents:
    """A reader of plain text that fails at a certain word."""
    contents = READ_PLAIN_TEXT(data, ledger)
    if "КВАР" in contents.text:
        _ = endlessly(0) if fault == "recursion" else [][0]
    return contents


def read_with_fault(path: Path, *, fault: str, **more: Any) -> list[Book | Unreadable]:
    """Reads a file with that reader: for a process that was not forked, and so knows nothing of the fixture."""
    READERS[".txt"] = partial(fail, fault=fault)
    return READ(path, **more)


@pytest.fixture(params=["an index", "recursion"], autouse=True)
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Plain text is read with the reader that fails; gives the name of its error."""
    monkeypatch.setitem(READERS, ".txt", partial(fail, fault=request.param))
    monkeypatch.setattr(shelf, "_read", partial(read_with_fault, fault=request.param))
    return "RecursionError" if request.param == "recursion" else "IndexError"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_a_reader_fails_on_is_named_the_rest_is_read_and_the_log_tells_why(
    folder: Path, store: Store, log: Path, faulty: str, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if processes > 1:
        monkeypatch.setattr(shelf, "_BYTES_WORTH_A_PROCESS", 1000)
    corpus = read_corpus([folder], store=store, workers=processes)
    assert {book.file for book in corpus.books} == {"0.txt", "2.txt"}
    (bad,) = corpus.unreadable
    assert (bad.path, bad.reason) == (folder / "1.txt", f"could not be read, because of a fault in paznja; the details are in {log}")
    story = log.read_text(encoding="utf-8")
    assert str(folder / "1.txt") in story
    assert "paznja 0." in story
    assert faulty in story
    assert len(story) < 20_000
    if os.name == "posix":
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_strict_stops_at_a_fault(folder: Path, store: Store, log: Path) -> None:
    with pytest.raises(NoBooks, match=r"1\.txt could not be read, because of a fault in paznja; .*--strict"):
        read_corpus([folder], store=store, strict=True)
    assert log.is_file()


def test_a_member_that_a_reader_fails_on_costs_no_other_and_is_tried_again_the_next_time(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = folder.parent / "shelf.zip"
    archive.write_bytes(zipped({f"{number}.txt": (folder / f"{number}.txt").read_bytes() for number in range(3)}))
    books, (bad,) = read_books([archive], store=store)
    assert [book.member for book in books] == ["0.txt", "2.txt"]
    assert (bad.path, bad.reason[:48]) == (archive / "1.txt", "could not be read, because of a fault in paznja;")
    monkeypatch.undo()  # a later version of paznja, which can read it
    books, unreadable = read_books([archive], store=store)
    assert len(books) == 3
    assert unreadable == ()


def test_without_a_store_the_log_is_the_users(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.platformdirs, "user_log_dir", lambda name: str(tmp_path / "logs" / name))
    (bad,) = read_corpus([folder]).unreadable
    assert bad.reason.endswith(str(tmp_path / "logs" / "paznja" / "reading-errors.log"))
    assert (tmp_path / "logs" / "paznja" / "reading-errors.log").is_file()


def test_a_log_that_cannot_be_written_is_said_so(folder: Path, store: Store, log: Path) -> None:
    log.mkdir()
    (bad,) = read_corpus([folder], store=store).unreadable
    assert "because of a fault in paznja; the details could not be written to" in bad.reason


def test_a_training_that_is_to_leave_nothing_behind_names_no_log(folder: Path, cache_of_one_training: Path) -> None:
    (bad,) = prepare([folder], cache=cache_of_one_training).unreadable
    assert bad.reason == "could not be read, because of a fault in paznja"
    assert not list(cache_of_one_training.rglob(faults.LOG))


def test_the_log_starts_over_when_it_is_large(folder: Path, store: Store, log: Path, faulty: str) -> None:
    log.write_text("x" * faults.MOST_LOG_BYTES + "y")
    read_corpus([folder], store=store)
    assert log.stat().st_size < 50_000
    assert faulty in log.read_text(encoding="utf-8")


def test_a_book_that_cannot_be_converted_is_named_and_the_rest_is_there(
    tmp_path: Path, store: Store, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = corpus_module.convert

    def fail(text: str, script: str, ledger: Ledger) -> str:
        return {}["missing"] if "Друга" in text else convert(text, "latin", ledger)

    monkeypatch.setattr(corpus_module, "convert", fail)
    shelf_of_three = tmp_path / "three"
    shelf_of_three.mkdir()
    for name in ("Прва", "Друга", "Трећа"):
        (shelf_of_three / f"{name}.txt").write_text(f"{name} књига. " + TEXT * 200, encoding="utf-8")
    config = corpus_module.ReadingConfig(script="latin")
    corpus = read_corpus([shelf_of_three], config=config, store=store)
    assert {book.script for book in corpus.books} == {"latin"}
    assert [it.path.name for it in corpus.unreadable] == ["Друга.txt"]
    assert corpus.unreadable[0].reason == f"could not be converted to Latin, because of a fault in paznja; the details are in {log}"
    assert "KeyError: 'missing'" in log.read_text(encoding="utf-8")
    assert len(read_books([shelf_of_three], config=config, store=store)[0]) == 2
    with pytest.raises(NoBooks, match="could not be converted to Latin"):
        read_corpus([shelf_of_three], config=config, store=store, strict=True)
    with pytest.raises(NoBooks, match="none of the held-out files could be read"):
        read_corpus([shelf_of_three], config=config, store=store, held_out=[shelf_of_three / "Друга.txt"])


@pytest.mark.parametrize("passing", [KeyboardInterrupt, MemoryError])
def test_what_is_no_fault_passes(folder: Path, monkeypatch: pytest.MonkeyPatch, passing: type[BaseException]) -> None:
    def fail(data: bytes, ledger: Ledger) -> Contents:
        raise passing

    monkeypatch.setitem(READERS, ".txt", fail)
    with pytest.raises(passing):
        books_in(folder / "0.txt")


def test_one_file_alone_gives_the_error_behind_its_reason(folder: Path, faulty: str) -> None:
    with pytest.raises(UnreadableBook, match=r"^could not be read, because of a fault in paznja$") as caught:
        books_in(folder / "1.txt")
    assert type(caught.value.__cause__).__name__ == faulty
