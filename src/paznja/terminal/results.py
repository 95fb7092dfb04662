"""What a person asks a run for: the likeliest next characters, its score on books, its learning curve."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from paznja.errors import RunError
from paznja.table import counted, duration, one_line
from paznja.terminal.curve import draw
from paznja.terminal.words import visible

if TYPE_CHECKING:
    from paznja.evaluation.books import Evaluation


def print_expected(prompt: str, expected: Sequence[tuple[str, float]]) -> None:
    """Print the likeliest next characters, with their probabilities as bars."""
    console = Console(highlight=False)
    console.print(Text(one_line(prompt) + " ..." if not prompt.endswith(" ") else prompt + "..."))
    widest = max(probability for _, probability in expected)
    for character, probability in expected:
        bar = "█" * max(1, round(40 * probability / widest)) if probability > 0 else ""
        console.print(Text(f"  {visible(character):>3}  {probability:6.1%}  ").append(bar, style="cyan"))


def print_step(prompt: str, expected: Sequence[tuple[str, float]]) -> None:
    """Print the prompt so far and what may follow, in one line."""
    follows = "  ".join(f"{visible(character)} {probability:.0%}" for character, probability in expected[:5])
    Console(highlight=False, soft_wrap=True).print(Text(prompt.replace("\n", "⏎")).append(f"   → {follows}", style="dim"))


def print_evaluation(evaluation: Evaluation, *, as_json: bool) -> None:
    """Print bits per character, for each book and for all together, as a table or as JSON."""
    if as_json:
        plain = {
            "bits_per_character": evaluation.bits_per_character,
            "characters": evaluation.characters,
            "books": [asdict(book) for book in evaluation.books],
            "unreadable": [{"path": str(bad.path), "reason": bad.reason} for bad in evaluation.unreadable],
        }
        print(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("book", "author"):
        table.add_column(title, overflow="fold")
    for title in ("characters", "bits per character"):
        table.add_column(title, justify="right", no_wrap=True)
    num_learnt = sum(book.learnt for book in evaluation.books)
    if num_learnt:
        table.add_column("", no_wrap=True)
    for book in evaluation.books:
        mark = ("learnt" if book.learnt else "",) if num_learnt else ()
        table.add_row(Text(book.title), Text(book.author), f"{book.characters:,}", f"{book.bits_per_character:.3f}", *mark)
    table.add_row("in all", "", f"{evaluation.characters:,}", f"{evaluation.bits_per_character:.3f}", style="bold")
    Console(highlight=False).print(table)
    if num_learnt:
        total = len(evaluation.books)
        which = "this book" if total == 1 else "all of these books" if num_learnt == total else f"{num_learnt} of these {total} books"
        print(f"The run learnt from {which}: only books that it never saw show how well it knows the language.")


def print_curve(
    name: str, state: str, history: Sequence[dict[str, Any]], *, time: bool = True, log: bool = False, as_json: bool = False
) -> None:
    """Print how a run learnt: its history (`TrainedRun.history`), drawn as wide as the terminal, or as JSON.

    `time`: against seconds instead of iterations; `log`: on a logarithmic axis. RunError if there is nothing to draw.
    """
    if as_json:
        print(json.dumps({"name": name, "history": list(history)}, ensure_ascii=False, indent=1))
        return
    axis = "seconds" if time else "iteration"
    held_out = [(line[axis], line["held_out"]) for line in history if line["held_out"] is not None]
    progress = [line for line in history if line["characters_per_second"] is not None]
    # If an older version began the run, there are only evaluations up to that point.
    first = progress[0]["iteration"] if progress else float("inf")
    older = [line for line in history if line["characters_per_second"] is None and line["iteration"] < first]
    training = [(line[axis], line["training"]) for line in [*older, *progress] if line["training"] is not None]
    console = Console(highlight=False)
    lines = draw(training, held_out, width=console.width, time=time, log=log, ascii_only=not _has_letters("⠤●┤"))
    if not lines:
        raise RunError(f"The run {name!r} has nothing to draw yet: its curve begins with its first iterations.")
    print(one_line(f"{name} ({state}): {counted(history[-1]['iteration'], 'iteration')} in {duration(history[-1]['seconds'])}"))
    for line in lines:
        print(line)


def _has_letters(letters: str) -> bool:
    """Whether standard output can show these letters."""
    try:
        letters.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
