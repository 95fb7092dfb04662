"""Shows a training while it runs: what is said before it, the table as it grows, the live line below, and how it ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from paznja.corpus.printable import printable
from paznja.table import counted, duration
from paznja.terminal.live_line import TURNS_A_SECOND, LiveLine, WrittenOver
from paznja.terminal.plan import LINES_BEFORE, describe_briefly, describe_plan
from paznja.terminal.rows import prompt_and_text, table_row
from paznja.terminal.words import as_typed, print_unreadable, program, quoted

if TYPE_CHECKING:
    from paznja.corpus.book import Unreadable
    from paznja.training import events
    from paznja.training.plan import Planned, Reading

PLAIN_SECONDS = 30.0
"""The time between two lines about the progress if there is no terminal."""

DRAWING_SECONDS = 0.1
"""The time between two drawings of the live line."""

_DRAWING = threading.Lock()
if hasattr(os, "register_at_fork"):  # a process forked in the middle of a drawing would wait forever for it to end
    os.register_at_fork(before=_DRAWING.acquire, after_in_parent=_DRAWING.release, after_in_child=_DRAWING.release)

NOTEBOOK = 100
"""The width of what is printed in a notebook, in columns."""


class Display:
    """Shows a training in a terminal, in a notebook, or as plain lines elsewhere: pass every event to `show`.

    As a context manager in a terminal, it also shows a sign of life before the first event, and leaves the terminal as it was.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, console: Console | None = None) -> None:
        """`quiet`: say only what was not read; `verbose`: say all that is known before the first iteration; `console`: where to print."""
        self.complete = False
        self.unreadable: tuple[Unreadable, ...] = ()
        self._verbose = verbose
        self._console = console or _console(quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._entered = False
        self._line = LiveLine()
        self._bar: Live | WrittenOver | None = None
        self._turning: threading.Thread | None = None
        self._turned_enough = threading.Event()
        self._interrupts: Any = None
        self._showing = threading.RLock()
        self._last_shown = 0.0
        self._held_out: float | None = None
        self._name_as_typed = ""
        self._prompt = ""
        self._scores = True
        self._enough = False

    def __enter__(self) -> Display:
        if self._live and not _in_notebook():
            self._entered = True
            self._begin_live_line()
            self._acknowledge_interrupts()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._interrupts is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C would interrupt this and leave the terminal half restored
        try:
            self._end_live_line()
        finally:
            if self._interrupts is not None:
                signal.signal(signal.SIGINT, self._interrupts)
                self._interrupts = None

    def show(self, event: events.Event | Reading | Planned) -> None:
        """Show one event."""
        handler: Callable[[Any], None] | None = getattr(self, f"_on_{type(event).__name__.lower()}", None)
        if handler is not None:
            with self._showing:  # `Stopping` comes from another thread
                handler(event)

    # --- before the first iteration -------------------------------------------------------------------------------------------------

    def _on_reading(self, event: Reading) -> None:
        if not self._live:
            if event.done == 1:
                self._print("Reading books ...")
            return
        self._begin_live_line()
        if event.done < event.total:
            self._wait(f"Reading books {event.done}/{event.total}", f"  {printable(event.path.name)}", fraction=event.done / event.total)
        else:
            self._wait("Getting ready ...")

    def _on_planned(self, event: Planned) -> None:
        self.unreadable, self._name_as_typed, self._prompt = event.unreadable, as_typed(event.run), event.settings.sampling.prompts[0]
        self._scores, self._enough = event.settings.training.scoring != "none", event.stretch.enough
        self.complete, self._held_out, self._last_shown = False, None, 0.0  # it may have shown another training before
        self._begin_live_line()
        self._make_room()
        print_unreadable(event.unreadable, most=None if self._verbose else LINES_BEFORE)  # also when quiet: this has to be known
        for line in describe_plan(event) if self._verbose else describe_briefly(event):
            self._print(Text(line))
        self._print()
        self._print_row(Text("Generated text", style="bold"), "iteration", "time")
        for row in event.run.samples(rows_only=True):
            self._show_row(row["prompt"], row["text"], row["iteration"], row["seconds"])
        self._wait("Starting ...")

    # --- the live line --------------------------------------------------------------------------------------------------------------

    def _begin_live_line(self) -> None:
        """In a terminal, show a line below everything else from now on; it turns until there is progress to see."""
        if self._bar is not None or not self._live:
            return
        self._line.turns = True
        if not self._entered:
            self._bar = WrittenOver(self._line, self._console)
            return
        same = sys.stderr is not None and sys.stderr.isatty()  # if redirected, it does not belong in this terminal
        self._bar = Live(self._line, console=self._console, transient=True, auto_refresh=False, redirect_stderr=same)
        self._bar.start(refresh=True)
        self._turned_enough.clear()
        self._turning = threading.Thread(target=self._turn, args=(self._bar,), daemon=True)
        self._turning.start()

    def _turn(self, bar: Live) -> None:
        """Redraw the waiting line, in a thread of its own: the main thread is busy with whatever is waited for."""
        while not self._turned_enough.wait(1 / TURNS_A_SECOND):
            with _DRAWING:
                bar.refresh()

    def _wait(self, what: str, *rest: str, fraction: float | None = None) -> None:
        self._line.fraction, self._line.left, self._line.rest = fraction, what, rest
        if isinstance(self._bar, WrittenOver):  # a `Live` is drawn by the thread
            self._bar.refresh()

    def _stop_turning(self) -> None:
        self._line.turns = False
        self._turned_enough.set()
        if self._turning is not None:
            self._turning.join()
            self._turning = None

    def _end_live_line(self) -> None:
        self._stop_turning()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, *what: Any) -> None:
        self._make_room()
        self._console.print(*what)

    def _make_room(self) -> None:
        """Clear the live line before something is printed in its place; a `Live` does so itself."""
        if isinstance(self._bar, WrittenOver):
            self._bar.stop()

    def _acknowledge_interrupts(self) -> None:
        """Show at once that Ctrl-C was pressed: other processes may have to end first."""
        if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._wait("Stopping ...")  # the thread draws it: this may have interrupted a drawing
            signal.default_int_handler(number, frame)

        self._interrupts = signal.signal(signal.SIGINT, interrupt)

    # --- while it learns ------------------------------------------------------------------------------------------------------------

    def _on_progress(self, event: events.Progress) -> None:
        now = time.monotonic()
        left = f"{duration(event.seconds_left)} left"
        if self._line.turns:
            self._stop_turning()
        self._line.left = left
        if now - self._last_shown < (DRAWING_SECONDS if self._live else PLAIN_SECONDS) or (not self._live and not self._last_shown):
            self._last_shown = self._last_shown or now
            return
        self._last_shown = now
        iteration, loss = f"iteration {event.iteration:,}", f"loss {event.training_bits:.3f}"
        held_out = "" if self._held_out is None else f" · held-out {self._held_out:.3f}"
        speed = f"{event.characters_per_second:,.0f} chars/s"
        if self._bar is not None:
            self._line.fraction = event.fraction
            self._line.rest = (f" · {iteration}", f" · {loss}", held_out, " bits/char", f" · {speed}")
            self._bar.refresh()
        else:
            self._print(f"  {iteration} · {loss}{held_out} bits/char · {speed} · {left}")

    def _on_counting(self, event: events.Counting) -> None:
        counting = "Counting what follows what in the books, and how far to trust it ..."
        if self._bar is not None:
            self._wait(counting)
        else:
            self._print(counting)

    def _on_scoring(self, event: events.Scoring) -> None:
        now = time.monotonic()
        if self._bar is not None and now - self._last_shown >= DRAWING_SECONDS:
            self._last_shown = now
            if self._line.turns:
                self._line.left = "Measuring ..."
            self._line.rest = (f" · measured {event.done / event.total:.0%}", " of the held-out text")
            self._bar.refresh()

    def _on_evaluated(self, event: events.Evaluated) -> None:
        self._held_out = event.held_out

    def _on_sampled(self, event: events.Sampled) -> None:
        if event.row:
            self._show_row(event.prompt, event.text, event.iteration, event.seconds)

    def _on_stopping(self, event: events.Stopping) -> None:
        self._print("Stopping after this iteration, and saving; Ctrl-C again stops without saving.")

    def _on_regrouped(self, event: events.Regrouped) -> None:
        workers = counted(event.number, event.unit, "processes" if event.unit == "process" else None)
        self._print(Text(f"Other programs use more or less of the machine than before: it goes on with {workers}.", style="dim"))

    def _on_heldup(self, event: events.HeldUp) -> None:
        slow = f"Process {event.rank + 1}, on {event.host}, takes {event.times:.1f} times as long as the others, which wait for it."
        self._print(Text(slow, style="dim"))

    def _on_paused(self, event: events.Paused) -> None:
        self._print("Paused, and saved.")

    def _on_finished(self, event: events.Finished) -> None:
        self._end_live_line()
        self.complete = event.complete
        what = "all held-out books" if event.whole else "a fixed part of the held-out books"
        score = "" if event.held_out is None else f" It needs {event.held_out:.3f} bits per character on {what}."
        if not self._scores:
            score = f" Nothing was scored; to score it: {program()} evaluate {self._name_as_typed}"
        self._print()
        if not event.complete:
            self._print(Text(f"Stopped and saved at iteration {event.iteration:,}, after {duration(event.seconds)}.{score}"))
            self._print(Text(f"Go on with: {program()} resume {self._name_as_typed}"))
            return
        self._print(Text(f"Finished: {counted(event.iteration, 'iteration')} in {duration(event.seconds)}.{score}"))
        if self._enough:
            self._print(Text("These books have taught it what they can: to write better it needs more books, not more minutes."))
        name, prompt = self._name_as_typed, self._prompt
        self._print(Text("Try next:"))
        typed = quoted(prompt)
        after = f"-- {typed}" if prompt.startswith("-") else typed  # otherwise it would be taken for an option
        on = "train ~/Books ~/MoreBooks" if self._enough else f"resume {name} --minutes 10"
        for command in (f"generate {name} --prompt {typed}", f"next {name} {after}", on):
            self._print(Text(f"  {program()} {command}"))

    def _show_row(self, prompt: str, text: str, iteration: int, seconds: float) -> None:
        self._print_row(prompt_and_text(prompt, text), f"{iteration:,}", duration(seconds))

    def _print_row(self, text: Text, iteration: str, seconds: str) -> None:
        if not self._console.is_terminal:
            self._print(Text(f"{iteration:>9}  {seconds:>12}  ").append_text(text))
            return
        self._print(table_row(text, iteration, seconds, self._console.width))
        self._print()


class _Outlasting(Console):
    """A console whose output may be closed: after that it prints nothing, and the training goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is still in the buffer would raise an error at exit
        try:
            print("The output was closed: training goes on without printing; Ctrl-C saves and stops.", file=sys.stderr, flush=True)
        except BrokenPipeError:  # standard error went to the same place
            os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


def _in_notebook() -> bool:
    return Console().is_jupyter


def _console(*, quiet: bool) -> Console:
    """The console for standard output. A notebook is a terminal of fixed width that has colours and carriage returns, and nothing else."""
    if not _in_notebook():
        return _Outlasting(quiet=quiet, highlight=False, soft_wrap=not sys.stdout.isatty())
    colours = {"force_jupyter": False, "force_terminal": True, "color_system": "standard", "legacy_windows": False}
    return Console(quiet=quiet, highlight=False, width=NOTEBOOK, **colours)
