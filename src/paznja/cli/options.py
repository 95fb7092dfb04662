"""What several commands share: types of values, options, arguments, exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from paznja.completion import run_names

SOME_UNREADABLE = 3
INTERRUPTED = 130


class Decimal(click.types.FloatParamType):
    """A number with a decimal point or a decimal comma."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        pointed: Any = value.replace(",", ".") if isinstance(value, str) else value
        number = super().convert(pointed, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Place(click.Path):
    """A file or a folder, existing or not. An empty path is refused, though Python takes it for the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value) or "\0" in str(value):
            self.fail("it is empty; name a file or a folder." if not str(value) else "no file can have this name.", param, ctx)
        return super().convert(value, param, ctx)


DECIMAL = Decimal()
PLACE = Place(path_type=Path)

out_option = click.option("--out", type=PLACE, default=Path("runs"), show_default=True, help="The folder that the runs are in.")
cache_option = click.option(
    "--cache",
    type=PLACE,
    envvar="PAZNJA_CACHE",
    show_envvar=True,
    help="The folder for prepared books; by default in the user's cache folder.",
)
quiet_option = click.option("--quiet", is_flag=True, help="Print only errors.")
latest_option = click.option("--latest", is_flag=True, help="Use the newest checkpoint's weights instead of the best ones.")
iterations_option = click.option("--iterations", type=int, help="How long to train, in iterations.")
strict_option = click.option("--strict", is_flag=True, help="Stop at the first file that cannot be read, instead of going on without it.")
held_out_option = click.option("--held-out", multiple=True, type=PLACE, help="Measure on this file; may be given several times.")
name_argument = click.argument("name", shell_complete=run_names)


def prompt_given(text: str) -> str:
    """The given prompt, or standard input for "-"; bytes that are not text become question marks."""
    text = sys.stdin.read().rstrip("\n") if text == "-" else text
    return text.encode(errors="surrogateescape").decode(errors="replace")
