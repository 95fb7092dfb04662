"""Bars on standard error while something other than training takes long: reading, scoring, fetching."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from paznja.corpus.printable import printable

_FILES = "{task.completed}/{task.total}  {task.fields[file]}"  # to the right of a bar


@contextmanager
def scoring_bar(*, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on standard error while text is scored; yields what moves it, or None if not `shown` or not in a terminal."""
    with _bar("Scoring", "{task.percentage:.0f} %", shown=shown) as update:
        yield None if update is None else lambda done, total: update(done, total, "")


@contextmanager
def reading_bar(*, shown: bool) -> Iterator[Callable[[int, int, Path], None] | None]:
    """Show a bar on standard error while files are read; yields what moves it, or None if not `shown` or not in a terminal."""
    with _bar("Reading books", _FILES, shown=shown) as update:
        yield None if update is None else lambda done, total, path: update(done, total, printable(path.name))


@contextmanager
def fetching_bar(*, shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show a bar on standard error while books are fetched; yields what moves it, or None if not `shown` or not in a terminal."""
    with _bar("Fetching books", _FILES, shown=shown) as update:
        yield update


@contextmanager
def _bar(title: str, behind: str, *, shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    with Progress(TextColumn(title), BarColumn(), TextColumn(behind), console=console, transient=True) as bar:
        task = bar.add_task("", file="")
        yield lambda done, total, file: bar.update(task, completed=done, total=total, file=file)
