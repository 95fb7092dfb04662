"""What several commands take: kinds of values, options, arguments; and the exit codes that more than one of them gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from paznja.completion import run_names

SOME_UNREADABLE = 3
INTERRUPTED = 130


class Decimal(click.types.FloatParamType):
    """A number with a point or a comma."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        pointed: Any = value.replace(",", ".") if isinstance(value, str) else value
        number = super().convert(pointed, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


class Place(click.Path):
    """A file or a folder, there or not yet. An empty one is no place, though Python takes it for the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value) or "\0" in str(value):
            self.fail("it is empty; name a file or a folder." if not str(value) else "no file can be called so.", param, ctx)
        return super().convert(value, param, ctx)


DECIMAL = Decimal()
PLACE = Place(path_type=Path)

out_option = click.option("--out", type=PLACE, default=Path("runs"), show_default=True, help="The folder that the runs are in.")
cache_option = click.option(
    "--cache",
    type=PLACE,
    envvar="PAZNJA_CACHE",
    show_envvar=True,
    help="The folder for prepared books; the user's cache folder otherwise.",
)
quiet_option = click.option("--quiet", is_flag=True, help="Print errors alone.")
latest_option = click.option("--latest", is_flag=True, help="Use the newest checkpoint's weights instead of the best ones.")
iterations_option = click.option("--iterations", type=int, help="How long to train, in iterations.")
strict_option = click.option("--strict", is_flag=True, help="Stop at the first file that cannot be read, instead of going on without it.")
held_out_option = click.option("--held-out", multiple=True, type=PLACE, help="Measure on this file; may be given several times.")
name_argument = click.argument("name", shell_complete=run_names)


def prompt_given(text: str) -> str:
    """The prompt given, or standard input's; bytes that are no text become question marks."""
    text = sys.stdin.read().rstrip("\n") if text == "-" else text
    return text.encode(errors="surrogateescape").decode(errors="replace")
