"""A shelf of books: found, read, and divided into training and held-out."""

import hashlib
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus import shelf as shelf_module
from paznja.corpus.book import Book, Unreadable
from paznja.corpus.corpus import read_corpus
from paznja.corpus.finding import file_fingerprints, find_files, passed_over
from paznja.corpus.scripts.script import script_of
from paznja.corpus.splitting import split
from paznja.errors import NoBooks


def prose(seed: int, characters: int) -> str:
    """Lines of words that no two books share, clean as they are."""
    draw = random.Random(seed)
    words = [
        "".join(draw.choice("бвгдзклмнпрст") + draw.choice("аеиоу") for _ in range(draw.randint(1, 4))) for _ in range(characters // 4)
    ]
    lines = [" ".join(words[start : start + 12]).capitalize() + "." for start in range(0, len(words), 12)]
    return ("\n".join(lines)[: characters - 1].rstrip()).ljust(characters - 1, ".") + "\n"


@pytest.fixture
def library(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of plain text books, given their sizes in characters."""

    def write(*sizes: int, folder: str = "library") -> Path:
        (tmp_path / folder).mkdir(exist_ok=True)
        for number, size in enumerate(sizes):
            (tmp_path / folder / f"book {number:02}.txt").write_text(prose(number, size), encoding="utf-8")
        return tmp_path / folder

    return write


def book(name: str, characters: int) -> Book:
    line = f"Књига {name} прича о мосту и о реци која испод њега тече.\n"
    text = (line * (characters // len(line) + 1))[: characters - 1] + "\n"
    return Book(name, "", "", Path(name), hashlib.sha256(name.encode()).hexdigest(), text, len(text))


def test_folders_are_searched_in_a_stable_order_and_unknown_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.EPUB", "a/k.xml", "a/photo.jpg", ".hidden.txt", ".git/x.txt", "c/.x/y.txt", "notes.xyz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert find_files([tmp_path]) == [tmp_path / "a/k.xml", tmp_path / "a/z.EPUB", tmp_path / "b.txt"]


def test_books_of_kinds_that_are_not_read_are_counted_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.mobi", "in/c.MOBI", "in/d.doc", "photo.jpg"):
        (tmp_path / name).write_text("x")
    assert passed_over([tmp_path]) == [
        "Left out, because files of these kinds are not read: 1 .doc (open it in LibreOffice or Word and save it as .docx or .odt); "
        "2 .mobi (convert it to EPUB with Calibre)."
    ]
    assert passed_over([tmp_path / "b.mobi"]) == passed_over([]) == []


def test_what_word_writes_beside_an_open_document_is_passed_over(tmp_path: Path) -> None:
    for name in ("Roman.docx", "~$Roman.docx", "~$Stari.doc", ".~lock.Roman.docx#"):
        (tmp_path / name).write_text("x")
    assert find_files([tmp_path]) == [tmp_path / "Roman.docx"]
    assert passed_over([tmp_path]) == []
    assert find_files([tmp_path / "~$Roman.docx"]) == [tmp_path / "~$Roman.docx"]


def test_a_file_named_outright_is_kept_whatever_its_name_and_each_file_is_found_once(tmp_path: Path) -> None:
    for name in ("a.txt", "b.xyz", ".c.txt"):
        (tmp_path / name).write_text("x")
    places = [tmp_path / "b.xyz", tmp_path / ".c.txt", tmp_path, tmp_path / "a.txt", tmp_path / "." / "a.txt"]
    assert find_files(places) == [tmp_path / "b.xyz", tmp_path / ".c.txt", tmp_path / "a.txt"]


def test_links_in_a_circle_and_broken_links_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("x")
    (tmp_path / "in/up").symlink_to(tmp_path)
    (tmp_path / "in/self.txt").symlink_to(tmp_path / "in/self.txt")
    (tmp_path / "in/broken.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "z.txt").symlink_to(tmp_path / "in/a.txt")
    assert find_files([tmp_path]) == [tmp_path / "in/a.txt"]


def test_a_folder_named_like_a_book_is_searched(tmp_path: Path) -> None:
    (tmp_path / "book.txt").mkdir()
    (tmp_path / "book.txt/a.txt").write_text("x")
    assert find_files([tmp_path]) == [tmp_path / "book.txt/a.txt"]


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoBooks, match="nowhere does not exist"):
        find_files([tmp_path, tmp_path / "nowhere"])


def test_a_shelf_that_was_not_fetched_yet_is_to_be_fetched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoBooks, match=r"^eltec-srp is a shelf that can be fetched: run paznja books fetch eltec-srp first$"):
        find_files([Path("eltec-srp")])
    with pytest.raises(NoBooks, match="does not exist"):
        find_files([tmp_path / "eltec-srp"])
    Path("eltec-srp").write_text("a person's own file")
    assert find_files([Path("eltec-srp")]) == [Path("eltec-srp")]


def test_a_folder_that_may_not_be_opened_is_reported_and_the_rest_is_read(
    library: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = library(3000, 3000)
    (folder / "locked").mkdir()
    (folder / "locked" / "a.txt").write_text(prose(9, 3000))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked")  # the superuser may open everything
    corpus = read_corpus([folder])
    assert [(it.path.name, it.reason.split(";")[0]) for it in corpus.unreadable] == [("locked", "cannot be opened (no permission)")]
    assert len(corpus.books) == 2


def test_unreadable_files_are_named_with_reasons_and_the_rest_goes_on(library: Callable[..., Path]) -> None:
    folder = library(4000, 4000, 4000)
    (folder / "x.epub").write_bytes(b"nonsense")
    (folder / "a.txt").write_bytes(b"\xff\xfa")
    seen: list[tuple[int, int, str]] = []
    corpus = read_corpus([folder], on_read=lambda done, total, path: seen.append((done, total, path.name)))
    assert [(it.path.name, it.reason[:21]) for it in corpus.unreadable] == [
        ("a.txt", "is in an encoding tha"),
        ("x.epub", "is not an EPUB (it is"),
    ]
    assert (len(corpus.training), len(corpus.held_out), corpus.characters) == (2, 1, 12_000)
    assert [(done, total) for done, total, _ in seen] == [(number, 5) for number in range(1, 6)]
    assert {name for _, _, name in seen} == {"book 00.txt", "book 01.txt", "book 02.txt", "x.epub", "a.txt"}


def test_nothing_readable_lists_the_reasons(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.txt").write_bytes(b"")
    with pytest.raises(NoBooks, match=r"none of the 7 files could be read: .*0\.txt is empty; .*; and 2 more$"):
        read_corpus([tmp_path])


def test_one_file_that_cannot_be_read_is_not_spoken_of_as_many(tmp_path: Path) -> None:
    (tmp_path / "0.txt").write_bytes(b"")
    with pytest.raises(NoBooks, match=r"^the file could not be read: .*0\.txt is empty$"):
        read_corpus([tmp_path])


def test_an_empty_folder_says_what_it_was_searched_for(tmp_path: Path) -> None:
    with pytest.raises(NoBooks, match=r"no books .*\.docx, \.epub, .*\.txt, .*\.xml"):
        read_corpus([tmp_path])


def test_too_little_text_says_how_much_there_is_and_how_much_is_enough(library: Callable[..., Path]) -> None:
    with pytest.raises(NoBooks, match=r"1,999 characters, and at least 2,000 are needed; about 20,000 .* words, a million .* sentences"):
        read_corpus([library(1000, 999)])
    assert read_corpus([library(1000, 1000)]).characters == 2000


def test_the_same_bytes_twice_are_one_book(library: Callable[..., Path]) -> None:
    folder = library(4000, 4000)
    (folder / "again.txt").write_bytes((folder / "book 00.txt").read_bytes())
    corpus = read_corpus([folder])
    assert sorted(book.path.name for book in corpus.books) == ["again.txt", "book 01.txt"]
    assert [it.sentence() for it in corpus.same] == ["book 00.txt is the same file as again.txt and is left out."]
    (folder / "again.txt").rename(folder / "book 00 (copy).txt")
    (folder / "in").mkdir()
    (folder / "in" / "book 01.txt").write_bytes((folder / "book 01.txt").read_bytes())
    assert [it.sentence() for it in read_corpus([folder]).same] == [
        "book 00 (copy).txt is the same file as book 00.txt and is left out.",
        f"{folder}/in/book 01.txt is the same file as {folder}/book 01.txt and is left out.",
    ]


def test_named_held_out_files_are_held_out_and_their_copies_do_not_train(library: Callable[..., Path], tmp_path: Path) -> None:
    folder = library(4000, 4000, 4000, 4000)
    (folder / "copy.txt").write_bytes((folder / "book 01.txt").read_bytes())
    (tmp_path / "elsewhere.txt").write_text(prose(77, 3000), encoding="utf-8")
    held_out = [folder / ".." / "library" / "book 01.txt", tmp_path / "elsewhere.txt"]
    corpus = read_corpus([folder], held_out=held_out)
    assert [book.path.name for book in corpus.held_out] == ["book 01.txt", "elsewhere.txt"]
    assert [book.path.name for book in corpus.training] == ["book 00.txt", "book 02.txt", "book 03.txt"]
    assert [it.sentence() for it in corpus.same] == ["copy.txt is the same file as book 01.txt and is left out."]
    (tmp_path / "its copy.txt").write_bytes((folder / "book 01.txt").read_bytes())
    corpus = read_corpus([folder], held_out=[tmp_path / "its copy.txt"])
    assert [book.path.name for book in corpus.held_out] == ["its copy.txt"]
    assert [book.path.name for book in corpus.training] == ["book 00.txt", "book 02.txt", "book 03.txt"]


def test_holding_out_everything_or_something_unreadable_is_refused(library: Callable[..., Path], tmp_path: Path) -> None:
    folder = library(4000, 4000)
    with pytest.raises(NoBooks, match="every book is held out"):
        read_corpus([folder], held_out=[folder])
    (tmp_path / "x.txt").write_bytes(b"")
    with pytest.raises(NoBooks, match=r"none of the held-out files could be read: .*x\.txt is empty"):
        read_corpus([folder], held_out=[tmp_path / "x.txt"])


def test_the_order_and_the_choice_of_held_out_books_do_not_depend_on_where_the_files_lie(library: Callable[..., Path]) -> None:
    here, there = library(4000, 5000, 6000, folder="here"), library(4000, 5000, 6000, folder="there/")
    (there / "aa").mkdir()
    (there / "book 01.txt").rename(there / "aa" / "book 01.txt")
    one, two = read_corpus([here]), read_corpus([there / "book 02.txt", there / "aa", there])
    assert [book.path.name for book in one.books] == [book.path.name for book in two.books]
    assert [book.path.name for book in one.held_out] == [book.path.name for book in two.held_out]


def test_a_single_book_holds_out_its_last_tenth_cut_between_paragraphs() -> None:
    whole = book("sam.txt", 50_000)
    (beginning,), (end,) = split([whole])
    assert beginning.text + end.text == whole.text
    assert 0.09 < len(end.text) / len(whole.text) < 0.11
    assert beginning.text.endswith("\n")
    assert (beginning.part, end.part) == ("beginning", "end")
    assert (beginning.title, beginning.path, beginning.sha256) == (end.title, end.path, end.sha256)


def test_a_single_book_of_one_paragraph_is_cut_between_words() -> None:
    text = "реч " * 1000 + "крај\n"
    whole = Book("x", "", "", Path("x"), "0", text, len(text))
    (beginning,), (end,) = split([whole])
    assert beginning.text.endswith("реч\n")
    assert end.text.startswith("реч ")
    assert 0.09 < len(end.text) / len(whole.text) < 0.11


@given(st.lists(st.integers(500, 40_000), min_size=2, max_size=40))
def test_split_holds_out_whole_books_about_a_twentieth_and_never_a_large_one_if_it_can_be_helped(sizes: list[int]) -> None:
    books = [book(f"{number}.txt", size) for number, size in enumerate(sizes)]
    training, held_out = split(books)
    total = sum(sizes)
    assert sorted(it.path for it in training + held_out) == sorted(it.path for it in books)
    assert training
    assert held_out
    if min(sizes) <= total / 5:
        assert all(len(it.text) <= total / 5 for it in held_out)
    if max(sizes) <= total / 20:
        assert 0.025 <= sum(len(it.text) for it in held_out) / total <= 0.075
    assert split(books[::-1]) == (training, held_out)


def test_split_does_not_look_at_where_a_book_lies_or_what_it_is_called() -> None:
    books = [book(f"{number}.txt", 3000 + number) for number in range(30)]
    renamed = [Book("нов наслов", "", "", Path("/x") / f"{99 - n}.txt", it.sha256, it.text, it.characters) for n, it in enumerate(books)]
    assert {it.sha256 for it in split(books)[1]} == {it.sha256 for it in split(renamed)[1]}


def test_file_fingerprints_are_the_books_hashes_and_empty_for_a_missing_file(library: Callable[..., Path]) -> None:
    folder = library(4000, 4000)
    found = dict(file_fingerprints([*find_files([folder]), folder / "nowhere.txt"]))
    assert found == {it.path: it.sha256 for it in read_corpus([folder]).books} | {folder / "nowhere.txt": ""}


def test_several_processes_read_the_same_corpus_as_one(library: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = library(4000, 30_000, 5000, 6000)
    (folder / "bad.txt").write_bytes(b"\0")
    alone = read_corpus([folder], workers=1)
    monkeypatch.setattr(shelf_module, "_BYTES_WORTH_A_PROCESS", 1000)
    seen: list[int] = []
    assert read_corpus([folder], workers=2, on_read=lambda done, total, path: seen.append(done)) == alone
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("guard", ['if __name__ == "__main__":', "if True:"])
def test_a_script_reads_once_however_processes_start_and_even_without_a_main_guard(
    library: Callable[..., Path], tmp_path: Path, method: str, guard: str
) -> None:
    folder = library(4000, 30_000, 5000, 6000)
    (tmp_path / "script.py").write_text(
        textwrap.dedent(f"""
            import multiprocessing
            from pathlib import Path
            from paznja.corpus import corpus, shelf
            multiprocessing.set_start_method("{method}", force=True)
            shelf._BYTES_WORTH_A_PROCESS = 1000
            {guard}
                books = corpus.read_corpus([Path({str(folder)!r})], workers=2).books
                print("read", len(books), sum(len(book.text) for book in books))
        """),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "read 4 45000\n", "")


READ = shelf_module._read


def die_some_times(path: Path, *, tests_process: int, folder: Path, times: int, **more: Any) -> list[Book | Unreadable]:
    """Reads a file, but ends its process, and leaves a file in `folder`, the first times that it is to read a certain book."""
    if os.getpid() != tests_process and path.name == "book 02.txt" and len(list(folder.glob("died*"))) < times:
        (folder / f"died {os.getpid()}").touch()
        os._exit(9)
    return READ(path, **more)


@pytest.mark.parametrize("times", [1, 99])
def test_a_file_that_brings_its_process_down_costs_no_other_book(
    library: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    folder = library(4000, 30_000, 5000, 6000)
    read = partial(die_some_times, tests_process=os.getpid(), folder=tmp_path, times=times)
    monkeypatch.setattr(shelf_module, "_read", read)
    monkeypatch.setattr(shelf_module, "_BYTES_WORTH_A_PROCESS", 1000)
    seen: list[int] = []
    corpus = read_corpus([folder], workers=2, on_read=lambda done, total, path: seen.append(done))
    assert seen == [1, 2, 3, 4]
    assert len(list(tmp_path.glob("died*"))) == min(times, 2)
    assert len(corpus.books) == (4 if times == 1 else 3)
    assert [(it.path.name, it.reason[:28]) for it in corpus.unreadable] == (
        [] if times == 1 else [("book 02.txt", "is so damaged that the progr")]
    )


def test_the_whole_shelf_is_read_with_titles_authors_and_both_scripts(shelf: Path) -> None:
    corpus = read_corpus([shelf])
    assert len(corpus.books) == 92
    assert corpus.unreadable == ()
    assert 25_000_000 < corpus.characters < 25_700_000
    assert 0.04 < sum(len(it.text) for it in corpus.held_out) / corpus.characters < 0.06
    assert all(it.author and "ELTeC" not in it.title and "(" not in it.author for it in corpus.books)
    scripts = [(script_of(it.text), it.converted_from, it.language) for it in corpus.books]
    assert (scripts.count(("cyrillic", "", "sr-Cyrl")), scripts.count(("cyrillic", "latin", "sr-Latn"))) == (90, 2)
