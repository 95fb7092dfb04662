"""Reading: from files to ready to train; and tokenizing alone, compared with the Hugging Face `tokenizers` library.

    python benchmarks/reading.py BOOKS

Getting ready is what `paznja train` does, in a fresh process each time, to the end of its first iteration (of the preset
`tiny`, so that the iteration itself counts for little): first with an empty cache of prepared books, then with the full
one, in turns. Importing (Python's start, torch and all of paznja) is shown separately. "Preparing" is the call of
`paznja.train` up to the plan that is shown before the first iteration: finding, reading, cleaning and tokenizing the
books, writing them to the cache, the run's folder, and 0.3 s in which the machine's matrix product is timed. Memory is
the peak of the process alone, as the operating system counts it, and of all its processes together, looked at every tenth
of a second. The operating system has the files in memory, except perhaps in the first round.

Tokenizing takes the first of the same books, in pieces of 100,000 characters, with the same `tokenizer.json`: paznja's
table look-up on one core, and the library's fastest call (`encode_batch_fast`) on one core and on all. The ids must be equal.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import click
from common import count_of, in_fresh_process, machine, median_ratio, megabytes, table, take_turns, time_of

PIECE = 100_000
"""How many characters are tokenized in one call."""


class _Begun(Exception):
    """The first iteration is done, so there is nothing more to measure."""


def get_ready(started: float, books: Path, cache: Path, out: Path) -> dict[str, Any]:
    """In a fresh process, begun at `started`: `paznja.train`, stopped after its first iteration; returns seconds and bytes."""
    import torch  # noqa: F401  the command imports both before it can train

    import paznja.training.parts
    import paznja.training.session  # noqa: F401
    from paznja import api
    from paznja.machine import peak_memory
    from paznja.training.events import Progress
    from paznja.training.plan import Planned, Reading

    called = time.time()
    measured: dict[str, Any] = {"importing": called - started, "reading": None}

    def on_event(event: object) -> None:
        if isinstance(event, Reading):
            measured["reading"] = time.time() - called
        elif isinstance(event, Planned):
            measured["preparing"] = time.time() - called
            measured["characters"] = sum(book.characters for book in event.books)
            measured["files"] = len({book.sha256 for book in event.books})
        elif isinstance(event, Progress):
            raise _Begun

    with suppress(_Begun):
        api.train(books, preset="tiny", iterations=1, name="reading", out=out, cache=cache, on_event=on_event)
    return {**measured, "whole": time.time() - started, "peak": peak_memory()}


def measure_reading(books: Path, folder: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """`get_ready` with an empty cache and with a full one, in turns; the last cache stays in `folder`."""
    measured: dict[str, list[dict[str, Any]]] = {"empty": [], "full": []}
    for number in range(rounds):
        cache = folder / f"cache-{number}"
        for kind in measured:
            taken, peak_of_all = in_fresh_process(get_ready, time.time(), books, cache, folder / f"runs-{number}-{kind}")
            measured[kind].append({**taken, "peak_of_all": max(peak_of_all, taken["peak"])})
    return measured


def reading_table(measured: dict[str, list[dict[str, Any]]]) -> str:
    """One row for the empty cache and one for the full one, with medians."""
    rows: list[list[str]] = []
    for kind, runs in measured.items():
        middle = {name: median(run[name] for run in runs) for name, value in runs[0].items() if value is not None}
        rows.append(
            [
                kind,
                time_of(middle["importing"]),
                time_of(middle["preparing"]),
                time_of(middle["reading"]) if "reading" in middle else "-",
                count_of(middle["characters"] / middle["preparing"]),
                time_of(middle["whole"]),
                megabytes(middle["peak"]),
                megabytes(middle["peak_of_all"]),
            ]
        )
    header = ["cache", "importing", "preparing", "of which files", "characters/s", "from start to first iteration", "peak", "peak of all"]
    return table(header, rows)


def sample(cache: Path, characters: int) -> tuple[Path, list[str]]:
    """The tokenizer.json in a cache of prepared books, and about `characters` of the books' characters, in pieces."""
    import numpy as np

    from paznja.run.records import read_books
    from paznja.tokenizers import load_tokenizer

    (folder,) = (path.parent for path in cache.glob("*/tokenizer.json"))
    tokenizer = load_tokenizer(folder / "tokenizer.json", "characters")
    ids = np.memmap(folder / "corpus.bin", dtype=np.uint16, mode="r")
    text, start = "", 0
    for book in read_books(folder / "corpus.json").books:
        text += tokenizer.decode(ids[start : start + book.tokens])
        start += book.tokens
        if len(text) >= characters:
            break
    return folder / "tokenizer.json", [text[i : i + PIECE] for i in range(0, min(len(text), characters), PIECE)]


def measure_tokenizing(file: Path, pieces: list[str], rounds: int) -> tuple[dict[str, list[float]], bool]:
    """Seconds of each contender in each round, and whether the ids are equal."""
    from tokenizers import Tokenizer

    from paznja.tokenizers import load_tokenizer

    ours, library = load_tokenizer(file, "characters"), Tokenizer.from_file(str(file))

    def encode_ours() -> list[Any]:
        return [ours.encode(piece) for piece in pieces]

    def encode_library() -> list[Any]:
        return library.encode_batch_fast(pieces, add_special_tokens=False)

    def seconds(encode: Callable[[], list[Any]], parallel: str = "false") -> float:
        os.environ["TOKENIZERS_PARALLELISM"] = parallel
        start = time.perf_counter()
        encode()
        return time.perf_counter() - start

    equal = all(mine.tolist() == theirs.ids for mine, theirs in zip(encode_ours(), encode_library(), strict=True))
    contenders = {
        "paznja, one core": lambda: seconds(encode_ours),
        "tokenizers, one core": lambda: seconds(encode_library),
        "tokenizers, all cores": lambda: seconds(encode_library, "true"),
    }
    return take_turns(contenders, rounds), equal


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, path_type=Path))
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--characters", default=1_000_000, show_default=True, help="Of the sample that is tokenized.")
def main(books: Path, rounds: int, characters: int) -> None:
    about = machine()
    with tempfile.TemporaryDirectory() as name:
        measured = measure_reading(books, Path(name), rounds)
        file, pieces = sample(Path(name) / f"cache-{rounds - 1}", characters)
        tokenizing, equal = measure_tokenizing(file, pieces, rounds)
    if not equal:
        raise SystemExit("paznja's ids are not those of the tokenizers library: this is a bug, and no figure counts")
    first = measured["empty"][0]
    num_characters = sum(map(len, pieces))
    print(f"## Reading\n\n{about}\n\n{first['files']} books, {first['characters']:,} characters; medians of {rounds}.\n")
    print(reading_table(measured))
    print(f"\nTokenizing {num_characters:,} characters of them, the same ids from both; medians of {rounds}.\n")
    ours = tokenizing["paznja, one core"]
    print(
        table(
            ["tokenizing", "time", "characters/s", "time to paznja's"],
            [
                [kind, time_of(median(times)), count_of(num_characters / median(times)), f"{median_ratio(times, ours):.1f}"]
                for kind, times in tokenizing.items()
            ],
        )
    )


if __name__ == "__main__":
    main()
