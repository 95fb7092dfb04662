"""The list of the runs: a table if there is room for one, otherwise some lines for each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from paznja.errors import PaznjaError
from paznja.table import counted, duration, file_size, one_line
from paznja.terminal.words import program

if TYPE_CHECKING:
    from paznja.run import Run


def print_runs(runs: Sequence[Run], out: Path) -> None:
    """Print the list of the runs, which are in the folder `out`."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not runs:
        console.print(Text(f"There are no runs in {out}/ yet. Begin with: {program()} train ~/Books, or {program()} demo"))
        return
    rows = [_run_row(run) for run in runs]
    beside = max(cell_len(row.name) for row in rows) + sum(max(cell_len(row.facts[n]) for row in rows) for n in range(len(rows[0].facts)))
    needed = beside + 60  # the titles, the gaps and enough of a sample
    if sys.stdout.isatty() and console.width < needed:
        for row in rows:
            console.print(Text(row.name, style="bold", overflow="fold"))
            for line in _lines([_said(title, fact) for title, fact in zip(_FACTS, row.facts, strict=True) if fact], console.width - 2):
                console.print(Padding(Text(line), (0, 0, 0, 2)))
            if row.damage:
                console.print(Padding(Text(row.damage, overflow="fold"), (0, 0, 0, 2)))
            else:
                console.print(Padding(Text(row.sample, style="italic", no_wrap=True, overflow="ellipsis"), (0, 0, 0, 2)))
    else:
        table = Table(box=None, pad_edge=False, expand=True)
        table.add_column("name", no_wrap=True)
        for title in _FACTS:
            table.add_column(title, justify="left" if title == "state" else "right", no_wrap=True)
        table.add_column("last sample", ratio=1, no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(Text(row.name), *row.facts, Text(row.sample))
        console.print(table, width=None if sys.stdout.isatty() else max(160, needed), soft_wrap=False)
        for row in rows:
            if row.damage:
                console.print(Text(f"{row.name} is damaged: {row.damage}"))
    console.print(Text(f"{counted(len(runs), 'run')}, {file_size(sum(row.size for row in rows))}"))


_FACTS = ("state", "books", "iterations", "time", "bits/char", "on disk")


def _said(title: str, fact: str) -> str:
    if title in ("state", "time", "on disk"):
        return fact
    return f"{fact} {title.removesuffix('s') if fact == '1' else title}"


def _lines(facts: Sequence[str], width: int) -> list[str]:
    """The facts side by side, in as many lines as needed; no fact is broken."""
    lines = [facts[0]]
    for fact in facts[1:]:
        together = f"{lines[-1]} · {fact}"
        lines[-1:] = [together] if cell_len(together) <= width else [lines[-1], fact]
    return lines


@dataclass(frozen=True)
class _RunRow:
    name: str
    facts: tuple[str, ...]
    """In the order of `_FACTS`; empty if nothing is known."""
    size: int
    sample: str = ""
    damage: str = ""


def _run_row(run: Run) -> _RunRow:
    size = sum(file.lstat().st_size for file in run.path.rglob("*") if file.is_file())
    try:
        run.record()
        state, books, metrics, samples = run.state(), run.books(), run.metrics(), run.samples()
        lines = [*metrics[-1:], *samples[-1:]]
        places = [(line["iteration"], line["seconds"]) for line in lines]
        places += [(it.iteration, it.seconds) for it in (run.checkpoint(), run.now()) if it is not None]
        iteration, seconds = max(places, default=(0, 0.0))
        whole = [line["held_out_whole"] for line in metrics if line["held_out_whole"] is not None]
        scores = whole or [line["held_out"] for line in metrics]
        score = f"{min(scores):.3f}" if scores else ""
        sample = one_line(samples[-1]["prompt"] + samples[-1]["text"]) if samples else ""
        facts = (state, f"{len(books):,}", f"{iteration:,}", duration(seconds), score, file_size(size))
    except (PaznjaError, OSError, ValueError, KeyError, TypeError) as error:  # whatever is wrong with one run, the others are listed
        damage = str(error) if isinstance(error, PaznjaError) else f"a file in {run.path} cannot be understood ({error!r})."
        return _RunRow(run.name, ("damaged", "", "", "", "", file_size(size)), size, damage=damage)
    return _RunRow(run.name, facts, size, sample=sample)
