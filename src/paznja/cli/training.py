"""The commands that train: train, demo, resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paznja.cli.group import commands
from paznja.cli.options import (
    DECIMAL,
    INTERRUPTED,
    PLACE,
    SOME_UNREADABLE,
    cache_option,
    held_out_option,
    iterations_option,
    name_argument,
    out_option,
    prompt_given,
    quiet_option,
    strict_option,
)
from paznja.cli.settings import setting_options
from paznja.completion import one_of
from paznja.config import DEFAULT_MINUTES, PRESET_HELP
from paznja.world.launching import is_launched, rank

if TYPE_CHECKING:
    from paznja.corpus.book import Unreadable

DEMO_MINUTES = 2.0
DEMO_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000)
"""Closer together than a longer run's, so that there is something to see all the time."""

verbose_option = click.option("--verbose", is_flag=True, help="Say more before it begins: remarks on the books, the shape of the network.")
books_argument = click.argument("books", nargs=-1, required=True, type=PLACE)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that a new run takes."""
    for option in reversed(
        [
            click.option(
                "--preset",
                shell_complete=one_of(PRESET_HELP),
                default="auto",
                show_default=True,
                help="; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items()) + ".",
            ),
            click.option("--name", help="What to call the run; by default the books' folder, the day and a number."),
            out_option,
            *setting_options(),
            strict_option,
            click.option("--no-corpus", is_flag=True, help="Keep the books' text out of the run's folder; resuming then needs the books."),
            cache_option,
            verbose_option,
            quiet_option,
        ]
    ):
        command = option(command)
    return command


@commands.command()
@books_argument
@click.option(
    "--minutes", type=DECIMAL, help=f"How long to train, with all the sampling, evaluating and saving.  [default: {DEFAULT_MINUTES:g}]"
)
@iterations_option
@held_out_option
@training_options
def train(books: tuple[Path, ...], minutes: float | None, iterations: int | None, held_out: tuple[Path, ...], **options: Any) -> int:
    """Train on BOOKS: files and folders, read with all that is in them.

    What can be read, paznja books --help says. About a twentieth of the books, at least one, is held out: the model never
    learns from it, and is measured on it. Ctrl-C finishes the iteration, saves, and says how to go on.
    """
    return _train(list(books), minutes=minutes, iterations=iterations, held_out=list(held_out) or None, **options)


@commands.command()
@click.option("--minutes", type=DECIMAL, help=f"How long to train.  [default: {DEMO_MINUTES:g}]")
@iterations_option
@training_options
def demo(minutes: float | None, iterations: int | None, **options: Any) -> int:
    """Train for two minutes at most on the stories that come with paznja.

    They are 35 short stories in Serbian, written for this program and free for any use (CC0).
    """
    from paznja.corpus import stories

    if minutes is None and iterations is None:
        minutes = DEMO_MINUTES
    options["sample_at"] = options["sample_at"] or DEMO_ROWS
    with stories.folder() as folder:
        return _train([folder], minutes=minutes, iterations=iterations, held_out=None, **options)


def _train(
    books: list[Path],
    *,
    prompts: tuple[str, ...],
    sample_at: tuple[int, ...] | None,
    no_corpus: bool,
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> int:
    from paznja.terminal.display import Display

    display = Display(quiet=quiet or rank() > 0, verbose=verbose)
    with display:
        from paznja import api

        prompts = tuple(map(prompt_given, prompts))
        api.train(books, prompts=prompts, sample_at=sample_at or (), with_corpus=not no_corpus, on_event=display.show, **options)
    return _training_code(display.complete, display.unreadable)


@commands.command()
@name_argument
@click.option("--minutes", type=DECIMAL, help="Go on for so many minutes more.")
@click.option("--iterations", type=int, help="Go on for so many iterations more.")
@click.option("--processes", type=int, help="Processes that train together on a CPU.  [default: as many as before]")
@click.option("--books", multiple=True, type=PLACE, help="Where the books are now, if they have moved.")
@out_option
@cache_option
@verbose_option
@quiet_option
def resume(name: str, books: tuple[Path, ...], verbose: bool, quiet: bool, **options: Any) -> int:
    """Go on with the run NAME after Ctrl-C, a crash or a power cut, bit for bit where its last checkpoint was.

    A finished run goes on too, when it is given more --minutes or --iterations.
    """
    from paznja.terminal.display import Display

    display = Display(quiet=quiet or rank() > 0, verbose=verbose)
    with display:
        from paznja import api

        api.resume(name, books=list(books) or None, on_event=display.show, **options)
    return _training_code(display.complete, display.unreadable)


def _training_code(complete: bool, unreadable: Sequence[Unreadable]) -> int:
    if is_launched():  # which takes every other code for a failure, and starts again
        return 0
    return INTERRUPTED if not complete else SOME_UNREADABLE if unreadable else 0
