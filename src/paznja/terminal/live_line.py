"""The live line below the table, and how to write it where the cursor cannot go up or be hidden."""

from __future__ import annotations

import time

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

TURNS_A_SECOND = 8
_TURNS = "|/-\\"  # in every encoding and font


class LiveLine:
    """The line below the table: a bar, the time left or what is being waited for, and as much else as there is room for."""

    def __init__(self) -> None:
        self.turns = True
        """Whether it only shows a sign of life, because there is no progress to see yet."""
        self.fraction: float | None = None
        self.left = "Getting ready ..."
        self.rest: tuple[str, ...] = ()
        """What follows, each with its separator; if there is too little room, the last ones are left out first."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bar = options.max_width // 5
        if self.fraction is None or bar < 8:
            bar = 0
        line = f"{_TURNS[int(TURNS_A_SECOND * time.monotonic()) % len(_TURNS)]} {self.left}" if self.turns else self.left
        for part in self.rest:
            if cell_len(line + part) > options.max_width - bar - 1:
                break
            line += part
        row = Table.grid(padding=(0, 1))
        row.add_row(*([ProgressBar(total=1.0, completed=self.fraction or 0.0, width=bar)] if bar else []), Text(line, no_wrap=True))
        yield row


class WrittenOver:
    """A live line without a thread, which never hides the cursor or goes up: for notebooks, and for programs that may end at any time."""

    def __init__(self, line: LiveLine, console: Console) -> None:
        self._line = line
        self._console = console
        self._width = console.width - 1

    def refresh(self) -> None:
        """Write the line as it is now over what it was before."""
        with self._console.capture() as drawn:
            self._console.print(self._line, width=self._width)
        self.stop()
        self._write(drawn.get().rstrip("\n"))

    def stop(self) -> None:
        """Clear the line and go to its beginning."""
        self._write("\r" + " " * self._width + "\r")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
