"""The screens: a training as it runs, results, the list of runs, bars."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from paznja.corpus.printable import printable
from paznja.curve import draw
from paznja.errors import PaznjaError, RunError
from paznja.table import count, counted, duration, file_size, one_line

if TYPE_CHECKING:
    from paznja.api import Evaluation
    from paznja.corpus.book import Unreadable
    from paznja.run import Run
    from paznja.training import events
    from paznja.training.session import Planned, Reading

PLAIN_SECONDS = 30.0
"""Between two lines about the progress where there is no terminal."""

DRAWING_SECONDS = 0.1
"""Between two drawings of the live line."""

_TURNS_A_SECOND = 8
_TURNS = "|/-\\"  # in every encoding and font

_DRAWING = threading.Lock()
if hasattr(os, "register_at_fork"):  # a process that is forked in the middle of a drawing would wait for its end forever
    os.register_at_fork(before=_DRAWING.acquire, after_in_parent=_DRAWING.release, after_in_child=_DRAWING.release)

NARROW = 80
"""Columns of a terminal, below which the table keeps its gaps small."""

NOTEBOOK = 100
"""Columns of what is printed in a notebook."""

LINES_BEFORE = 5
"""About a training, before its table; whoever wants all of it asks for it."""

BLOG_ITERATIONS = 20_000
"""Of the run of 2023, whose time on this machine is said before the preset `blog` starts."""

_FILES = "{task.completed}/{task.total}  {task.fields[file]}"  # behind a bar


class _Outlasting(Console):
    """A console whose reader may go: from then on nothing is printed, and whatever prints goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is still waiting to be printed would complain at the very end
        try:
            print("What this was printed into is closed: it goes on without printing; Ctrl-C saves and stops.", file=sys.stderr, flush=True)
        except BrokenPipeError:  # it went into the same
            os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


class Display:
    """Shows a training: give every event to `show`, in a terminal, a notebook, or a program that writes elsewhere.

    As a context manager it also shows in a terminal that it is alive before the first event, and leaves the terminal as it was found.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, console: Console | None = None) -> None:
        """`quiet`: say nothing but what was not read; `verbose`: say all that is known before the first iteration."""
        self.complete = False
        self.unreadable: tuple[Unreadable, ...] = ()
        self._verbose = verbose
        self._console = console or _console(quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._entered = False
        self._line = _LiveLine()
        self._bar: Live | _WrittenOver | None = None
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
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C would leave the terminal as it is in the middle of this
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
        self._scores, self._enough = event.settings.training.scoring != "none", event.enough
        self.complete, self._held_out, self._last_shown = False, None, 0.0  # it may have shown another training before
        self._begin_live_line()
        self._make_room()
        print_unreadable(event.unreadable, most=None if self._verbose else LINES_BEFORE)  # also when quiet: it is no decoration
        for line in describe_plan(event) if self._verbose else describe_briefly(event):
            self._print(Text(line))
        self._print()
        self._print_row(Text("Generated text", style="bold"), "iteration", "time")
        for row in event.run.samples(rows_only=True):
            self._show_row(row["prompt"], row["text"], row["iteration"], row["seconds"])
        self._wait("Starting ...")

    # --- the live line --------------------------------------------------------------------------------------------------------------

    def _begin_live_line(self) -> None:
        """From now on, in a terminal, there is a line below everything else; it turns until there is progress to see."""
        if self._bar is not None or not self._live:
            return
        self._line.turns = True
        if not self._entered:
            self._bar = _WrittenOver(self._line, self._console)
            return
        same = sys.stderr is not None and sys.stderr.isatty()  # what goes elsewhere is not for this terminal
        self._bar = Live(self._line, console=self._console, transient=True, auto_refresh=False, redirect_stderr=same)
        self._bar.start(refresh=True)
        self._turned_enough.clear()
        self._turning = threading.Thread(target=self._turn, args=(self._bar,), daemon=True)
        self._turning.start()

    def _turn(self, bar: Live) -> None:
        """Draw the waiting line again and again, in a thread of its own: whatever is waited for has the main one."""
        while not self._turned_enough.wait(1 / _TURNS_A_SECOND):
            with _DRAWING:
                bar.refresh()

    def _wait(self, what: str, *rest: str, fraction: float | None = None) -> None:
        self._line.fraction, self._line.left, self._line.rest = fraction, what, rest
        if isinstance(self._bar, _WrittenOver):  # a `Live` is drawn by the thread
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
        """For what is printed where the live line stands; a `Live` does so itself."""
        if isinstance(self._bar, _WrittenOver):
            self._bar.stop()

    def _acknowledge_interrupts(self) -> None:
        """Let Ctrl-C be seen at once: what it interrupts may have processes to wait for."""
        if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._wait("Stopping ...")  # which the thread draws: this may have interrupted a drawing
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

    def _on_rethreaded(self, event: events.Rethreaded) -> None:
        threads = counted(event.threads, "thread")
        self._print(Text(f"Other programs use the machine in another way than before: it goes on with {threads}.", style="dim"))

    def _on_paused(self, event: events.Paused) -> None:
        self._print("Paused, and saved.")

    def _on_finished(self, event: events.Finished) -> None:
        self._end_live_line()
        self.complete = event.complete
        what = "all held-out books" if event.whole else "a fixed part of the held-out books"
        score = "" if event.held_out is None else f" It needs {event.held_out:.3f} bits per character on {what}."
        if not self._scores:
            score = f" Nothing was scored; do so with: {program()} evaluate {self._name_as_typed}"
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
        after = f"-- {typed}" if prompt.startswith("-") else typed  # or it would be taken for an option
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


class _LiveLine:
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
        line = f"{_TURNS[int(_TURNS_A_SECOND * time.monotonic()) % len(_TURNS)]} {self.left}" if self.turns else self.left
        for part in self.rest:
            if cell_len(line + part) > options.max_width - bar - 1:
                break
            line += part
        row = Table.grid(padding=(0, 1))
        row.add_row(*([ProgressBar(total=1.0, completed=self.fraction or 0.0, width=bar)] if bar else []), Text(line, no_wrap=True))
        yield row


class _WrittenOver:
    """A live line without a thread, a hidden cursor or a way up: for notebooks, and for programs that may end anyhow."""

    def __init__(self, line: _LiveLine, console: Console) -> None:
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


def _in_notebook() -> bool:
    return Console().is_jupyter


def _console(*, quiet: bool) -> Console:
    """The one that suits standard output. A notebook is a terminal of a fixed width, with colours and carriage returns but nothing else."""
    if not _in_notebook():
        return _Outlasting(quiet=quiet, highlight=False, soft_wrap=not sys.stdout.isatty())
    colours = {"force_jupyter": False, "force_terminal": True, "color_system": "standard", "legacy_windows": False}
    return Console(quiet=quiet, highlight=False, width=NOTEBOOK, **colours)


def table_row(text: Text, iteration: str, seconds: str, width: int) -> Table:
    """A row of the table. Text without spaces, as an untaught model writes it, is broken where the column ends."""
    grid = Table.grid(padding=(0, 2 if width >= NARROW else 1), expand=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", min_width=9, no_wrap=True)  # as wide as its title, so that all rows are alike
    grid.add_column(justify="right", min_width=11 if width >= NARROW else 10, no_wrap=True)
    grid.add_row(text, iteration, seconds)
    return grid


def prompt_and_text(prompt: str, text: str) -> Text:
    """A sample on one line: the prompt dim, what the model wrote as the terminal writes everything."""
    whole = one_line(prompt + text)
    end = len(one_line(prompt))
    end += whole[end:].startswith(" ")  # in a picture, a space that begins a piece of text may be lost
    # A style of the whole `Text` would also hold for what is appended to it.
    return Text().append(whole[:end], style="dim").append(whole[end:])


def describe_briefly(plan: Planned) -> list[str]:
    """The same in at most `LINES_BEFORE` lines, most of which fit into 80 columns; remarks that would be too many are only counted.

    There are more where memory is short, where something has to be said that is said only now, and for the preset `blog`.
    """
    model = plan.settings.model
    learnt, held_out = _learnt_and_held_out(plan)
    remarks = list(plan.remarks)
    size = f"Model: network of {count(plan.parameters - model.num_table_parameters())} parameters"
    beside = {"learned": f", table of {count(model.num_table_parameters())}", "counted": ", counted memory"}.get(model.memory, "")
    lines = [
        *plan.dialled[:1],
        f"{size}{beside}; needs {_gigabytes(plan)}.",
        f"Speed: about {count(_per_second(plan))} characters a second; {_budget_in_words(plan)}.",
        *_careful(plan),
        f"Run: {plan.run.path}.{_going_on(plan)} Ctrl-C saves and stops.",
    ]
    if 1 + len(lines) + len(remarks) > LINES_BEFORE:
        said = f" {counted(len(remarks), 'remark')}: --verbose." if remarks else ""
        remarks = []
    else:
        said = ""
    first = f"Books: {learnt} to learn from, {held_out}; {_characters(plan)}.{said}"
    return [first, *plan.warnings, *remarks, *lines, *_about_2023(plan)]


def describe_plan(plan: Planned) -> list[str]:
    """All that is said before the first iteration: the books, the model, its memory and its expected speed, where it is kept."""
    settings, training = plan.settings, plan.settings.training
    model = settings.model
    learnt, held_out = _learnt_and_held_out(plan)
    precision = "" if training.precision == "float32" else f", {training.precision}"
    where = counted(training.threads, "CPU thread") if training.device == "cpu" else training.device
    table = model.num_table_parameters()
    layers = f"{counted(model.layers, 'layer')} of width {model.width}"
    if table:
        parameters = (
            f"{count(plan.parameters - table)} compute, in a network of {layers}, and {count(table)} are a table of what the last "
            "characters are worth, in which it looks up a few rows for each character"
        )
    else:
        parameters = f"a network of {layers}"
    return [
        f"Books: {learnt} to learn from, {held_out} to measure on; {_characters(plan)}{' (read before)' if plan.cached else ''}.",
        *plan.warnings,
        *plan.remarks,
        *plan.dialled,
        f"Model: {settings.preset}, {count(plan.parameters)} parameters: {parameters}. "
        f"It sees {model.context} characters back. Training needs about {_gigabytes(plan)} of memory.",
        f"Speed: about {count(_per_second(plan))} characters a second ({where}{precision}); {_budget_in_words(plan)}.",
        *_careful(plan),
        *_about_2023(plan),
        f"Run: {plan.run.path}.{_going_on(plan)} Ctrl-C saves and stops; {program()} resume {as_typed(plan.run)} goes on.",
    ]


def _learnt_and_held_out(plan: Planned) -> tuple[str, str]:
    held_out = [book for book in plan.books if book.held_out]
    whole = len(plan.books) > 2 or not held_out[0].part
    return f"{len(plan.books) - len(held_out):,}", f"{len(held_out):,} held out" if whole else "its last tenth held out"


def _characters(plan: Planned) -> str:
    return f"{count(sum(book.characters for book in plan.books))} characters"


def _gigabytes(plan: Planned) -> str:
    return f"{max(plan.memory_bytes / 1e9, 0.1):.1f} GB"


def _per_second(plan: Planned) -> float:
    return plan.settings.training.batch * plan.settings.model.context / plan.seconds_per_iteration


def _careful(plan: Planned) -> list[str]:
    if plan.memory_bytes <= plan.available_bytes:
        return []
    return [f"Careful: only {plan.available_bytes / 1e9:.1f} GB of memory are free. A lower --batch or --context needs less."]


def _about_2023(plan: Planned) -> list[str]:
    if plan.settings.preset != "blog":
        return []
    took = duration(BLOG_ITERATIONS * plan.seconds_per_iteration)
    return [f"The run of 2023 had {BLOG_ITERATIONS:,} iterations; here they take about {took}."]


def _going_on(plan: Planned) -> str:
    return f" It goes on from iteration {plan.from_iteration:,}." if plan.from_iteration else ""


def _budget_in_words(plan: Planned) -> str:
    training = plan.settings.training
    if training.iterations is not None:
        left = max(0, training.from_iteration + training.iterations - plan.from_iteration)
        return f"{counted(left, 'iteration')} in about {duration(max(0.1, left * plan.seconds_per_iteration))}"
    assert training.minutes is not None
    return f"about {counted(plan.iterations or 1, 'iteration')} in {duration(60 * training.minutes)}"


def print_expected(prompt: str, expected: Sequence[tuple[str, float]]) -> None:
    """The likeliest next characters as bars."""
    console = Console(highlight=False)
    console.print(Text(one_line(prompt) + " ..." if not prompt.endswith(" ") else prompt + "..."))
    widest = max(probability for _, probability in expected)
    for character, probability in expected:
        bar = "█" * max(1, round(40 * probability / widest)) if probability > 0 else ""
        console.print(Text(f"  {visible(character):>3}  {probability:6.1%}  ").append(bar, style="cyan"))


def print_step(prompt: str, expected: Sequence[tuple[str, float]]) -> None:
    """The prompt as it has grown, and in one line what may follow."""
    follows = "  ".join(f"{visible(character)} {probability:.0%}" for character, probability in expected[:5])
    Console(highlight=False, soft_wrap=True).print(Text(prompt.replace("\n", "⏎")).append(f"   → {follows}", style="dim"))


def print_evaluation(evaluation: Evaluation, *, as_json: bool) -> None:
    """Bits per character, a line a book and in all."""
    if as_json:
        plain = {
            "bits_per_character": evaluation.bits_per_character,
            "characters": evaluation.characters,
            "books": [asdict(book) for book in evaluation.books],
            "unreadable": [{"path": str(bad.path), "reason": bad.reason} for bad in evaluation.unreadable],
        }
        print(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("book", "author"):
        table.add_column(title, overflow="fold")
    for title in ("characters", "bits per character"):
        table.add_column(title, justify="right", no_wrap=True)
    num_learnt = sum(book.learnt for book in evaluation.books)
    if num_learnt:
        table.add_column("", no_wrap=True)
    for book in evaluation.books:
        mark = ("learnt" if book.learnt else "",) if num_learnt else ()
        table.add_row(Text(book.title), Text(book.author), f"{book.characters:,}", f"{book.bits_per_character:.3f}", *mark)
    table.add_row("in all", "", f"{evaluation.characters:,}", f"{evaluation.bits_per_character:.3f}", style="bold")
    Console(highlight=False).print(table)
    if num_learnt:
        total = len(evaluation.books)
        which = "this book" if total == 1 else "all of these books" if num_learnt == total else f"{num_learnt} of these {total} books"
        print(f"The run learnt from {which}: only books that it never saw show how well it knows the language.")


def print_curve(
    name: str, state: str, history: Sequence[dict[str, Any]], *, time: bool = True, log: bool = False, as_json: bool = False
) -> None:
    """How a run learnt: its history (`TrainedRun.history`) drawn as wide as the terminal, or as JSON. RunError with nothing to draw."""
    if as_json:
        print(json.dumps({"name": name, "history": list(history)}, ensure_ascii=False, indent=1))
        return
    axis = "seconds" if time else "iteration"
    held_out = [(line[axis], line["held_out"]) for line in history if line["held_out"] is not None]
    progress = [line for line in history if line["characters_per_second"] is not None]
    # A run that an older version began has its evaluations alone up to there.
    first = progress[0]["iteration"] if progress else float("inf")
    older = [line for line in history if line["characters_per_second"] is None and line["iteration"] < first]
    training = [(line[axis], line["training"]) for line in [*older, *progress] if line["training"] is not None]
    console = Console(highlight=False)
    lines = draw(training, held_out, width=console.width, time=time, log=log, ascii_only=not _has_letters("⠤●┤"))
    if not lines:
        raise RunError(f"The run {name!r} has nothing to draw yet: its curve begins with its first iterations.")
    print(one_line(f"{name} ({state}): {counted(history[-1]['iteration'], 'iteration')} in {duration(history[-1]['seconds'])}"))
    for line in lines:
        print(line)


def _has_letters(letters: str) -> bool:
    """Whether what is printed can have them."""
    try:
        letters.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def print_unreadable(unreadable: Sequence[Unreadable], *, most: int | None = None) -> None:
    """The files that were left out and why, on standard error, in at most so many lines."""
    shown = len(unreadable) if most is None or len(unreadable) <= most else most - 1
    lines = [f"Not read: {printable(bad.path)}: {printable(bad.reason)}" for bad in unreadable[:shown]]
    if shown < len(unreadable):
        lines.append(f"Not read: {counted(len(unreadable) - shown, 'more file')}; --verbose names them all.")
    with suppress(BrokenPipeError):
        for line in lines:
            print(line, file=sys.stderr, flush=True)


def print_runs(runs: Sequence[Run], out: Path) -> None:
    """A table of the runs below `out`."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not runs:
        console.print(Text(f"There are no runs in {out}/ yet. Begin with: paznja train ~/Books, or paznja demo"))
        return
    rows = [_run_row(run) for run in runs]
    beside = max(cell_len(row.name) for row in rows) + sum(max(cell_len(row.facts[n]) for row in rows) for n in range(len(rows[0].facts)))
    needed = beside + 60  # the titles, the gaps and enough of a sample
    if sys.stdout.isatty() and console.width < needed:
        for row in rows:
            console.print(Text(row.name, style="bold", overflow="fold"))
            for line in _lines([_said(title, fact) for title, fact in zip(_FACTS, row.facts, strict=True) if fact], console.width - 2):
                console.print(Padding(Text(line), (0, 0, 0, 2)))
            if row.damage:
                console.print(Padding(Text(row.damage, overflow="fold"), (0, 0, 0, 2)))
            else:
                console.print(Padding(Text(row.sample, style="italic", no_wrap=True, overflow="ellipsis"), (0, 0, 0, 2)))
    else:
        table = Table(box=None, pad_edge=False, expand=True)
        table.add_column("name", no_wrap=True)
        for title in _FACTS:
            table.add_column(title, justify="left" if title == "state" else "right", no_wrap=True)
        table.add_column("last sample", ratio=1, no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(Text(row.name), *row.facts, Text(row.sample))
        console.print(table, width=None if sys.stdout.isatty() else max(160, needed), soft_wrap=False)
        for row in rows:
            if row.damage:
                console.print(Text(f"{row.name} is damaged: {row.damage}"))
    console.print(Text(f"{counted(len(runs), 'run')}, {file_size(sum(row.size for row in rows))}"))


_FACTS = ("state", "books", "iterations", "time", "bits/char", "on disk")


def _said(title: str, fact: str) -> str:
    if title in ("state", "time", "on disk"):
        return fact
    return f"{fact} {title.removesuffix('s') if fact == '1' else title}"


def _lines(facts: Sequence[str], width: int) -> list[str]:
    """Facts side by side, in as many lines as the width asks for, none of them broken."""
    lines = [facts[0]]
    for fact in facts[1:]:
        together = f"{lines[-1]} · {fact}"
        lines[-1:] = [together] if cell_len(together) <= width else [lines[-1], fact]
    return lines


@dataclass(frozen=True)
class _RunRow:
    name: str
    facts: tuple[str, ...]
    """As `_FACTS` names them; empty where nothing is known."""
    size: int
    sample: str = ""
    damage: str = ""


def _run_row(run: Run) -> _RunRow:
    size = sum(file.lstat().st_size for file in run.path.rglob("*") if file.is_file())
    try:
        run.about()
        state, books, metrics, samples = run.state(), run.books(), run.metrics(), run.samples()
        lines = (run.position(), metrics[-1] if metrics else None, samples[-1] if samples else None)
        last = max((line for line in lines if line), key=lambda line: line["iteration"], default={"iteration": 0, "seconds": 0.0})
        whole = [line["held_out_whole"] for line in metrics if line["held_out_whole"] is not None]
        scores = whole or [line["held_out"] for line in metrics]
        score = f"{min(scores):.3f}" if scores else ""
        sample = one_line(samples[-1]["prompt"] + samples[-1]["text"]) if samples else ""
        facts = (state, f"{len(books):,}", f"{last['iteration']:,}", duration(last["seconds"]), score, file_size(size))
    except (PaznjaError, OSError, ValueError, KeyError, TypeError) as error:  # whatever is wrong with one run, the others are listed
        damage = str(error) if isinstance(error, PaznjaError) else f"a file in {run.path} cannot be understood ({error!r})."
        return _RunRow(run.name, ("damaged", "", "", "", "", file_size(size)), size, damage=damage)
    return _RunRow(run.name, facts, size, sample=sample)


@contextmanager
def scoring_bar(*, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error while text is scored; nothing where that is no terminal."""
    with _bar("Scoring", "{task.percentage:.0f} %", shown=shown) as update:
        yield None if update is None else lambda done, total: update(done, total, "")


@contextmanager
def reading_bar(*, shown: bool) -> Iterator[Callable[[int, int, Path], None] | None]:
    """A bar on standard error while files are read; nothing where that is no terminal."""
    with _bar("Reading books", _FILES, shown=shown) as update:
        yield None if update is None else lambda done, total, path: update(done, total, printable(path.name))


@contextmanager
def fetching_bar(*, shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar on standard error while books are fetched; nothing where that is no terminal."""
    with _bar("Fetching books", _FILES, shown=shown) as update:
        yield update


@contextmanager
def _bar(title: str, behind: str, *, shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    with Progress(TextColumn(title), BarColumn(), TextColumn(behind), console=console, transient=True) as bar:
        task = bar.add_task("", file="")
        yield lambda done, total, file: bar.update(task, completed=done, total=total, file=file)


def visible(character: str) -> str:
    """A character as it can be seen: a space as ␣, a line's end as ⏎."""
    return {" ": "␣", "\n": "⏎"}.get(character, character)


def quoted(word: str, *, windows: bool = os.name == "nt") -> str:
    """A word as it has to be typed for the shell to hand it over as it is."""
    if re.fullmatch(r"[\w@%+=:,./\\-]+" if windows else r"[\w@%+=:,./-]+", word):
        return word
    return '"' + word.replace('"', '\\"') + '"' if windows else shlex.quote(word)


def as_typed(run: Run) -> str:
    """What to call the run on the command line from here: its name, and where it is if that is not `runs`."""
    name = quoted(run.name)
    return name if run.path.parent == Path("runs") else f"{name} --out {quoted(str(run.path.parent))}"


def program() -> str:
    """How the program is called from here: `paznja` where that is found, else the path to it."""
    if shutil.which("paznja") is not None:
        return "paznja"
    called = Path(sys.argv[0])
    return f"{quoted(Path(sys.executable).name)} -m paznja" if called.name == "__main__.py" else quoted(str(called))
