"""The live line below the table, and how it is written where nothing can go back up or hide the cursor."""

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
    """The line below the table: what is waited for or the time left, as much else as the terminal has room for, and a bar."""

    def __init__(self) -> None:
        self.turns = True
        """Whether there is nothing to see yet but that it is not dead."""
        self.fraction: float | None = None
        self.left = "Getting ready ..."
        self.rest: tuple[str, ...] = ()
        """What follows, with what separates it; the first of them are the last to go."""

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
    """A live line without a thread, a hidden cursor or a way up: for notebooks, and for programs that may end anyhow."""

    def __init__(self, line: LiveLine, console: Console) -> None:
        self._line = line
        self._console = console
        self._width = console.width - 1

    def refresh(self) -> None:
        """Write the line as it is now over what was there."""
        with self._console.capture() as drawn:
            self._console.print(self._line, width=self._width)
        self.stop()
        self._write(drawn.get().rstrip("\n"))

    def stop(self) -> None:
        """Leave an empty line, at its beginning."""
        self._write("\r" + " " * self._width + "\r")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
