"""Duplicates are found by content, whatever their script, format or edition."""

import random
from pathlib import Path

import numpy as np
import pytest

from paznja.corpus import duplicates, pieces
from paznja.corpus.book import Book
from paznja.corpus.duplicates import fold, groups, shared_stretches, sharing_with, sketch_of, without_duplicates
from paznja.corpus.scripts.transliteration import to_latin
from paznja.corpus.splitting import split


def prose(seed: int, words: int = 6000) -> str:
    """Cyrillic paragraphs of made-up words."""
    draw = random.Random(seed)
    made = ["".join(draw.choice("бвгдзклљмнњпрстцџ") + draw.choice("аеиоу") for _ in range(draw.randint(1, 4))) for _ in range(words)]
    return "".join(" ".join(made[start : start + 50]).capitalize() + ".\n" for start in range(0, words, 50))


def book(name: str, text: str) -> Book:
    suffix = name.rpartition(".")[2]
    return Book(name, "", "", Path(name), f"hash of {name}", text, len(text), format=suffix, sketch=sketch_of(text))


def names(books: list[Book]) -> list[str]:
    return [it.path.name for it in books]


def test_letters_are_folded_alike_in_both_scripts_without_accents_marks_and_digits() -> None:
    assert "".join(map(chr, fold("„Њега, џеп и Ђурађ 12 — Љубав!“"))) == "".join(map(chr, fold("Njega džep i Đurađ ljubav")))
    assert fold("че̏сто čèsto").tolist() == fold("често cesto").tolist()
    assert len(fold("123 ... — „“")) == 0
    assert len(fold("日本語")) == 3


def test_a_text_in_the_other_script_with_other_lines_and_quotes_has_the_same_sketch() -> None:
    text = prose(1)
    other = to_latin(text).replace("\n", " \n\n").replace(". ", " — ").upper()
    assert sketch_of(text).tolist() == sketch_of(other).tolist()
    assert 300 < len(sketch_of(text)) < 1000


def test_a_sketch_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    text = prose(1)
    whole = sketch_of(text)
    monkeypatch.setattr(pieces, "PIECE", 1000)
    assert np.array_equal(sketch_of(text), whole)


def test_a_text_of_a_few_letters_has_no_sketch_and_is_like_no_other() -> None:
    books = [book("a.txt", "Мост."), book("b.txt", "Мост.")]
    assert without_duplicates(books) == (books, [])
    assert groups(books) == [[0], [1]]


def test_two_editions_are_one_book_and_the_longer_one_stays() -> None:
    text = prose(1)
    lines = text.splitlines()
    edition = "\n".join(line for number, line in enumerate(lines) if number % 7) + "\n"
    books = [book("short.epub", to_latin(edition)), book("other.txt", prose(2)), book("long.txt", text)]
    kept, same = without_duplicates(books)
    assert names(kept) == ["other.txt", "long.txt"]
    assert [(it.book.path.name, it.of.path.name, it.share > 0.9) for it in same] == [("short.epub", "long.txt", True)]
    assert same[0].sentence() == f"short.epub is the same book as long.txt ({same[0].share:.0%} of it is in both) and is left out."


def test_of_two_copies_as_long_the_better_format_stays() -> None:
    text = prose(1)
    books = [book("a.pdf", text + "12\n"), book("b.txt", text + "1\n"), book("c.epub", text), book("d.txt", prose(3))]
    kept, same = without_duplicates(books)
    assert names(kept) == ["c.epub", "d.txt"]
    assert {(it.book.path.name, it.of.path.name) for it in same} == {("a.pdf", "c.epub"), ("b.txt", "c.epub")}


def test_a_novel_is_left_out_where_a_collection_has_it_too() -> None:
    books = [book("novel.epub", prose(1)), book("collected.txt", prose(2) + prose(1) + prose(3))]
    assert names(without_duplicates(books)[0]) == ["collected.txt"]


def test_what_is_named_to_be_held_out_stays_before_any_copy() -> None:
    text = prose(1)
    books = [book("apart.txt", text), book("whole.epub", text + prose(5, 500)), book("other.txt", prose(2))]
    kept, same = without_duplicates(books, frozenset({"hash of apart.txt"}))
    assert names(kept) == ["apart.txt", "other.txt"]
    assert names([it.book for it in same]) == ["whole.epub"]


def test_books_that_share_a_chapter_are_held_out_together_or_not_at_all() -> None:
    chapter = prose(99, 2000)
    books = [book(f"{number}.txt", prose(number) + (chapter if number in (3, 17) else "")) for number in range(20)]
    assert without_duplicates(books) == (books, [])
    together = groups(books)
    assert [3, 17] in together
    assert len(together) == 19
    for shift in range(20):  # whichever of them has the lowest hash
        renamed = [book(it.path.name, it.text) for it in books]
        for number, it in enumerate(renamed):
            object.__setattr__(it, "sha256", f"{(number + shift) % 20:02}")
        _, held_out = split(renamed, together)
        assert len({"3.txt", "17.txt"} & set(names(list(held_out)))) in (0, 2)


def test_a_crowd_stays_together_when_the_book_that_connected_it_is_left_out_as_a_duplicate() -> None:
    chapter, novel = prose(999, 400), prose(500, 16_000)
    copy = novel[: len(novel) * 4 // 5] + chapter  # longer than all others that have the chapter
    crowd = [book(f"{number:02}.txt", prose(number, 2000) + chapter) for number in range(40)]
    kept, same = without_duplicates([book("novel.txt", novel), book("copy.txt", copy), *crowd])
    assert [it.book.path.name for it in same] == ["copy.txt"]
    assert groups(kept) == [[0], list(range(1, 41))]


def test_what_shares_a_large_part_with_a_named_held_out_book_is_told_with_its_share() -> None:
    books = [book("apart.txt", prose(1)), book("half.txt", prose(2, 9000) + prose(1)[:10_000]), book("free.txt", prose(3))]
    (leak,) = sharing_with(books, frozenset({"hash of apart.txt"}))
    assert (leak.book.path.name, leak.of.path.name) == ("half.txt", "apart.txt")
    assert 0.2 < leak.share < 0.5
    assert leak.sentence() == f"half.txt shares {leak.share:.0%} with apart.txt, which is held out, and is left out."


def test_a_crowd_of_copies_is_one_book() -> None:
    text = prose(1)
    books = [book(f"{number:03}.txt", text) for number in range(100)]
    assert groups(books) == [list(range(100))]
    kept, same = without_duplicates(books)
    assert names(kept) == ["000.txt"]
    assert len(same) == 99


def test_books_compared_a_range_of_hashes_at_a_time_share_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [prose(1), prose(2), prose(1) + prose(3), prose(2)[:5_000] + prose(3), prose(1), "Кратко."]
    sketches = [sketch_of(text) for text in texts]
    pairs, counts = shared_stretches(sketches)
    assert pairs.tolist() == [[0, 2], [0, 4], [1, 3], [2, 3], [2, 4]]
    assert counts.tolist() == [len(np.intersect1d(sketches[i], sketches[k])) for i, k in pairs]
    for at_once in (10, 100, sum(map(len, sketches)) // 2):
        monkeypatch.setattr(duplicates, "_AT_ONCE", at_once)
        again, counts_again = shared_stretches(sketches)
        assert (again.tolist(), counts_again.tolist()) == (pairs.tolist(), counts.tolist())
    for few in ([], [sketch_of("Кратко.")]):
        assert [it.shape for it in shared_stretches(few)] == [(0, 2), (0,)]
