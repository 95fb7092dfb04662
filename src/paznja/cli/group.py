"""The group that every command belongs to, and what is shown without a command."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from paznja.completion import command_names
from paznja.errors import WrongUse

WELCOME = """\
paznja trains a small GPT on your own books, on this machine, and lets you watch it learn.

  paznja demo                           two minutes at most on the stories that come with it: try this first
  paznja books ~/Books                  what it makes of your books, before it learns anything
  paznja train ~/Books                  learn from a folder of your books, 10 minutes
  paznja runs                           what has been trained
  paznja generate NAME "..."            let a trained model continue a text, by default the start of its samples
  paznja next NAME "..."                which characters it expects next
  paznja curve NAME                     how it learnt, as a curve
  paznja evaluate NAME ~/Other          how well it knows books that it never saw
  paznja resume NAME                    continue a run that was stopped
  paznja help COMMAND                   everything about a command"""


class ReaderLeft(Exception):
    """Whatever reads the output has closed it, as `| head` does: no failure."""


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Raise ReaderLeft after a broken pipe; click and rich would end with exit code 1, as after a failure."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderLeft from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            raise ReaderLeft from None
        raise


class Commands(click.Group):
    """The group of all commands; suggests one if a name is mistyped."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with readers_may_leave():
            return super().make_context(*args, **extra)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], self.commands, n=1)
        if args[0] not in self.commands and near and not ctx.resilient_parsing and not args[0].startswith("-"):
            raise WrongUse(f"There is no command {args[0]!r}. Did you mean {near[0]}? For all commands: paznja --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with readers_may_leave():
            return super().invoke(ctx)


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="paznja", message="paznja %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Train a small GPT on your own books, on your own machine, and watch it learn."""
    if context.invoked_subcommand is None:
        click.echo(WELCOME)


@commands.command(name="help")
@click.argument("names", metavar="[COMMAND]", nargs=-1, shell_complete=command_names)
@click.pass_context
def help_(context: click.Context, names: tuple[str, ...]) -> None:
    """Show what COMMAND does and all its options; without COMMAND, all commands."""
    root = context.find_root()
    root.command.main(args=[*names, "--help"], prog_name=root.info_name, standalone_mode=False)
