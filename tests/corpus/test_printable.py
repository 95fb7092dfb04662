"""Names from outside, made safe to show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paznja.corpus.formats import read_book
from paznja.corpus.printable import printable
from paznja.corpus.shelf import read_files
from paznja.corpus.store import Store


def test_what_a_terminal_would_obey_is_written_out_and_letters_stay() -> None:
    assert printable("a\x1b[31m\x9b2J\r\n") == "a<U+001B>[31m<U+009B>2J<U+000D><U+000A>"
    assert printable("\u202eтекст\u2066\u2028") == "<U+202E>текст<U+2066><U+2028>"
    assert printable(os.fsdecode(b"\xe9.txt")) in ("<U+DCE9>.txt", "\xe9.txt")
    for text in ("Џошuа и Ђурђа — „ž“ №1\xa0!", "क\u200dष", "👩\u200d🚒"):
        assert printable(text) == text


@pytest.mark.skipif(os.name != "posix", reason="no such names elsewhere")
def test_a_title_from_a_files_name_is_printable_read_or_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J.txt"
    path.write_text("Текст.", encoding="utf-8")
    assert read_book(path).title == "a<U+001B>[2J"
    store = Store(tmp_path / "store")
    for _ in range(2):
        (book,) = read_files([path], store=store)
        assert getattr(book, "title", "") == "a<U+001B>[2J"
    (book,) = read_files([path.rename(tmp_path / "b\x1b.txt")], store=store)
    assert getattr(book, "title", "") == "b<U+001B>"


@pytest.mark.skipif(os.name != "posix", reason="no such names elsewhere")
def test_nothing_that_a_terminal_would_obey_is_printed_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    for name in ("a\x1b[2J.txt", "b\x1b[2J.txt"):
        (folder / name).write_text("Мост преко реке. " * 1000, encoding="utf-8")
    (folder / "c\x1b]0;x\x07\n\u202e.txt").write_bytes(b"\0" * 100)
    command = [sys.executable, "-m", "paznja", "books", str(folder), "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "c<U+001B>]0;x<U+0007><U+000A><U+202E>.txt" in done.stderr
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout + done.stderr)
    done = subprocess.run([*command, "--strict"], capture_output=True, text=True, check=False)
    assert "c<U+001B>]0;x" in done.stderr
    assert "\x1b" not in done.stderr
