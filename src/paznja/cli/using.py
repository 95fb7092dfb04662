"""The commands that use a run: generate, next, evaluate, curve."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from paznja.cli.group import commands
from paznja.cli.options import DECIMAL, PLACE, SOME_UNREADABLE, latest_option, name_argument, out_option, prompt_given
from paznja.errors import WrongUse


@commands.command()
@name_argument
@click.argument("text", metavar="[PROMPT]", required=False)
@click.option("--prompt", help='PROMPT as an option; "-" reads it from standard input.')
@click.option("--length", type=int, default=400, show_default=True, help="Characters to write.")
@click.option(
    "--temperature", type=DECIMAL, default=0.8, show_default=True, help="Lower is safer, higher is wilder; 0 always takes the likeliest."
)
@click.option("--top-k", type=int, default=0, help="Draw only from the K likeliest characters; 0 for all.")
@click.option("--top-p", type=DECIMAL, default=1.0, help="Draw only from the likeliest that together reach this probability.")
@click.option(
    "--min-p", type=DECIMAL, default=0.0, help="Draw only from those with at least this share of the likeliest one's probability."
)
@click.option("--count", type=int, default=1, show_default=True, help="How many texts to write.")
@click.option("--seed", type=int, help="The same seed writes the same text; by default a new one each time.")
@latest_option
@out_option
def generate(name: str, text: str | None, prompt: str | None, count: int, seed: int | None, latest: bool, out: Path, **choice: Any) -> None:
    """Let the run NAME continue PROMPT, or the beginning of its own samples.

    A PROMPT of several words goes between quotation marks.
    """
    from paznja import api

    if text is not None and prompt is not None:
        raise WrongUse("Give the prompt once: after the run's name, or with --prompt.")
    run = api.open_run(name, out=out, latest=latest)
    given = text if prompt is None else prompt
    prompt, remarks = run.fit_prompt(run.first_prompt if given is None else prompt_given(given))
    for remark in remarks:
        click.echo(remark, err=True)
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    texts = [""] * count
    stream = run.stream(prompt, count=count, seed=seed, **choice)
    first = next(stream)
    if count == 1:
        click.secho(prompt, dim=True, nl=False)  # click drops the escape codes if standard output is not a terminal
        _write(first[0])
        for grown in stream:
            _write(grown[0])
        _write("\n")
        return
    for grown in [first, *stream]:
        texts = [text + piece for text, piece in zip(texts, grown, strict=True)]
    for number, text in enumerate(texts, 1):
        _write(f"--- {number} ---\n")
        click.secho(prompt, dim=True, nl=False)
        _write(f"{text}\n")


@commands.command(name="next")
@name_argument
@click.argument("prompt")
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="How many characters to show.")
@click.option("--steps", type=click.IntRange(0), default=0, help="Then append the likeliest character this many times, showing each step.")
@latest_option
@out_option
def next_(name: str, prompt: str, top: int, steps: int, latest: bool, out: Path) -> None:
    """Show which characters the run NAME expects after PROMPT, with their probabilities, as bars."""
    from paznja import api
    from paznja.terminal.results import print_expected, print_step

    run = api.open_run(name, out=out, latest=latest)
    prompt, remarks = run.fit_prompt(prompt_given(prompt))
    for remark in remarks:
        click.echo(remark, err=True)
    expected = run.next(prompt, top)
    print_expected(prompt, expected)
    for _ in range(steps):
        prompt += expected[0][0]
        expected = run.next(prompt, top)
        print_step(prompt, expected)


@commands.command()
@name_argument
@click.argument("books", nargs=-1, type=PLACE)
@click.option(
    "--json", "as_json", is_flag=True, help='Print {"bits_per_character": ..., "characters": ..., "books": [...]} instead of a table.'
)
@latest_option
@out_option
def evaluate(name: str, books: tuple[Path, ...], as_json: bool, latest: bool, out: Path) -> int:
    """Measure bits per character of the run NAME on BOOKS that it never saw, for each book and in all.

    Without BOOKS, on the run's own held-out ones. Fewer bits are better: 0 would be knowing the text by heart, and about 5
    guessing letters blindly. A book that the run learnt from is marked as learnt; its figure says little.
    """
    from paznja import api
    from paznja.terminal.bars import scoring_bar
    from paznja.terminal.results import print_evaluation
    from paznja.terminal.words import print_unreadable

    run = api.open_run(name, out=out, latest=latest)
    with scoring_bar(shown=not as_json) as on_scored:
        evaluation = run.evaluate(list(books) or None, on_scored=on_scored)
    print_evaluation(evaluation, as_json=as_json)
    print_unreadable(evaluation.unreadable)
    return SOME_UNREADABLE if evaluation.unreadable else 0


@commands.command()
@name_argument
@click.option(
    "--against", type=click.Choice(["time", "iterations"]), default="time", show_default=True, help="What the horizontal axis shows."
)
@click.option("--log", is_flag=True, help="Make the horizontal axis logarithmic: the beginning, where most is learnt, gets more room.")
@click.option("--json", "as_json", is_flag=True, help='Print {"name": ..., "history": [...]}, the numbers, instead of a drawing.')
@out_option
def curve(name: str, against: str, log: bool, as_json: bool, out: Path) -> None:
    """Draw how the run NAME learns or has learnt: bits per character against the time of training.

    The line is the text that it learns from, averaged over the last iterations; the points are held-out text, measured at rows of the
    table. Fewer bits are better. If the points rise while the line falls, it is learning by heart.
    """
    from paznja import api
    from paznja.terminal.results import print_curve

    run = api.open_run(name, out=out)
    print_curve(run.name, run.state, run.history, time=against == "time", log=log, as_json=as_json)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
