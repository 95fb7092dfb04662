"""What a person sees of the books before training: the table, what was left out, one book's changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from paznja.corpus.book import Book
from paznja.corpus.corpus import Corpus
from paznja.corpus.ledger import RULES, Example
from paznja.corpus.printable import printable
from paznja.corpus.verdict import verdict
from paznja.table import count, counted, one_line

PLAIN_WIDTH = 160
"""Columns of the table if there is no terminal."""

WIDE = 120
"""In a terminal with at least this many columns, the table has room for remarks."""

_LEAST_TITLE = 20
"""A title has at least this many columns; otherwise the rest goes to a second line."""

_EXCERPT = 400


def print_books(corpus: Corpus, remarks: Sequence[str], *, as_json: bool) -> None:
    """Print a line for each book, the totals, what was repaired and left out, and whether there is enough text; or all of it as JSON."""
    if as_json:
        print(json.dumps(plain(corpus, remarks), ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    for part in [_wide(corpus)] if console.width >= WIDE else _narrow(corpus, console.width):
        console.print(part)
    console.print()
    learnt, apart = (sum(book.characters for book in books) for books in (corpus.training, corpus.held_out))
    whole = len(corpus.books) if not any(book.part for book in corpus.books) else len({book.sha256 for book in corpus.books})
    console.print(
        Text(
            f"{counted(whole, 'book')}, {corpus.characters:,} characters: {count(learnt)} to learn from, "
            f"{count(apart)} held out to measure on."
        )
    )
    for line in [*remarks, repaired(corpus.books), verdict(learnt)]:
        if line:
            console.print(Text(line))


def _wide(corpus: Corpus) -> Table:
    """A table, with the remarks in its last column."""
    table = Table(box=None, pad_edge=False)
    for title in ("title", "author"):
        table.add_column(title, overflow="fold", ratio=2)
    for title in ("format", "script"):
        table.add_column(title, no_wrap=True)
    table.add_column("characters", justify="right", no_wrap=True)
    table.add_column("used for", no_wrap=True)
    table.add_column("remarks", overflow="fold", ratio=2)
    for book in corpus.books:
        cells = (book.title, book.author, book.format, script(book), f"{book.characters:,}", _use(book, corpus), " ".join(book.notices))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _narrow(corpus: Corpus, width: int) -> Iterator[RenderableType]:
    """A line for each book, in aligned columns, with its remarks below; if it is very narrow, all but the title go to a second line."""
    facts = [(book.format, book.script.capitalize(), f"{book.characters:,}", _use(book, corpus)) for book in corpus.books]
    titles = ("format", "script", "characters", "used for")
    wide = [max(map(cell_len, column)) for column in zip(titles, *facts, strict=True)]
    room = width - sum(wide) - 2 * len(wide)
    one = room >= _LEAST_TITLE
    if one:
        yield _line("title, author", titles, room, wide, style="bold")
    for book, fact in zip(corpus.books, facts, strict=True):
        if one:
            yield _line(_called(book, room), fact, room, wide)
        else:
            yield Text(_called(book, width), no_wrap=True, overflow="ellipsis")
            yield Padding(Text(f"{', '.join(fact[:2])}, {fact[2]} chars, {fact[3]}"), (0, 0, 0, 2))
        converted = [f"Converted to {book.script.capitalize()} from {book.converted_from.capitalize()}."] if book.converted_from else []
        for remark in [*converted, *book.notices]:
            yield Padding(Text(remark, style="italic"), (0, 0, 0, 4))


def _line(name: str, facts: Sequence[str], room: int, wide: Sequence[int], style: str = "") -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=room, no_wrap=True, overflow="ellipsis")
    for number, width in enumerate(wide):
        grid.add_column(width=width, no_wrap=True, justify="right" if number == 2 else "left")
    grid.add_row(*(Text(cell, style=style) for cell in (name, *facts)))
    return grid


def _called(book: Book, room: int) -> str:
    """Title and author in this many columns of the terminal: if they do not fit, only the author's surname, or only the title."""
    last = book.author.split(",")[0] if "," in book.author else book.author.split(" ")[-1]
    for author in (book.author, last):
        if author and cell_len(f"{book.title}, {author}") <= room:
            return f"{book.title}, {author}"
    return book.title


def _use(book: Book, corpus: Corpus) -> str:
    return "held-out" if book in corpus.held_out else "training"


def print_book(book: Book) -> None:
    """Print one book: what is known about it, what each rule left out or repaired, with examples, and how its text begins."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(Text().append(book.title, style="bold").append(f"  {book.author}"))
    console.print(Text(f"{printable(book.path / book.member)}: {book.format}, {script(book)}, {book.characters:,} characters"))
    for notice in book.notices:
        console.print(Text(notice))
    if not book.changes:
        console.print("\nNothing was left out or repaired.")
    for rule, change in book.changes.items():
        what = RULES.get(rule, "")
        console.print()
        console.print(Text().append(rule, style="bold").append(f": {what}" if what else ""))
        console.print(f"  {counted(change.count, 'time')}, {counted(change.characters, 'character')}")
        for example in change.examples:
            console.print(_example(example))
    console.print()
    console.print(Text("Its text begins:", style="bold"))
    console.print(Text(f"{book.text[:_EXCERPT].rstrip()} ..."))


def repaired(books: Sequence[Book]) -> str:
    """How much the rules left out and repaired, the busiest rules first; empty if they did nothing."""
    characters: dict[str, int] = {}
    for book in books:
        for rule, change in book.changes.items():
            characters[rule] = characters.get(rule, 0) + change.characters
    if not characters:
        return ""
    busiest = sorted(characters, key=lambda rule: -characters[rule])
    listed = ", ".join(f"{rule} {characters[rule]:,}" for rule in busiest[:8])
    return f"Left out or repaired, in characters: {listed}{' and more' if len(busiest) > 8 else ''}. For one book: --show TITLE."


def script(book: Book) -> str:
    """The script in a table: "Cyrillic", or "Cyrillic, from Latin"."""
    return book.script.capitalize() + (f", from {book.converted_from.capitalize()}" if book.converted_from else "")


def plain(corpus: Corpus, remarks: Sequence[str]) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    return {
        "books": [
            {
                "title": book.title,
                "author": book.author,
                "file": str(book.path),
                "member": book.member,
                "format": book.format,
                "script": book.script,
                "converted_from": book.converted_from,
                "characters": book.characters,
                "part": book.part,
                "held_out": book in corpus.held_out,
                "notices": list(book.notices),
                "changes": {rule: {"count": change.count, "characters": change.characters} for rule, change in book.changes.items()},
            }
            for book in corpus.books
        ],
        "characters": corpus.characters,
        "same": [{"file": str(it.book.path), "of": str(it.of.path), "share": it.share} for it in corpus.same],
        "unreadable": [{"path": str(bad.path), "reason": bad.reason} for bad in corpus.unreadable],
        "remarks": list(remarks),
        "verdict": verdict(sum(book.characters for book in corpus.training)),
    }


def _example(example: Example) -> Text:
    line = Text("    ")
    line.append(_shown(example.left)[-40:], style="dim").append(_shown(example.before), style="red strike")
    line.append(_shown(example.after), style="green").append(_shown(example.right)[:40], style="dim")
    if not Console().is_terminal:  # without colours, the two have to differ in another way
        before, after = _shown(example.before), _shown(example.after)
        return Text(f"    {_shown(example.left)[-40:]}[{before}" + (f" -> {after}" if after else "") + f"]{_shown(example.right)[:40]}")
    return line


def _shown(text: str) -> str:
    """The text on one line, with invisible characters made visible."""
    ends = " " * text.startswith((" ", "\n")), " " * text.endswith((" ", "\n"))
    line = one_line(text.replace("\t", "⇥").replace("\f", "⏏"))
    visible = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in line)
    return f"{ends[0]}{visible}{ends[1]}" if visible else ends[0]
