"""Cleaning: what each rule changes in books that need no cleaning, such as a shelf of proof-read novels.

    python benchmarks/cleaning.py BOOKS [--examples 3]

Every book is read by the reader of its format. The result goes through the rules of plain text, as if it had been saved as a
text file (running heads, page numbers, tables of contents, divided words), and then through the rules for every book. For each
rule, the table counts the changes, the characters removed, added or replaced, their share of all characters, and the books
concerned; what the format's own reader leaves out (notes, title pages) is not counted. Then some of the changes are printed with
a little of the text around them, for a person to look at: a change is right if the book had an error. The time is that of this
one process for everything but reading the files.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click
from common import count_of, machine, table, time_of

from paznja.corpus.cleaning.cleaning import clean_book
from paznja.corpus.corpus import find_files
from paznja.corpus.formats import READERS
from paznja.corpus.ledger import RULES, Example, Ledger
from paznja.corpus.readers.plain_text import join_wrapped_lines
from paznja.errors import PaznjaError, UnreadableBook


class Measured:
    """The changes to all books together."""

    def __init__(self) -> None:
        self.num_books = self.num_characters = 0
        self.seconds = 0.0
        self.changes: Counter[str] = Counter()
        self.characters: Counter[str] = Counter()
        self.books: Counter[str] = Counter()
        self.examples: dict[str, list[Example]] = {}

    def add(self, text: str) -> None:
        """Put a book's text through the rules."""
        ledger = Ledger()
        start = time.process_time()
        clean_book(join_wrapped_lines(text, ledger), ledger)
        self.seconds += time.process_time() - start
        self.num_books += 1
        self.num_characters += len(text)
        for rule, change in ledger.changes.items():
            self.changes[rule] += change.count
            self.characters[rule] += change.characters
            self.books[rule] += 1
            self.examples.setdefault(rule, []).extend(change.examples)

    def rows(self) -> list[list[str]]:
        """A row for each rule of plain text and of cleaning, and one for all."""
        rows = [
            [rule, f"{self.changes[rule]:,}", f"{self.characters[rule]:,}", self._share(self.characters[rule]), str(self.books[rule])]
            for rule in RULES
            if self.changes[rule]
        ]
        total = self.characters.total()
        return [*rows, ["all", f"{self.changes.total():,}", f"{total:,}", self._share(total), str(self.num_books)]]

    def _share(self, characters: int) -> str:
        return f"{100 * characters / self.num_characters:.5f} %"


def measure(books: Path) -> Measured:
    """Measure all books there; those that cannot be read are named and left out."""
    measured = Measured()
    for path in find_files([books]):
        try:
            measured.add(READERS[path.suffix.lower()](path.read_bytes(), Ledger()).text)
        except UnreadableBook as error:
            print(f"{path} {error}\n")
    return measured


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, path_type=Path))
@click.option("--examples", default=3, show_default=True, help="Of each rule's changes that are shown.")
def main(books: Path, examples: int) -> None:
    about = machine()
    try:
        measured = measure(books)
    except PaznjaError as error:
        raise SystemExit(str(error)) from None
    if not measured.num_characters:
        raise SystemExit("there is no text in these books")
    print(f"## Cleaning\n\n{about}\n\n{measured.num_books} books, {measured.num_characters:,} characters.\n")
    print(table(["rule", "changes", "characters", "share", "books"], measured.rows()))
    speed = count_of(measured.num_characters / max(measured.seconds, 1e-9))
    print(f"\nAll rules together: {time_of(measured.seconds)}, {speed} characters/s on one core.\n")
    for rule, changes in measured.examples.items():
        for change in changes[:: max(len(changes) // max(examples, 1), 1)][:examples]:
            shown = f"{change.left[-25:]}[{change.before} -> {change.after}]{change.right[:25]}"
            print(f"- {rule}: {' / '.join(shown.splitlines())}")


if __name__ == "__main__":
    main()
