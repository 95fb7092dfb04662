"""The commands for housekeeping: runs, cache, completion."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from paznja.cli.group import commands
from paznja.cli.options import cache_option, out_option
from paznja.completion import SHELLS, run_names, script
from paznja.errors import RunError
from paznja.table import counted, file_size, some_of


@commands.command()
@click.option(
    "--remove",
    metavar="NAME",
    shell_complete=run_names,
    help="Delete this run; asks first. Files in its folder that paznja did not make stay.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@out_option
def runs(remove: str | None, yes: bool, out: Path) -> None:
    """List what has been trained: name, state, books, iterations, time, bits per character, last sample."""
    from paznja.corpus.printable import printable
    from paznja.run import Run, all_runs
    from paznja.run.writing import remove_run
    from paznja.terminal.runs import print_runs

    if remove is None:
        print_runs(all_runs(out), out)
        return
    run = Run.open(remove, out)
    if run.path.is_symlink():
        raise RunError(f"{run.path} is a link to a folder elsewhere, and nothing was deleted: remove the run where it is.")
    if yes or click.confirm(f"Delete {run.path} with its weights and samples?"):
        stays = remove_run(run)
        others = f" What paznja did not make is still in its folder: {', '.join(printable(path.name) for path in stays)}." if stays else ""
        click.echo(f"The run {run.path} is deleted.{others}")


@commands.command()
@click.option("--clear", is_flag=True, help="Delete all of it. Runs are not touched; their books are only read again next time.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@cache_option
def cache(clear: bool, yes: bool, cache: Path | None) -> None:
    """Show, or clear, the folder in which read books are kept ready for the next run."""
    import datetime

    from paznja.cache import CACHE_BYTES, cache_entries, clear_cache, default_cache, is_passing, passing_left

    folder = cache or default_cache()
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{folder} is a file, not a folder for prepared books.")
    entries = cache_entries(folder)
    left_behind = [entry for passing in passing_left(folder) for entry in cache_entries(passing)]
    size = sum(entry.size() for entry in [*entries, *left_behind])
    books = sum(entry.is_book for entry in entries)
    shelves = counted(len(entries) - books, "prepared shelf", "prepared shelves")
    left = ", and what was left by a training with --no-corpus that was killed" if left_behind else ""
    held = f"{shelves} and {counted(books, 'book')}{left}, {file_size(size)}"
    if not clear:
        since = f", the oldest last used on {datetime.date.fromtimestamp(entries[0].used())}" if entries else ""
        click.echo(f"{folder}: {held} of at most {file_size(CACHE_BYTES)}{since}. paznja cache --clear deletes it.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{folder} holds {held}: without a terminal to ask in, paznja deletes it only with --yes.")
        if not click.confirm(f"Delete {held}, in {folder}?"):
            return
    stays = clear_cache(folder)
    click.echo(f"{folder}: {held} deleted.")
    strangers = [str(path.relative_to(folder)) for path in stays if not is_passing(path)]
    if strangers:
        click.echo(f"Still there, because paznja did not make it: {some_of(strangers)}.")
    if len(strangers) < len(stays):
        click.echo("A training with --no-corpus is running: what it has read of its books is still there and is deleted when it ends.")


@commands.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what SHELL needs for the Tab key to complete commands, options, their values and the names of runs.

    \b
    bash: add to ~/.bashrc the line   eval "$(paznja completion bash)"
    zsh: add to ~/.zshrc the line     eval "$(paznja completion zsh)"
    fish: run once   mkdir -p ~/.config/fish/completions; paznja completion fish > ~/.config/fish/completions/paznja.fish

    Then open a new terminal.
    """
    click.echo(script(shell, commands).encode(), nl=False)  # bytes, so that Windows does not change the ends of the lines
