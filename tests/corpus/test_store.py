"""Files that were read are kept by their contents, and nothing that may be wrong is kept."""

import zipfile
from pathlib import Path

import pytest

from paznja.config import ReadingConfig
from paznja.corpus import shelf
from paznja.corpus.book import Book, Unreadable
from paznja.corpus.corpus import in_one_script
from paznja.corpus.shelf import read_files
from paznja.corpus.store import Store

TEXT = "Уђосмо у чамац, а отац рече: „Ово је мост.“ Река је текла споро.\n" * 40


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are really read from now on."""
    really, seen = shelf.books_in, []

    def watched(path: Path, off: frozenset[str]) -> list[Book | Unreadable]:
        seen.append(path.name)
        return really(path, off)

    monkeypatch.setattr(shelf, "books_in", watched)
    return seen


def test_a_book_comes_back_from_the_store_as_it_was_read_under_the_name_it_has_now(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "мост.txt").write_bytes(TEXT.encode("cp1251"))
    (first,) = read_files([tmp_path / "мост.txt"], store=store)
    seen = reads(monkeypatch)
    (tmp_path / "мост.txt").rename(tmp_path / "река.txt")
    (again,) = read_files([tmp_path / "река.txt"], store=store)
    assert isinstance(first, Book)
    assert isinstance(again, Book)
    assert seen == []
    assert (again.title, again.path.name) == ("река", "река.txt")
    assert (again.text, again.notices, again.characters, again.script) == (TEXT, first.notices, len(TEXT), "cyrillic")
    assert "Windows-1251" in again.notices[0]
    assert again.sketch.tolist() == first.sketch.tolist() != []


def test_other_rules_another_ending_and_a_changed_byte_are_read_again(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    read_files([path], store=store)
    seen = reads(monkeypatch)
    read_files([path], off=["accents"], store=store)
    read_files([path.rename(tmp_path / "a.md")], store=store)
    path.write_text(TEXT + "Крај.\n", encoding="utf-8")
    read_files([path], store=store)
    assert seen == ["a.txt", "a.md", "a.txt"]


def test_what_of_an_archive_cannot_be_read_is_kept_with_the_rest(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", TEXT)
        archive.writestr("bad.txt", b"")
    first = read_files([path], store=store)
    seen = reads(monkeypatch)
    assert read_files([path], store=store) == first
    assert seen == []
    assert [(it.path, it.reason) for it in first if isinstance(it, Unreadable)] == [(path / "bad.txt", "is empty")]


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    really = shelf.books_in

    def meanwhile(path: Path, off: frozenset[str]) -> list[Book | Unreadable]:
        books = really(path, off)
        with path.open("a", encoding="utf-8") as file:
            file.write("И још нешто.\n")
        return books

    monkeypatch.setattr(shelf, "books_in", meanwhile)
    (result,) = read_files([path], store=store)
    assert isinstance(result, Unreadable)
    assert result.reason.startswith("changed while it was being read; wait until")
    monkeypatch.undo()
    (result,) = read_files([path], store=store)
    assert isinstance(result, Book)
    assert result.text.endswith("И још нешто.\n")


def test_damaged_entries_are_read_again(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    read_files([path], store=store)
    (entry,) = store.folder.iterdir()
    (entry / "books.json").write_text("{", encoding="utf-8")
    seen = reads(monkeypatch)
    (again,) = read_files([path], store=store)
    assert isinstance(again, Book)
    read_files([path], store=store)
    assert seen == ["a.txt"]
    assert again.text == TEXT


def test_a_conversion_is_kept_too_and_a_text_that_needs_none_is_not_written_twice(tmp_path: Path, store: Store) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    books = [it for it in read_files([tmp_path / "a.txt"], store=store) if isinstance(it, Book)]
    (latin,), script, _ = in_one_script(books, ReadingConfig(script="latin"), store)
    assert (script, latin.script, latin.converted_from) == ("latin", "latin", "cyrillic")
    assert latin.text.startswith("Uđosmo u čamac, a otac reče: „Ovo je most.“")
    (again,), *_ = in_one_script(books, ReadingConfig(script="latin"), store)
    assert (again.text, again.notices, again.converted_from) == (latin.text, latin.notices, "cyrillic")
    (same,), *_ = in_one_script(books, ReadingConfig(script="cyrillic"), store)
    assert same.text_or_path == books[0].text_or_path
