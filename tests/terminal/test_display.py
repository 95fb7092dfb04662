"""How a training is shown: in a terminal, in a notebook, and if the output goes elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests.terminal.screens import in_terminal, screen

from paznja.config import Stretch
from paznja.terminal.display import Display
from paznja.terminal.words import program
from paznja.training import events
from paznja.training.plan import Planned, Reading

CommandLine = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("width", [12, 24, 40, 60, 80, 120])
def test_the_time_left_is_on_the_live_line_whatever_its_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("paznja.terminal.display.DRAWING_SECONDS", 0.0)
    console = Console(file=file, force_terminal=True, width=width, color_system=None, highlight=False)
    with Display(console=console) as display:
        display.show(events.Progress(1, 1.0, 0.1, 2.345, 10, 1.0, 9.0))  # from here on nothing is drawn without an event
        display.show(events.Evaluated(1_000_000, 9.0, 2.345, 2.345, None, best=True))
        for event in (
            events.Progress(1_234_567, 3.0, 0.5, 2.345, 10**9, 1_234_567.0, 23 * 3600 + 59 * 60),
            events.Scoring(50, 100),
        ):
            file.truncate(file.seek(0))
            display.show(event)
            drawn_now = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).strip("\r\n")
            assert ("23 h 59 min left" if width > 16 else "23 h 59 min") in drawn_now.replace("…", " ")
            assert len(drawn_now) <= width
    assert "━" in file.getvalue() or width < 40


def test_the_commands_that_a_finished_training_suggests_do_what_they_say(
    books: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from paznja.cli import main

    prompt = "Мост! 'и' \"река\" $HOME "
    arguments = ["train", books, "--preset", "tiny", "--iterations", "2", "--threads", "1", "--prompt", prompt, "--name", "моје 'приче'"]
    with pytest.raises(SystemExit):
        main([str(part) for part in [*arguments, "--out", tmp_path / "моји $runs", "--cache", cache]])
    out = capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    for command in ("generate", "next", "resume"):
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {program()} {command} ")]
        words = shlex.split(line.removeprefix(f"  {program()} "))
        assert words[1:4] == ["моје 'приче'", "--out", str(tmp_path / "моји $runs")]
        if command != "resume":
            assert (
                words[-1]
                == json.loads((tmp_path / "моји $runs" / words[1] / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0])["prompt"]
            )
            with pytest.raises(SystemExit) as left:
                main(words)
            assert not left.value.code


def test_ctrl_c_is_acknowledged_at_once_while_the_trainer_is_busy(books: Path, cache: Path, tmp_path: Path) -> None:
    import paznja

    acknowledged = threading.Event()
    in_time: list[bool] = []

    def busy(event: object) -> None:
        if isinstance(event, events.Stopping):
            acknowledged.set()
        elif isinstance(event, events.Scoring) and not in_time:
            os.kill(os.getpid(), signal.SIGINT)
            in_time.append(acknowledged.wait(20))  # the trainer waits here, in the middle of scoring

    paznja.train(books, preset="tiny", iterations=500, sample_at=[1], threads=1, out=tmp_path / "runs", cache=cache, on_event=busy)
    assert in_time == [True]


def test_a_training_that_nobody_stops_says_nothing_of_stopping(books: Path, cache: Path, tmp_path: Path) -> None:
    import paznja

    told: list[object] = []
    paznja.train(books, preset="tiny", iterations=2, threads=1, out=tmp_path / "runs", cache=cache, on_event=told.append)
    assert isinstance(told[-1], events.Finished)
    assert not any(isinstance(event, events.Stopping) for event in told)


def test_display_says_what_ctrl_c_does(capsys: pytest.CaptureFixture[str]) -> None:
    Display().show(events.Stopping())
    assert capsys.readouterr().out == "Stopping after this iteration, and saving; Ctrl-C again stops without saving.\n"


def test_a_display_that_shows_a_second_training_has_forgotten_the_first(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paznja.terminal.display.PLAIN_SECONDS", 0.0)
    file = io.StringIO()
    shown = Display(console=Console(file=file, width=1000))
    progress = [events.Progress(number, 1.0, 0.1, 9.0, 100, 50.0, 2.0) for number in (1, 2)]
    for event in (planned, events.Evaluated(1, 1.0, 2.5, 2.625, None, best=True), *progress, events.Finished(2, 1.0, True, 2.625, False)):
        shown.show(event)
    assert "held-out 2.625 bits/char" in file.getvalue()
    first = len(file.getvalue())
    for event in (planned, *progress):
        shown.show(event)
    assert "iteration 2" in file.getvalue()[first:]
    assert "held-out 2.625" not in file.getvalue()[first:]
    assert not shown.complete


def test_something_is_seen_in_a_terminal_from_the_start_until_the_first_iteration(books: Path, cache: Path, tmp_path: Path) -> None:
    arguments = ["train", str(books), "--preset", "tiny", "--memory", "counted", "--iterations", "2", "--threads", "1"]
    written = in_terminal([*arguments, "--out", str(tmp_path / "runs"), "--cache", str(cache)])
    assert (
        written.index("Getting ready ...") < written.index("Books: ") < written.index("Counting what follows what") < written.index("left")
    )
    assert written.count("Getting ready ...") > 4  # it turns while PyTorch is loaded
    whole = "\n".join(screen(written))
    for passing in ("Getting ready", "Counting"):
        assert passing not in whole


def test_without_a_terminal_one_line_says_that_books_are_read(books: Path, cache: Path, tmp_path: Path, command_line: CommandLine) -> None:
    arguments = ["train", str(books), "--preset", "tiny", "--iterations", "2", "--threads", "1", "--out", str(tmp_path / "runs")]
    for said in ("Reading books ...", "Books: "):  # the second time nothing is read
        with command_line(*arguments) as process:
            assert process.communicate()[0].startswith(said)


def test_ctrl_c_is_acknowledged_at_once_while_books_are_read() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever ran before in this process
    file = io.StringIO()

    def seen(what: str) -> bool:
        deadline = time.monotonic() + 20
        while what not in file.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        return what in file.getvalue()

    def read() -> None:
        with Display(console=Console(file=file, force_terminal=True, width=80, color_system=None)) as display:
            display.show(Reading(1, 5, Path("a.txt")))
            assert seen("Reading books 1/5  a.txt")
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(20)
            finally:  # as when processes that read have to end first
                assert seen("Stopping ...")

    with pytest.raises(KeyboardInterrupt):
        read()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("enough", [False, True])
def test_more_minutes_are_suggested_only_where_they_would_help(planned: Planned, enough: bool) -> None:
    file = io.StringIO()
    display = Display(console=Console(file=file, width=200))
    display.show(replace(planned, stretch=Stretch(minutes=1.0, iterations=1 if enough else None)))
    display.show(events.Finished(100, 9.0, complete=True, held_out=2.5, whole=True))
    last = file.getvalue().split("Finished: ")[1]
    assert ("--minutes" in last) != enough
    assert ("more books, not more minutes" in last) == enough
    assert ("train ~/Books" in last) == enough
    assert "generate most" not in last
    assert f"generate {planned.run.name}" in last


class ZMQInteractiveShell:
    """A notebook is recognised by the name of its shell's class."""


@pytest.fixture
def in_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.get_ipython", ZMQInteractiveShell, raising=False)


def ready_for_the_table(lines: list[str]) -> bool:
    return lines[0].startswith("Books: ") and any(re.search(r"Generated text +iteration +time", line) for line in lines)


@pytest.mark.usefixtures("in_notebook")
def test_a_notebook_gets_the_table_and_one_line_that_is_written_over(
    books: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import paznja

    paznja.train(books, preset="tiny", iterations=3, threads=1, out=tmp_path / "runs", cache=cache, on_event=paznja.Display().show)
    written = capsys.readouterr().out
    assert set(re.findall(r"\x1b\[[0-9;?]*([A-Za-z])", written)) == {"m"}  # only colours
    assert re.search(r"iteration [123] · loss", written)
    lines = [line.rstrip() for line in screen(written)]
    assert ready_for_the_table(lines)
    assert sum(line.endswith(" s") and line[:4] == "Ово " for line in lines) == 3
    assert not any(" left" in line or "Reading books" in line for line in lines)
    assert any(line.startswith("Finished: 3 iterations") for line in lines)


def test_a_program_of_ones_own_shows_the_same_in_a_terminal(books: Path, cache: Path, tmp_path: Path) -> None:
    program = (
        "import sys, paznja; books, out, cache = sys.argv[1:];"
        "paznja.train(books, preset='tiny', iterations=3, threads=1, out=out, cache=cache, on_event=paznja.Display().show)"
    )
    written = in_terminal([str(books), str(tmp_path / "runs"), str(cache)], program=("-c", program))
    assert "\x1b[?25l" not in written  # the cursor stays, however the program ends
    assert re.search(r"iteration [123] · loss", written)
    lines = [line.rstrip() for line in screen(written)]
    assert ready_for_the_table(lines)
    assert not any(" left" in line for line in lines)
    assert any(line.startswith("Finished: 3 iterations") for line in lines)
