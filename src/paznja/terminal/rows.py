"""One row of the table of generated text, iteration and time."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from paznja.table import one_line

NARROW = 80
"""In a terminal with fewer columns than this, the table has smaller gaps."""


def table_row(text: Text, iteration: str, seconds: str, width: int) -> Table:
    """A row of the table. Text without spaces, as an untrained model writes it, is broken where the column ends."""
    grid = Table.grid(padding=(0, 2 if width >= NARROW else 1), expand=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", min_width=9, no_wrap=True)  # as wide as its title, so that the rows line up
    grid.add_column(justify="right", min_width=11 if width >= NARROW else 10, no_wrap=True)
    grid.add_row(text, iteration, seconds)
    return grid


def prompt_and_text(prompt: str, text: str) -> Text:
    """A sample on one line: the prompt dim, what the model wrote in the terminal's normal style."""
    whole = one_line(prompt + text)
    end = len(one_line(prompt))
    end += whole[end:].startswith(" ")  # in a picture, a space that begins a piece of text may be lost
    # A style of the whole `Text` would also hold for what is appended to it.
    return Text().append(whole[:end], style="dim").append(whole[end:])
