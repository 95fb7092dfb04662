"""The stories that come with the program are what it says: Serbian, Cyrillic, cleanly typeset, and all different."""

import re
import unicodedata
from pathlib import Path

import pytest

from paznja.corpus import stories
from paznja.corpus.corpus import read_books
from paznja.corpus.formats import Book

LETTERS = "АБВГДЂЕЖЗИЈКЛЉМНЊОПРСТЋУФХЦЧЏШабвгдђежзијклљмнњопрстћуфхцчџш"
PUNCTUATION = " \n.,:;!?…—-„“()"
IJEKAVIAN = re.compile(
    r"\b(?:вријеме\w*|бије(?:л|о)\w*|лијеп\w*|ријеч\w*|дијете|дјец\w*|гдје|овдје|ондје|увијек|послије|прије|двије|млијек\w*|снијег\w*|човјек\w*)\b",
    re.I,
)


@pytest.fixture(scope="module")
def texts(stories_folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode("utf-8") for path in sorted(stories_folder.glob("*.txt"))}


@pytest.fixture(scope="module")
def read(stories_folder: Path) -> tuple[Book, ...]:
    found, unreadable = read_books([stories_folder])
    assert not unreadable
    return found


def sentences(text: str) -> list[str]:
    body = text.split("\n", 1)[1]
    return [sentence.strip(" \n—„“") for sentence in re.split(r"(?<=[.!?…])\s+", body) if sentence.strip()]


def test_there_are_at_least_24_stories_of_120000_characters_together(read: tuple[Book, ...]):
    assert len(read) >= 24
    assert sum(len(book.text) for book in read) >= 120_000


def test_the_folder_that_is_offered_for_training_holds_every_story(read: tuple[Book, ...]):
    with stories.folder() as folder:
        assert {path.name for path in folder.glob("*.txt")} == {book.path.name for book in read}


def test_a_licence_stands_beside_the_stories_and_frees_them(stories_folder: Path):
    licence = (stories_folder / "LICENSE").read_text(encoding="utf-8")
    assert "CC0 1.0" in licence
    assert "https://creativecommons.org/publicdomain/zero/1.0/" in licence


def test_every_letter_is_of_the_serbian_cyrillic_alphabet_and_every_mark_an_ordinary_one(texts: dict[str, str]):
    strange = {(name, character) for name, text in texts.items() for character in set(text) - set(LETTERS + PUNCTUATION)}
    assert not strange


def test_every_story_is_in_normal_form_c_with_no_stray_space_and_ends_with_a_newline(texts: dict[str, str]):
    for name, text in texts.items():
        assert unicodedata.is_normalized("NFC", text), name
        assert not re.search(r"  | \n|\n |\n\n\n", text), name
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name


def test_every_story_opens_with_a_title_of_its_own_in_a_line_of_its_own(texts: dict[str, str]):
    titles = [text.split("\n", 1)[0] for text in texts.values()]
    assert len(set(titles)) == len(titles)
    for title, text in zip(titles, texts.values(), strict=True):
        assert 3 <= len(title) <= 60
        assert title[-1] not in ".,;:"
        assert not text.split("\n", 2)[1]


def test_the_stories_are_ekavian(texts: dict[str, str]):
    found = {name: match[0] for name, text in texts.items() if (match := IJEKAVIAN.search(text))}
    assert not found
    together = " ".join(texts.values())
    assert len(re.findall(r"\b(?:време|дете|где|овде|увек|после|пре|човек\w*|реч\w*|бел\w*|леп\w*)\b", together)) > 300


def test_no_two_stories_begin_or_end_alike(texts: dict[str, str]):
    firsts = [sentences(text)[0] for text in texts.values()]
    lasts = [sentences(text)[-1] for text in texts.values()]
    assert len(set(firsts)) == len(firsts)
    assert len(set(lasts)) == len(lasts)
    beginnings = [tuple(first.split()[:3]) for first in firsts]
    endings = [tuple(last.split()[-3:]) for last in lasts]
    assert len(set(beginnings)) == len(beginnings)
    assert len(set(endings)) == len(endings)


def test_no_sentence_of_some_length_stands_in_two_stories(texts: dict[str, str]):
    where: dict[str, str] = {}
    for name, text in texts.items():
        for sentence in {s for s in sentences(text) if len(s) >= 40}:
            assert sentence not in where, f"{name} and {where.get(sentence)}: {sentence}"
            where[sentence] = name


def test_people_talk_behind_dashes_and_quote_between_low_and_high_marks(texts: dict[str, str]):
    for name, text in texts.items():
        assert text.count("„") == text.count("“"), name
    assert sum("\n— " in text for text in texts.values()) >= 0.8 * len(texts)
    assert sum("„" in text for text in texts.values()) >= 0.5 * len(texts)


def test_names_come_back_within_a_story(texts: dict[str, str]):
    for name, text in texts.items():
        within = re.findall(r"(?<=[а-шђјљњћџ,] )[А-ШЂЈЉЊЋЏ][а-шђјљњћџ]{3,}", text)
        stems = [word[:4] for word in within]
        assert max(map(stems.count, set(stems)), default=0) >= 3, name


def test_hardly_two_stories_share_their_people(texts: dict[str, str]):
    heroes: dict[str, list[str]] = {}
    for name, text in texts.items():
        stems = [word[:5] for word in re.findall(r"(?<=[а-шђјљњћџ,] )[А-ШЂЈЉЊЋЏ][а-шђјљњћџ]{4,}", text)]
        hero = max(set(stems), key=stems.count)
        heroes.setdefault(hero, []).append(name)
    assert len(heroes) >= 0.7 * len(texts), heroes
