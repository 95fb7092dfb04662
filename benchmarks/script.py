"""Script: a shelf of Cyrillic books converted to Latin script and back, which words do not survive, and how fast it is.

    python benchmarks/script.py BOOKS

Every book in Cyrillic is converted to Latin script and back as a whole text; nothing is mended before. Its words are
compared one by one, in three classes: words written in the thirty letters of today's Cyrillic; words with other Cyrillic letters
or accent marks (old spelling); words in Latin script, which are foreign and should stay. Times are seconds of one core.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import click
from common import count_of, machine, table

from paznja.corpus.corpus import find_files
from paznja.corpus.formats import read_book
from paznja.corpus.scripts.script import script_of
from paznja.corpus.scripts.transliteration import to_cyrillic, to_latin

_WORD = re.compile(r"[\w\u0300-\u036f]+")
_MODERN = re.compile("[абвгдђежзијклљмнњопрстћуфхцчџшАБВГДЂЕЖЗИЈКЛЉМНЊОПРСТЋУФХЦЧЏШ]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]+")
_TWO_LETTERS = re.compile("лј|нј|дж", re.IGNORECASE)
_CLASSES = ["the modern alphabet", "old letters or accents", "Latin script"]


class Count:
    """Words of each class, those that came back changed, and seconds."""

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        self.changed: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in _CLASSES}
        self.two_letters: Counter[str] = Counter()
        self.characters = 0
        self.books = 0
        self.seconds = {"to Latin": 0.0, "to Cyrillic": 0.0}

    def add(self, text: str) -> None:
        start = time.process_time()
        latin = to_latin(text)
        middle = time.process_time()
        back = to_cyrillic(latin)
        self.seconds["to Latin"] += middle - start
        self.seconds["to Cyrillic"] += time.process_time() - middle
        self.characters += len(text)
        self.books += 1
        # A line that lost a word (one that was only ъ) must not put the others out of step.
        for before, after in zip(text.split("\n"), back.split("\n"), strict=True):
            for word, new in _pairs(_WORD.findall(before), _WORD.findall(after)):
                name = _class(word)
                if name:
                    self.words[name] += 1
                    if word != new:
                        self.changed[name][word, new] += 1
                if name == _CLASSES[0] and _TWO_LETTERS.search(word):
                    self.two_letters[word.lower()] += 1


def _pairs(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    return list(zip(before, after if len(before) == len(after) else [""] * len(before), strict=True))


def _class(word: str) -> str:
    if _MODERN.fullmatch(word):
        return _CLASSES[0]
    if _LATIN.fullmatch(word):
        return _CLASSES[2]
    return _CLASSES[1] if re.search("[\u0400-\u052f]", word) else ""


def listed(words: Counter[tuple[str, str]]) -> str:
    """As "word → what became of it (how often)", the most frequent first."""
    return ", ".join(f"{before} → {after}{f' ({count})' if count > 1 else ''}" for (before, after), count in words.most_common())


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(books: Path) -> None:
    count = Count()
    for path in find_files([books]):
        text = read_book(path, off=["homoglyphs", "accents", "archaic"]).text
        if script_of(text) == "cyrillic":
            count.add(text)
    if not count.books:
        raise SystemExit(f"{books} has no book in Cyrillic script")
    print(f"## Script\n\n{machine()}\n\n{count.books} books in Cyrillic, {count.characters:,} characters\n")
    rows = []
    for name in _CLASSES:
        words, changed = count.words[name], count.changed[name].total()
        rows.append([name, f"{words:,}", f"{changed:,}", f"{changed / words * 1e5:.2f}" if words else "-"])
    print(table(["words in", "words", "changed on the way to Latin and back", "in 100,000"], rows))
    rows = [[way, count_of(count.characters / max(seconds, 1e-9)), f"{seconds:.2f} s"] for way, seconds in count.seconds.items()]
    print("\n" + table(["way", "characters/s", "all books"], rows))
    print(f"\nWords of the modern alphabet that did not survive: {listed(count.changed[_CLASSES[0]]) or 'none'}\n")
    print(f"Words with лј, нј or дж: {', '.join(f'{word} ({number})' for word, number in count.two_letters.most_common()) or 'none'}\n")
    print(f"Latin words that became Cyrillic: {listed(count.changed[_CLASSES[2]]) or 'none'}")


if __name__ == "__main__":
    main()
