"""One file, one book, or one reason that a person can act on."""

import hashlib
import os
from pathlib import Path

import pytest

from paznja.corpus.formats import READERS, read_book
from paznja.corpus.readers.contents import Contents
from paznja.errors import UnreadableBook


def reason(path: Path) -> str:
    with pytest.raises(UnreadableBook) as caught:
        read_book(path)
    return str(caught.value)


def test_a_book_carries_its_file_name_its_hash_and_its_clean_text(tmp_path: Path) -> None:
    path = tmp_path / "Na Drini ćuprija.TXT"
    data = "\ufeffPrvi  pasus.\r\n\r\nDrugi.".encode()
    path.write_bytes(data)
    book = read_book(path)
    assert (book.title, book.author, book.language, book.part) == ("Na Drini ćuprija", "", "", "")
    assert book.path == path
    assert book.sha256 == hashlib.sha256(data).hexdigest()
    assert book.text == "Prvi pasus.\nDrugi.\n"


def test_a_new_format_is_one_line_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, ".upper", lambda data, ledger: Contents(data.decode().upper(), title="  T\n\u00ad1 "))
    (tmp_path / "a.upper").write_text("most")
    book = read_book(tmp_path / "a.upper")
    assert (book.text, book.title) == ("MOST\n", "T 1")


def test_an_empty_file_and_one_of_spaces_say_that_they_are_empty(tmp_path: Path) -> None:
    for name, data in {"a.txt": b"", "b.txt": b" \n\t", "c.xml": b"", "d.epub": b""}.items():
        (tmp_path / name).write_bytes(data)
        assert reason(tmp_path / name) == "is empty"


def test_a_file_of_invisible_marks_alone_holds_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeff\u200b\n", encoding="utf-8")
    assert reason(tmp_path / "a.txt").startswith("holds no text")


def test_a_file_of_nul_bytes_is_called_binary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(4096))
    assert reason(tmp_path / "a.txt").startswith("is a binary file, not text")


def test_a_folder_named_like_a_book_is_called_a_folder(tmp_path: Path) -> None:
    (tmp_path / "book.txt").mkdir()
    assert reason(tmp_path / "book.txt").startswith("is a folder, not a file")


def test_an_unknown_ending_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    known = ".docx, .epub, .fb2, .htm, .html, .markdown, .md, .odt, .pdf, .rtf, .text, .txt, .xhtml, .xml, .zip"
    assert reason(tmp_path / "a.xyz") == f"is a .xyz file, which cannot be read; save it as one of {known}"
    assert reason(tmp_path / "b").startswith("is a file without an ending")


def test_a_file_far_larger_than_a_book_is_refused_before_it_is_read(tmp_path: Path) -> None:
    for name, size in {"a.txt": 2**30, "b.xyz": 2**30, "c.pdf": 2**30}.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    for name, most in {"a.txt": 100, "b.xyz": 100, "c.pdf": 500}.items():
        wanted = f"is larger than a book: 1,024 MB, and paznja reads at most {most} MB; split it into several files"
        assert reason(tmp_path / name) == wanted


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    assert reason(tmp_path / "a.txt") == "does not exist (any more)"


def test_a_file_without_permission_says_what_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Мост.", encoding="utf-8")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything

        def refuse(self: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "read_bytes", refuse)
    assert reason(path) == "cannot be opened (no permission); change its permissions or copy it to a folder of your own"


def test_a_failing_disk_is_reported_and_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path) -> bytes:
        raise OSError(5, "Input/output error", str(self))

    (tmp_path / "a.txt").write_text("Мост.", encoding="utf-8")
    monkeypatch.setattr(Path, "read_bytes", fail)
    assert reason(tmp_path / "a.txt").startswith("cannot be read from the disk (Input/output error)")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert reason(tmp_path / "a.txt").startswith("is not an ordinary file")
