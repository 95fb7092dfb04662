"""A shelf far larger than the memory that reading it should take: made-up books, read and tokenized in a fresh, watched process.

    python benchmarks/large_shelf.py [--gigabytes 2] [--book-megabytes 1] [--encoding utf-8] [--folder DIR]

The books are plain text of made-up Cyrillic words, made beforehand in a folder that is removed afterwards (this takes three times their
size on disk: the books, their cleaned text, their ids). Preparing is what `paznja train` does before it trains: finding, reading, cleaning,
comparing, tokenizing; first with an empty cache, then again with the full one. Memory is the peak of the process alone, as the operating
system counts it, and of all its processes together, looked at every tenth of a second; what they share is counted once for each.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import count_of, in_fresh_process, machine, megabytes, table, time_of

VOCABULARY = 100_000
SENTENCE = 15


def make_shelf(folder: Path, num_bytes: float, book_bytes: float, encoding: str = "utf-8") -> int:
    """Make books of about `book_bytes` each, together about `num_bytes`, always the same ones; returns how many."""
    draw = np.random.default_rng(1)
    syllables = np.array([a + b for a in "бвгдзклмнпрстч" for b in "аеиоу"])
    words = ["".join(syllables[draw.integers(len(syllables), size=draw.integers(1, 5))]) for _ in range(VOCABULARY)]
    mean = 1 + sum(len(word.encode(encoding)) for word in words) / VOCABULARY
    num_books = max(2, round(num_bytes / book_bytes))
    for number in range(num_books):
        chosen = (VOCABULARY * draw.random(round(book_bytes / mean)) ** 3).astype(int).tolist()  # some words far more often than others
        lines = [" ".join(words[i] for i in chosen[start : start + SENTENCE]) for start in range(0, len(chosen), SENTENCE)]
        (folder / f"{number:06}.txt").write_text("".join(f"{line.capitalize()}.\n" for line in lines), encoding=encoding)
    return num_books


def prepare_shelf(shelf: Path, cache: Path) -> dict[str, Any]:
    """In a fresh process: prepare the books, or find them prepared; returns seconds and bytes."""
    from paznja.machine import peak_memory
    from paznja.preparing import prepare

    start = time.perf_counter()
    prepared = prepare([shelf], cache=cache)
    characters = prepared.training_characters + prepared.held_out_characters
    return {"seconds": time.perf_counter() - start, "characters": characters, "books": len(prepared.books), "peak": peak_memory()}


@click.command(help=__doc__)
@click.option("--gigabytes", default=2.0, show_default=True, help="Of the whole shelf.")
@click.option("--book-megabytes", default=1.0, show_default=True, help="Of a book.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of the files; in cp1251 each byte is a character.")
@click.option("--folder", type=click.Path(exists=True, path_type=Path), help="Where there is room; the system's temporary one otherwise.")
def main(gigabytes: float, book_megabytes: float, encoding: str, folder: Path | None) -> None:
    click.echo(f"{machine()}\n")
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        shelf = Path(place) / "shelf"
        shelf.mkdir()
        # This too needs a process of its own: a process's peak includes what the one that started it had in memory at that moment.
        num_books, _ = in_fresh_process(make_shelf, shelf, 1e9 * gigabytes, 1e6 * book_megabytes, encoding)
        size = sum(path.stat().st_size for path in shelf.iterdir())
        for kind in ("empty", "full"):
            measured, peak_of_all = in_fresh_process(prepare_shelf, shelf, Path(place) / "cache")
            rows.append(
                [
                    kind,
                    f"{measured['books']:,}",
                    count_of(measured["characters"]),
                    time_of(measured["seconds"]),
                    count_of(measured["characters"] / measured["seconds"]),
                    megabytes(measured["peak"]),
                    megabytes(max(peak_of_all, measured["peak"])),
                ]
            )
    click.echo(f"{num_books:,} files, {megabytes(size)}.\n")
    click.echo(table(["cache", "books", "characters", "preparing", "characters/s", "peak", "peak of all"], rows))


if __name__ == "__main__":
    main()
