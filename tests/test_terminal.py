"""The screens: what stands in a terminal of a given width, and with which escape codes."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from rich.text import Text

from paznja import terminal
from paznja.corpus.book import Unreadable
from paznja.corpus.scripts.transliteration import to_latin
from paznja.table import count, file_size
from paznja.training import events
from paznja.training.session import Planned, Reading

CommandLine = Callable[..., subprocess.Popen[str]]

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")


def drawn(text: Text, width: int = 80) -> str:
    """As a terminal gets it, escape codes and all."""
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, color_system="standard", highlight=False).print(text, end="")
    return file.getvalue()


def drawn_lines(what: RenderableType, width: int) -> list[str]:
    """Its lines in a terminal of this width, without colours."""
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, color_system=None, highlight=False).print(what)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def screen(written: str) -> list[str]:
    """The lines that are left when all was drawn, of a program that goes back only to the line's beginning and to the line above."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        elif part == "\r":
            column = 0
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\x1b[1A":
            row -= 1
        elif part[0] != "\x1b":
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return lines


def in_terminal(arguments: list[str], width: int = 80, program: tuple[str, ...] = ("-m", "paznja")) -> str:
    """What paznja, or another Python program, writes to a pseudo-terminal of this width, escape codes and all."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, *program, *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color"}):
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def test_the_prompt_is_dim_and_what_the_model_wrote_is_not() -> None:
    assert drawn(terminal.prompt_and_text("Ово је мост ", "преко реке")) == "\x1b[2mОво је мост \x1b[0mпреко реке"
    assert drawn(terminal.prompt_and_text("Мост", "ови")) == "\x1b[2mМост\x1b[0mови"


def test_generate_dims_the_prompt_in_a_terminal_alone(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from paznja.cli import main

    arguments = ["generate", trained.name, "--prompt", "Мост ", "--length", "5", "--seed", "1", "--out", str(trained.parent)]
    with pytest.raises(SystemExit):
        main(arguments)
    plain = capfd.readouterr().out
    assert plain.startswith("Мост ")
    assert "\x1b" not in plain
    assert in_terminal(arguments) == f"\x1b[2mМост \x1b[0m{plain.removeprefix('Мост ')}"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_letters_without_spaces_are_broken_where_their_column_ends_and_none_is_lost(width: int) -> None:
    letters = "шђжћџ" * 40
    row = terminal.table_row(terminal.prompt_and_text("Мост ", letters), "1,000,000", "9 min 59 s", width)
    lines = drawn_lines(row, width)
    assert "1,000,000" in lines[0]
    assert lines[0].endswith("9 min 59 s")
    assert "".join(re.findall("[шђжћџ]", "".join(lines))) == letters
    assert all(len(line) <= width for line in lines)


def test_at_sixty_columns_the_text_has_most_of_them() -> None:
    row = terminal.table_row(Text("ш" * 300), "10", "2.0 s", 60)
    assert max(len(line.split()[0]) for line in drawn_lines(row, 60)) >= 38


def test_there_is_a_gap_between_the_rows_of_the_table_in_a_terminal(trained: Path, books: Path, cache: Path) -> None:
    arguments = ["train", str(books), "--preset", "tiny", "--iterations", "4", "--sample-at", "1,2", "--length", "30", "--threads", "1"]
    lines = screen(in_terminal([*arguments, "--out", str(trained.parent), "--cache", str(cache)]))
    rows = [number for number, line in enumerate(lines) if re.search(r" [124] +[0-9.]+ s$", line)]
    assert len(rows) == 3
    assert all(lines[number - 1].strip() == "" for number in rows)


@pytest.mark.parametrize("width", [12, 24, 40, 60, 80, 120])
def test_the_time_left_is_on_the_live_line_whatever_its_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(terminal, "DRAWING_SECONDS", 0.0)
    console = Console(file=file, force_terminal=True, width=width, color_system=None, highlight=False)
    with terminal.Display(console=console) as display:
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


WORDS = ["most", "Књиге-2026-11-22-1", "моје приче", 'rec\'i "овако"', "$HOME и `ls`!", "a;b|c&d>e", "C:\\књиге\\све", "Ово је мост ", ""]


@given(st.one_of(st.sampled_from(WORDS), st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))))
def test_a_command_to_copy_reaches_the_program_word_for_word(word: str) -> None:
    assert shlex.split(terminal.quoted(word, windows=False)) == [word]


def test_on_windows_words_with_spaces_stand_in_double_quotes() -> None:
    assert terminal.quoted("Ово је мост ", windows=True) == '"Ово је мост "'
    assert terminal.quoted(r"C:\књиге\све", windows=True) == r"C:\књиге\све"


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
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {terminal.program()} {command} ")]
        words = shlex.split(line.removeprefix(f"  {terminal.program()} "))
        assert words[1:4] == ["моје 'приче'", "--out", str(tmp_path / "моји $runs")]
        if command != "resume":
            assert (
                words[-1]
                == json.loads((tmp_path / "моји $runs" / words[1] / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0])["prompt"]
            )
            with pytest.raises(SystemExit) as left:
                main(words)
            assert not left.value.code


@pytest.mark.parametrize("width", [40, 60, 80, 100, 119])
def test_narrow_terminals_get_a_line_a_book_and_its_remarks_under_it(books: Path, cache: Path, width: int) -> None:
    story = min(books.iterdir())
    text = story.read_text(encoding="utf-8")
    (books / "Дугачак наслов књиге о мосту преко широке и брзе реке у планини.txt").write_text(text[::-1], encoding="utf-8")
    story.write_bytes(to_latin(text).encode("cp1250"))
    lines = screen(in_terminal(["books", str(books), "--cache", str(cache)], width))
    assert all(len(line.rstrip()) <= width for line in lines)
    rows = [line.rstrip() for line in lines if line.rstrip().endswith(("training", "held-out"))]
    assert len(rows) == 6
    if width > 40:
        assert len({line.rindex(line.split()[-1]) for line in rows}) == 1
        assert len({re.search(r"[0-9,]+(?=  \w+)", line).end() for line in rows}) == 1  # type: ignore[union-attr]
    name = next(number for number, line in enumerate(lines) if line.startswith(story.stem))
    remark = lines[name + 1 + (width == 40)]
    assert remark.startswith("    Converted to Cyrillic from Latin")


LONG_NAME = "Моје-веома-дугачко-име-огледа-2026-11-22-1"


@pytest.mark.parametrize("width", [50, 60, 80, 120, 200])
def test_runs_are_listed_with_whole_names_and_their_sizes_at_every_width(trained: Path, width: int) -> None:
    trained.rename(trained.parent / LONG_NAME)
    lines = screen(in_terminal(["runs", "--out", str(trained.parent)], width))
    assert all(len(line.rstrip()) <= width for line in lines)
    whole = "\n".join(lines)
    assert LONG_NAME in whole
    assert "finished" in whole
    size = sum(path.stat().st_size for path in (trained.parent / LONG_NAME).rglob("*") if path.is_file())
    assert f"1 run, {file_size(size)}" in whole
    assert whole.count(file_size(size)) == 2


@pytest.mark.parametrize("file", ["run.toml", "corpus.json"])
@pytest.mark.parametrize("content", [b"\xff\x00[\n", b"[]\n", b"{}\n"])
def test_a_damaged_run_is_listed_as_such_and_the_others_as_ever(
    trained: Path, file: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    from paznja.cli import main

    shutil.copytree(trained, trained.parent / "whole")
    (trained / file).write_bytes(content)
    with pytest.raises(SystemExit) as left:
        main(["runs", "--out", str(trained.parent)])
    assert not left.value.code
    out = capsys.readouterr().out
    assert re.search(r"^most +damaged ", out, re.MULTILINE)
    assert re.search(r"^whole +finished ", out, re.MULTILINE)
    assert "\nmost is damaged: " in out
    assert "\n2 runs, " in out


@pytest.mark.parametrize("file", ["samples.jsonl", "metrics.jsonl", "checkpoint"])
@pytest.mark.parametrize("content", [b"\xff\x00[\n", b"[]\n", b"{}\n"])
def test_a_run_with_a_damaged_log_is_listed_with_what_is_whole(
    trained: Path, file: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    from paznja.cli import main

    (trained / file).write_bytes(content)
    with pytest.raises(SystemExit) as left:
        main(["runs", "--out", str(trained.parent)])
    assert not left.value.code
    assert re.search(r"^most +finished ", capsys.readouterr().out, re.MULTILINE)


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
    terminal.Display().show(events.Stopping())
    assert capsys.readouterr().out == "Stopping after this iteration, and saving; Ctrl-C again stops without saving.\n"


@pytest.fixture
def planned(books: Path, cache: Path, tmp_path: Path) -> Planned:
    """What was said of a real training before it began."""
    import paznja

    told: list[object] = []
    paznja.train(books, preset="tiny", memory="learned", iterations=1, threads=1, out=tmp_path / "runs", cache=cache, on_event=told.append)
    (plan,) = [event for event in told if isinstance(event, Planned)]
    return replace(plan, dialled=("Time: 10 min.", "Chosen for that: much."), remarks=("One book is old.", "Two are the same."))


def said_before_the_table(plan: Planned, *, verbose: bool = False) -> list[str]:
    file = io.StringIO()
    terminal.Display(verbose=verbose, console=Console(file=file, width=1000)).show(plan)
    return file.getvalue().split("\n\n")[0].splitlines()


def test_at_most_five_lines_stand_before_the_table_and_remarks_that_are_too_many_are_counted(planned: Planned) -> None:
    lines = said_before_the_table(planned)
    assert [line.split()[0] for line in lines] == ["Books:", "Time:", "Model:", "Speed:", "Run:"]
    assert lines[0].endswith("2 remarks: --verbose.")
    assert all(len(line) <= 80 for line in lines[1:4])
    (one,) = [line for line in said_before_the_table(replace(planned, dialled=(), remarks=("One book is old.",))) if "old" in line]
    assert one == "One book is old."


def test_what_is_said_only_now_is_said_whatever_else_there_is_to_say(planned: Planned) -> None:
    lines = said_before_the_table(replace(planned, warnings=("There is no checkpoint to go on from.",)))
    assert [line.split()[0] for line in lines] == ["Books:", "There", "Time:", "Model:", "Speed:", "Run:"]


def test_a_display_that_shows_a_second_training_has_forgotten_the_first(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PLAIN_SECONDS", 0.0)
    file = io.StringIO()
    shown = terminal.Display(console=Console(file=file, width=1000))
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


def test_verbose_says_all_that_is_known_before_the_first_iteration(planned: Planned) -> None:
    whole = "\n".join(said_before_the_table(planned, verbose=True))
    for part in (*planned.remarks, *planned.dialled, "1 CPU thread", "resume"):
        assert part in whole


def test_short_memory_is_said_whatever_else_there_is_to_say(planned: Planned) -> None:
    lines = said_before_the_table(replace(planned, available_bytes=1))
    assert len(lines) == 6
    assert lines[4].startswith("Careful: ")


def test_the_model_is_described_as_a_network_and_the_table_beside_it(planned: Planned) -> None:
    model = planned.settings.model
    network, table = model.num_parameters() - model.num_table_parameters(), model.num_table_parameters()
    (line,) = [line for line in said_before_the_table(planned) if line.startswith("Model:")]
    assert f"network of {count(network)} parameters, table of {count(table)}" in line
    (line,) = [line for line in said_before_the_table(planned, verbose=True) if line.startswith("Model:")]
    assert f"{count(network)} compute" in line
    assert f"{count(table)} are a table" in line


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
    file = io.StringIO()

    def seen(what: str) -> bool:
        deadline = time.monotonic() + 20
        while what not in file.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        return what in file.getvalue()

    def read() -> None:
        with terminal.Display(console=Console(file=file, force_terminal=True, width=80, color_system=None)) as display:
            display.show(Reading(1, 5, Path("a.txt")))
            assert seen("Reading books 1/5  a.txt")
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(20)
            finally:  # as where processes that read have to end first
                assert seen("Stopping ...")

    with pytest.raises(KeyboardInterrupt):
        read()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("enough", [False, True])
def test_more_minutes_are_suggested_only_where_they_would_help(planned: Planned, enough: bool) -> None:
    file = io.StringIO()
    display = terminal.Display(console=Console(file=file, width=200))
    display.show(replace(planned, enough=enough))
    display.show(events.Finished(100, 9.0, complete=True, held_out=2.5, whole=True))
    last = file.getvalue().split("Finished: ")[1]
    assert ("--minutes" in last) != enough
    assert ("more books, not more minutes" in last) == enough
    assert ("train ~/Books" in last) == enough
    assert "generate most" not in last
    assert f"generate {planned.run.name}" in last


class ZMQInteractiveShell:
    """A notebook is known by the name of its shell's class."""


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
    assert set(re.findall(r"\x1b\[[0-9;?]*([A-Za-z])", written)) == {"m"}  # colours alone
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


def test_of_many_files_that_cannot_be_read_some_are_named(planned: Planned, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tuple(Unreadable(Path(f"{number}.pdf"), "is damaged") for number in range(30))
    said_before_the_table(replace(planned, unreadable=bad))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Not read: 0.pdf: is damaged"
    assert lines[-1] == f"Not read: {30 - len(lines) + 1} more files; --verbose names them all."
    assert len(lines) == 5
    said_before_the_table(replace(planned, unreadable=bad), verbose=True)
    assert len(capsys.readouterr().err.splitlines()) == 30
