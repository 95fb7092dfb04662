"""Prepared books: read once, found again by what they are, never mistaken for others, and safe in the runs that use them."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paznja import preparing
from paznja.cache import clear_cache
from paznja.config import ReadingConfig
from paznja.corpus.corpus import read_books, read_corpus
from paznja.corpus.formats import READERS
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.scripts.transliteration import to_latin
from paznja.errors import NoBooks, TrainingFailed, WrongUse
from paznja.prepared import Prepared
from paznja.preparing import describe_files, prepare
from paznja.tokenizers import load_tokenizer


class Readings:
    """Counts what is read."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, str]] = []

    def __call__(self, done: int, total: int, path: Path) -> None:
        self.seen.append((done, total, path.name))


@pytest.fixture
def readings() -> Readings:
    return Readings()


def held_out(prepared: Prepared) -> set[str]:
    return {book.file for book in prepared.books if book.held_out}


def texts(prepared: Prepared) -> dict[tuple[str, str], str]:
    """What the ids say, a book each."""
    tokenizer = load_tokenizer(prepared.folder / "tokenizer.json", "characters")
    ids = np.fromfile(prepared.folder / "corpus.bin", dtype=np.uint16)
    ends = np.cumsum([book.tokens for book in prepared.books])
    assert ends[-1] == len(ids)
    return {(book.file, book.part): tokenizer.decode(ids[end - book.tokens : end]) for book, end in zip(prepared.books, ends, strict=True)}


def test_ids_decode_to_the_books_texts(books: Path, cache: Path):
    prepared = prepare([books], cache=cache)
    found, _ = read_books([books])
    assert texts(prepared) == {(book.path.name, ""): book.text for book in found}
    assert {book.file: book.characters for book in prepared.books} == {book.path.name: len(book.text) for book in found}
    assert prepared.training_characters + prepared.held_out_characters == sum(len(book.text) for book in found)
    assert prepared.script == "cyrillic"


def test_training_books_come_first_and_the_held_out_ones_are_those_that_the_corpus_chose(books: Path, cache: Path):
    prepared = prepare([books], cache=cache)
    corpus = read_corpus([books])
    assert [(book.file, book.held_out) for book in prepared.books] == [
        *((book.path.name, False) for book in corpus.training),
        *((book.path.name, True) for book in corpus.held_out),
    ]


def test_the_alphabet_comes_from_the_training_books_alone(tmp_path: Path, books: Path, cache: Path):
    strange = tmp_path / "strange.txt"
    strange.write_text("☃☃☃☃ " * 100, encoding="utf-8")
    prepared = prepare([books], held_out=[strange], cache=cache)
    assert load_tokenizer(prepared.folder / "tokenizer.json", "characters").unknown_characters("☃а") == ["☃"]
    assert texts(prepared)["strange.txt", ""].count("☃") == 400


def test_single_book_is_cut_and_both_parts_are_kept(some_stories: list[Path], cache: Path):
    prepared = prepare([some_stories[0]], cache=cache)
    assert [(book.part, book.held_out) for book in prepared.books] == [("beginning", False), ("end", True)]
    (whole,), _ = read_books([some_stories[0]])
    parts = texts(prepared)
    beginning, end = parts[some_stories[0].name, "beginning"], parts[some_stories[0].name, "end"]
    assert (beginning + end).split() == whole.text.split()
    assert 0.05 < len(end) / len(whole.text) < 0.2


def test_second_time_comes_from_the_cache_and_nothing_is_read(books: Path, cache: Path, readings: Readings):
    first = prepare([books], cache=cache, on_read=readings)
    assert [(done, total) for done, total, _ in readings.seen] == [(i, 5) for i in range(1, 6)]
    assert {name for _, _, name in readings.seen} == {path.name for path in books.iterdir()}
    readings.seen.clear()
    second = prepare([books], cache=cache, on_read=readings)
    assert not readings.seen
    assert (first.cached, second.cached) == (False, True)
    assert (second.folder, second.books, second.fingerprint, second.script) == (first.folder, first.books, first.fingerprint, first.script)


def test_books_that_moved_or_were_named_one_by_one_are_found_in_the_cache(books: Path, cache: Path, tmp_path: Path, readings: Readings):
    first = prepare([books], cache=cache)
    elsewhere = tmp_path / "elsewhere" / "deep"
    shutil.copytree(books, elsewhere)
    assert prepare([elsewhere.parent], cache=cache, on_read=readings).folder == first.folder
    assert prepare(sorted(books.iterdir(), reverse=True), cache=cache, on_read=readings).folder == first.folder
    assert not readings.seen


def test_changed_byte_gives_other_data(books: Path, cache: Path, readings: Readings):
    first = prepare([books], cache=cache)
    book = min(books.iterdir())
    before = book.read_text(encoding="utf-8")
    book.write_text(before[:-2] + "!\n", encoding="utf-8")
    second = prepare([books], cache=cache, on_read=readings)
    assert len(readings.seen) == 5
    assert second.fingerprint != first.fingerprint
    assert texts(second)[book.name, ""].endswith("!\n")
    assert not texts(first)[book.name, ""].endswith("!\n")
    book.write_text(before, encoding="utf-8")
    assert prepare([books], cache=cache).folder == first.folder


def test_new_missing_and_renamed_books_give_other_data(books: Path, cache: Path):
    fingerprints = {prepare([books], cache=cache).fingerprint}
    shutil.copy(min(books.iterdir()), books / "copy.txt")
    fingerprints.add(prepare([books], cache=cache).fingerprint)
    (books / "copy.txt").rename(books / "copy of it.txt")
    fingerprints.add(prepare([books], cache=cache).fingerprint)
    (books / "copy of it.txt").unlink()
    max(books.iterdir()).unlink()
    fingerprints.add(prepare([books], cache=cache).fingerprint)
    assert len(fingerprints) == 4


def test_held_out_choice_is_respected_wherever_the_file_lies(books: Path, cache: Path, tmp_path: Path):
    inside = sorted(books.iterdir())[2]
    chosen = prepare([books], held_out=[inside], cache=cache)
    assert held_out(chosen) == {inside.name}
    outside = tmp_path / "outside.txt"
    outside.write_text(to_latin(inside.read_text(encoding="utf-8")), encoding="utf-8")
    assert held_out(prepare([books], held_out=[outside], cache=cache)) == {"outside.txt"}
    automatic = prepare([books], cache=cache)
    assert len({chosen.fingerprint, automatic.fingerprint}) == 2
    assert len(held_out(automatic)) == 1


def test_choosing_what_would_be_chosen_anyway_is_still_a_choice_of_its_own(books: Path, cache: Path):
    automatic = prepare([books], cache=cache)
    named = prepare([books], held_out=[books / held_out(automatic).pop()], cache=cache)
    assert named.fingerprint != automatic.fingerprint
    assert named.books == automatic.books


def test_unreadable_files_are_remembered_from_the_cache(books: Path, cache: Path, readings: Readings):
    (books / "scan.txt").write_bytes(b"\x00\x01\x02" * 100)
    (books / "empty.epub").touch()
    first = prepare([books], cache=cache)
    second = prepare([books], cache=cache, on_read=readings)
    assert second.cached
    assert not readings.seen
    assert [bad.path.name for bad in first.unreadable] == ["empty.epub", "scan.txt"]
    assert second.unreadable == first.unreadable
    assert all(bad.reason for bad in second.unreadable)


def test_unreadable_file_that_was_repaired_is_read(books: Path, cache: Path, stories_folder: Path):
    (books / "scan.txt").write_bytes(b"\x00\x01\x02" * 100)
    assert len(prepare([books], cache=cache).books) == 5
    shutil.copy(sorted(stories_folder.glob("*.txt"))[5], books / "scan.txt")
    repaired = prepare([books], cache=cache)
    assert len(repaired.books) == 6
    assert not repaired.unreadable


def test_a_file_that_failed_by_a_fault_or_because_memory_ran_out_is_tried_again(books: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    read = READERS[".txt"]
    bad, *_ = sorted(books.iterdir())
    for error in (IndexError, MemoryError):

        def fail(data: bytes, ledger: Ledger, error: type[Exception] = error) -> Contents:
            if data == bad.read_bytes():
                raise error
            return read(data, ledger)

        with monkeypatch.context() as patched:
            patched.setitem(READERS, ".txt", fail)
            without = prepare([books], cache=cache)
            assert [it.path for it in without.unreadable] == [bad]
            assert prepare([books], cache=cache).unreadable == without.unreadable
        now = prepare([books], cache=cache)
        assert not now.unreadable
        assert len(now.books) == len(without.books) + 1
        clear_cache(cache)


def test_the_same_book_in_the_other_script_is_used_once_and_it_is_said(books: Path, cache: Path):
    story = min(books.iterdir())
    (books / "copy.txt").write_text(to_latin(story.read_text(encoding="utf-8")), encoding="utf-8")
    prepared = prepare([books], cache=cache)
    assert len(prepared.books) == 5
    assert len([remark for remark in prepared.remarks if "copy.txt" in remark and story.name in remark and "the same book" in remark]) == 1
    assert prepare([books], cache=cache).remarks == prepared.remarks


def test_script_is_the_one_that_most_of_the_text_is_in(books: Path, cache: Path):
    shelf = sorted(books.iterdir())
    for book in shelf[:3]:
        book.write_text(to_latin(book.read_text(encoding="utf-8")), encoding="utf-8")
    assert prepare([books], held_out=[shelf[3]], cache=cache).script == "latin"
    kept = ReadingConfig(script="keep")
    assert prepare([books], held_out=[shelf[3]], config=kept, cache=cache).script == "latin"
    assert prepare([books], held_out=[shelf[0], shelf[1]], config=kept, cache=cache).script == "cyrillic"


def test_nothing_to_learn_from_is_refused_and_leaves_nothing_in_the_cache(tmp_path: Path, books: Path, cache: Path):
    (tmp_path / "note.txt").write_text("Мало.", encoding="utf-8")
    with pytest.raises(NoBooks, match="too little text"):
        prepare([tmp_path / "note.txt"], cache=cache)
    with pytest.raises(NoBooks, match="nowhere does not exist"):
        prepare([tmp_path / "nowhere"], cache=cache)
    with pytest.raises(WrongUse, match="no tokenizer 'runes'"):
        prepare([books], tokenizer="runes", cache=cache)
    assert not list(cache.glob("*/prepared.json"))
    assert not list(cache.glob("*.new"))


def test_killed_while_preparing_the_next_one_starts_over(
    books: Path, cache: Path, tmp_path: Path, killed_everywhere: Callable[..., list[Path]]
):
    whole = texts(prepare([books], cache=cache))
    home = tmp_path / "home"
    (home / "cache").mkdir(parents=True)
    (home / "books").mkdir()
    for book in sorted(books.iterdir())[:2]:
        shutil.copy(book, home / "books")
    copies = killed_everywhere(home, "paznja.preparing.prepare([folder / 'books'], cache=folder / 'cache')", every=7)
    assert len(copies) > 8
    for copy in copies:
        kept = texts(prepare([copy / "books"], cache=copy / "cache"))
        assert len(kept) == 2
        assert kept.items() <= whole.items()


def test_two_that_prepare_the_same_books_at_once_do_not_take_them_from_each_other(books: Path, cache: Path):
    quicker: list[tuple[Path, int]] = []

    def meanwhile(done: int, total: int, path: Path) -> None:
        if done == total:
            folder = prepare([books], cache=cache).folder
            quicker.append((folder, (folder / "corpus.bin").stat().st_ino))

    slower = prepare([books], cache=cache, on_read=meanwhile)
    assert quicker == [(slower.folder, (slower.folder / "corpus.bin").stat().st_ino)]
    assert {path.name for path in cache.iterdir() if path.suffix != ".lock"} == {slower.fingerprint, "books", "CACHEDIR.TAG"}


def test_preparing_keeps_the_cache_below_its_limit_but_never_drops_what_it_just_made(
    books: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    shelf = sorted(books.iterdir())
    first = prepare([shelf[0]], cache=cache)
    monkeypatch.setattr(preparing, "CACHE_BYTES", 10)
    second = prepare([shelf[1]], cache=cache)
    assert not first.folder.exists()
    assert texts(second)


def test_a_stranger_where_the_books_should_go_is_left_and_named(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    clear_cache(cache)
    folder.mkdir(parents=True)
    (folder / "pismo.txt").touch()
    with pytest.raises(TrainingFailed, match="paznja did not make"):
        prepare([books], cache=cache)
    assert [path.name for path in folder.iterdir()] == ["pismo.txt"]


@pytest.mark.parametrize("content", ["[]", '{"fingerprint": "other"}'])
def test_a_strangers_file_that_is_called_like_a_prepared_shelfs_is_left_and_named(books: Path, cache: Path, content: str):
    folder = prepare([books], cache=cache).folder
    (folder / "prepared.json").write_text(content, encoding="utf-8")
    with pytest.raises(TrainingFailed, match="paznja did not make"):
        prepare([books], cache=cache)
    assert (folder / "prepared.json").read_text(encoding="utf-8") == content
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("content", ["", "{", "\0"])
def test_a_damaged_shelf_in_the_cache_is_prepared_again(books: Path, cache: Path, content: str):
    first = prepare([books], cache=cache)
    (first.folder / "prepared.json").write_text(content, encoding="utf-8")
    second = prepare([books], cache=cache)
    assert not second.cached
    assert texts(second)


def test_a_folder_in_the_place_of_a_prepared_shelfs_file_is_left(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    (folder / "prepared.json").unlink()
    (folder / "prepared.json" / "Pisma").mkdir(parents=True)
    with pytest.raises(TrainingFailed, match="paznja did not make"):
        prepare([books], cache=cache)
    assert folder in clear_cache(cache)
    assert (folder / "prepared.json" / "Pisma").is_dir()


def test_a_shelf_whose_ids_were_cut_off_is_prepared_again(books: Path, cache: Path):
    first = prepare([books], cache=cache)
    whole = (first.folder / "corpus.bin").read_bytes()
    (first.folder / "corpus.bin").write_bytes(whole[:-2])
    assert (prepare([books], cache=cache).folder / "corpus.bin").read_bytes() == whole


@pytest.mark.parametrize("file", ["corpus.bin", "corpus.json", "tokenizer.json"])
def test_a_shelf_that_lost_a_file_is_prepared_again(books: Path, cache: Path, file: str):
    first = prepare([books], cache=cache)
    (first.folder / file).unlink()
    second = prepare([books], cache=cache)
    assert not second.cached
    assert texts(second)


def test_a_full_disk_leaves_nothing_half_made(books: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("paznja.corpus.store.np.save", "paznja.prepared.write_atomically"):
        with monkeypatch.context() as patch:
            patch.setattr(name, full)
            with pytest.raises(TrainingFailed, match="is full"):
                prepare([books], cache=cache)
        assert not list(cache.rglob("*.new"))


# --- what tells books apart ---------------------------------------------------------------------------------------------------------


def test_files_are_described_by_name_contents_and_use(books: Path, tmp_path: Path):
    shelf = sorted(books.iterdir())
    described = describe_files([books], [shelf[1]])
    assert [name for name, _, _ in described] == [path.name for path in shelf]
    assert [use for _, _, use in described] == ["", "held out", "", "", ""]
    assert len({sha256 for _, sha256, _ in described}) == 5
    assert describe_files([*reversed(shelf), books], [books / ".." / books.name / shelf[1].name]) == described
    with pytest.raises(NoBooks, match="does not exist"):
        describe_files([books, tmp_path / "nowhere"], None)


def test_the_script_is_the_one_of_most_letters_also_where_a_book_has_both(some_stories: list[Path], tmp_path: Path) -> None:
    books = tmp_path / "both"
    books.mkdir()
    first, second, third = (path.read_text(encoding="utf-8") for path in some_stories[:3])
    (books / "both.txt").write_text(to_latin(first) + second[:2_500], encoding="utf-8")  # more Latin than Cyrillic
    (books / "cyrillic.txt").write_text(third[:4_800], encoding="utf-8")
    corpus = read_corpus([books])
    assert {(book.path.name, book.script, book.converted_from) for book in corpus.books} == {
        ("both.txt", "cyrillic", "latin"),
        ("cyrillic.txt", "cyrillic", ""),
    }
