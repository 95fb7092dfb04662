"""The commands about books: books, books fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from paznja.cli.group import commands
from paznja.cli.options import (
    PLACE,
    SOME_UNREADABLE,
    cache_option,
    held_out_option,
    quiet_option,
    strict_option,
)
from paznja.cli.settings import option_of
from paznja.completion import files_or_fetch, shelf_names
from paznja.table import counted


class WithDefault(click.Group):
    """A group whose command may be left out: words that do not begin with one of its commands go to the command without a name."""

    default = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [self.default, *args]
        elif args[0] in ctx.help_option_names:
            args = [self.default, args[0]]
        return super().parse_args(ctx, args)


class Nameless(click.Command):
    """The command without a name in a `WithDefault`."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path.strip(), " ".join(self.collect_usage_pieces(ctx)))


@commands.group(name="books", cls=WithDefault)
def books_group() -> None:
    """Show what paznja makes of BOOKS, or fetch some (paznja books fetch)."""


@books_group.command(name="", cls=Nameless, hidden=True)
@click.argument("books", nargs=-1, required=True, type=PLACE, shell_complete=files_or_fetch)
@click.option("--out", type=PLACE, help="Write the text into this new folder, one file per book, exactly as training sees it.")
@click.option("--show", metavar="TITLE", help="For one book: what was left out or repaired and why, with examples.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON instead of a table.")
@held_out_option
@option_of("script")
@option_of("without")
@strict_option
@cache_option
def books(books: tuple[Path, ...], out: Path | None, show: str | None, as_json: bool, held_out: tuple[Path, ...], **options: Any) -> int:
    """Show what paznja makes of BOOKS: files and folders, read with all that is in them.

    One line per book: title, author, format, script, characters, whether it is used for training or held out to measure on, and what you
    should know about it; then what was left out, and whether there is enough. Nothing is learnt, and your files are only read.
    """
    from paznja import api
    from paznja.cache import using
    from paznja.corpus.finding import passed_over
    from paznja.corpus.texts import write_texts
    from paznja.prepared import remarks_on
    from paznja.terminal.bars import reading_bar
    from paznja.terminal.books import print_book, print_books
    from paznja.terminal.words import print_unreadable

    options["script"] = options["script"] or "auto"
    with using(options["cache"]):  # the books' texts stay in the cache until they are printed and written
        with reading_bar(shown=not as_json) as on_read:
            corpus = api.read_shelf(list(books), held_out=list(held_out) or None, on_read=on_read, **options)
        print_unreadable(corpus.unreadable)
        if show is not None:
            print_book(corpus.find(show))
        else:
            print_books(corpus, [*passed_over(books), *remarks_on(corpus)], as_json=as_json)
        if out is not None:
            written = write_texts(corpus, out)
            click.echo(f"{counted(written, 'file')} written to {out}.", err=as_json)
    return SOME_UNREADABLE if corpus.unreadable else 0


@books_group.command()
@click.argument("shelf", required=False, shell_complete=shelf_names)
@click.option("--from", "base", metavar="ADDRESS", envvar="PAZNJA_FETCH_FROM", show_envvar=True, help="Another address to fetch from.")
@click.option("--into", "folder", type=PLACE, help="The folder for the books; by default in the user's data folder.")
@quiet_option
def fetch(shelf: str | None, base: str | None, folder: Path | None, quiet: bool) -> None:
    """Download the free books called SHELF, verify every file, and continue where the last download stopped.

    Without SHELF, list what can be fetched. To train on a fetched shelf, use its name: paznja train eltec-srp.
    """
    from paznja.corpus import fetching
    from paznja.terminal.bars import fetching_bar
    from paznja.terminal.words import program, quoted

    if shelf is None:
        for known in map(fetching.known_shelf, fetching.known_shelves()):
            click.echo(f"{known.name}: {known.title}; {len(known.sha256)} books, {known.licence}")
        return
    known = fetching.known_shelf(shelf)
    with fetching_bar(shown=not quiet) as on_progress:
        place = fetching.fetch(shelf, base=base, folder=folder, on_progress=on_progress)
    if not quiet:
        click.echo(f"{known.title}: {len(known.sha256)} books in {place}, every one verified. {known.licence}. {known.citation}")
        click.echo(f"Try next: {program()} train {shelf if folder is None else quoted(str(place))}")
