"""`paznja books`: what a person sees of a shelf before training."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import paznja
from paznja.cli import main
from paznja.corpus.formats import read_book
from paznja.corpus.scripts.transliteration import to_latin
from paznja.errors import NoBooks, WrongUse

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def paznja_books(cache: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `paznja books` with these arguments: the exit code, what was printed, and what went to standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["books", *map(str, arguments), "--cache", str(cache)])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return run


def test_the_table_has_a_line_a_book_the_totals_and_a_verdict(books: Path, paznja_books: Run) -> None:
    code, out, err = paznja_books(books)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["title", "author", "format", "script", "characters", "used", "for", "remarks"]
    for story in books.iterdir():
        characters = f"{len(read_book(story).text):,}"
        (line,) = [line for line in lines if line.startswith(story.stem)]
        assert "txt" in line
        assert "Cyrillic" in line
        assert characters in line
    assert sum("held-out" in line for line in lines) == 1
    assert sum("training" in line for line in lines) == 4
    assert any(line.startswith("5 books, ") for line in lines)
    assert any(line.startswith("Little: enough to see words.") for line in lines)


def test_the_same_can_be_had_as_json_and_from_python(books: Path, cache: Path, paznja_books: Run) -> None:
    code, out, _ = paznja_books(books, "--json")
    whole = json.loads(out)
    corpus = paznja.read_shelf(books, cache=cache)
    assert code == 0
    assert [(book["title"], book["characters"], book["held_out"]) for book in whole["books"]] == [
        (book.title, len(book.text), book in corpus.held_out) for book in corpus.books
    ]
    assert whole["characters"] == corpus.characters
    assert whole["verdict"].startswith("Little")


def test_a_bad_file_is_named_the_rest_goes_on_and_strict_stops(books: Path, paznja_books: Run) -> None:
    (books / "empty.txt").write_bytes(b"")
    code, out, err = paznja_books(books)
    assert code == 3
    assert err == f"Not read: {books / 'empty.txt'}: is empty\n"
    assert "5 books" in out
    code, out, err = paznja_books(books, "--strict")
    assert (code, out) == (1, "")
    assert err == f"Error: {books / 'empty.txt'} is empty (--strict stops at the first such file).\n"


def test_the_text_is_written_as_training_sees_it_into_a_new_folder_alone(
    books: Path, tmp_path: Path, cache: Path, paznja_books: Run
) -> None:
    (books / "again").mkdir()
    (books / "again" / f"{min(books.glob('*.txt')).stem}.md").write_text("Сасвим друга прича о нечем другом.\n", encoding="utf-8")
    code, out, _ = paznja_books(books, "--out", tmp_path / "clean")
    assert code == 0
    assert f"6 files written to {tmp_path / 'clean'}." in out
    written = sorted(path.read_text(encoding="utf-8") for path in (tmp_path / "clean").iterdir())
    assert written == sorted(book.text for book in paznja.read_shelf(books, cache=cache).books)
    code, _, err = paznja_books(books, "--out", tmp_path / "clean")
    assert (code, "not an empty folder" in err) == (2, True)


def test_one_book_is_shown_by_a_part_of_its_title_in_either_script(books: Path, paznja_books: Run, tmp_path: Path) -> None:
    (books / "Мост на реци.txt").write_text("\ufeffПрви пасус.\n\nДруги.\n", encoding="utf-8")
    for wanted in ("Мост на реци", "most na", "МОСТ"):
        code, out, _ = paznja_books(books, "--show", wanted)
        assert code == 0
        assert out.startswith("Мост на реци")
        assert "Први пасус." in out
    code, _, err = paznja_books(books, "--show", "Ћуприја")
    assert code == 2
    assert "No book matches 'Ћуприја'; there are " in err
    code, _, err = paznja_books(books, "--show", "о")
    assert (code, "Several books match" in err) == (2, True)


def test_the_other_script_is_brought_to_that_of_most_books_or_to_the_one_asked_for_or_kept(books: Path, paznja_books: Run) -> None:
    story = min(books.iterdir())
    story.write_text(to_latin(story.read_text(encoding="utf-8")), encoding="utf-8")

    def scripts(*options: str) -> set[tuple[str, str]]:
        whole = json.loads(paznja_books(books, "--json", *options)[1])
        return {(book["script"], book["converted_from"]) for book in whole["books"]}

    assert scripts() == {("cyrillic", ""), ("cyrillic", "latin")}
    assert scripts("--script", "latin") == {("latin", ""), ("latin", "cyrillic")}
    assert scripts("--script", "keep") == {("cyrillic", ""), ("latin", "")}
    assert "1 book was converted to Cyrillic" in paznja_books(books)[1]
    code, _, err = paznja_books(books, "--script", "runes")
    assert (code, "no script 'runes'" in err) == (2, True)


def test_an_unknown_rule_is_refused_with_those_that_there_are(books: Path, cache: Path) -> None:
    with pytest.raises(WrongUse, match=r"no rule .magic.; the rules are: .*mojibake"):
        paznja.read_shelf(books, without=["magic"], cache=cache)


def test_a_little_text_can_be_looked_at_though_not_learnt_from(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.txt").write_text("Мост.\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Река.\n", encoding="utf-8")
    assert paznja.read_shelf(tmp_path, cache=cache / "x").characters == 12
    with pytest.raises(NoBooks, match="too little text"):
        paznja.train(tmp_path, iterations=1, cache=cache / "x", out=tmp_path / "runs")


def test_a_second_look_reads_only_what_is_new(books: Path, cache: Path, stories_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from paznja.corpus import shelf

    read: list[str] = []
    really = shelf.books_in

    def counted(path: Path, off: frozenset[str]):
        read.append(path.name)
        return really(path, off)

    monkeypatch.setattr(shelf, "books_in", counted)
    first = paznja.read_shelf(books, cache=cache)
    assert len(read) == 5
    shutil.copy(sorted(stories_folder.glob("*.txt"))[7], books / "new.txt")
    second = paznja.read_shelf(books, cache=cache)
    assert read[5:] == ["new.txt"]
    assert {book.text for book in first.books} < {book.text for book in second.books}


def test_what_can_be_fetched_is_listed_and_a_wrong_name_or_address_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def fetch(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["books", "fetch", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    code, out, err = fetch()
    assert (code, err) == (0, "")
    assert out.startswith("eltec-srp: ELTeC-srp: 100 Serbian novels")
    assert fetch("moby-dick")[0] == 2
    assert fetch("eltec-srp", "--from", "nowhere", "--into", tmp_path)[0] == 2
    code, _, err = fetch("eltec-srp", "--from", "http://127.0.0.1:9/", "--into", tmp_path)
    assert code == 1
    assert "there is no connection to 127.0.0.1" in err


def test_a_fetched_shelf_answers_to_its_name_unless_a_file_is_called_so(
    books: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("paznja.corpus.fetching.fetched_folder", lambda name: books if name == "eltec-srp" else None)
    monkeypatch.chdir(tmp_path)
    assert len(paznja.read_shelf("eltec-srp", cache=cache).books) == 5
    with pytest.raises(NoBooks, match="eltec-eng does not exist"):
        paznja.read_shelf("eltec-eng", cache=cache)
    (tmp_path / "eltec-srp").mkdir()
    shutil.copy(min(books.iterdir()), tmp_path / "eltec-srp" / "one.txt")
    assert {book.path.name for book in paznja.read_shelf("eltec-srp", cache=cache).books} == {"one.txt"}


def hear_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
def test_two_ctrl_c_while_books_are_read_stop_it(stories_folder: Path, tmp_path: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(stories_folder.glob("*.txt")))
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"{number} {text}", encoding="utf-8")
    command = [sys.executable, "-m", "paznja", "books", str(folder), "--cache", str(tmp_path / "cache")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts) as reading:
        while not list((tmp_path / "cache").glob("books/*")):
            assert reading.poll() is None
            time.sleep(0.01)
        reading.send_signal(signal.SIGINT)
        time.sleep(0.02)
        reading.send_signal(signal.SIGINT)
        try:
            said = reading.communicate(timeout=60)[1]  # before, it waited for itself forever
        finally:
            reading.kill()
    assert (reading.returncode, said.strip()) == (130, "Stopped.")
    assert 0 < len(list((tmp_path / "cache").glob("books/*"))) < 40
