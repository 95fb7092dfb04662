"""The command line with what people type by mistake: always a sentence and an exit code, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paznja.cache import passing_cache
from paznja.cli import main
from paznja.preparing import prepare
from paznja.run import Run


def call(*arguments: str | Path) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


LONG = "ж" * 5000

WILD_OF_RUNS = [
    ["--seed", "-1"],
    ["--seed", str(10**30)],
    ["--temperature", "nan"],
    ["--temperature", "-1"],
    ["--top-p", "2"],
    ["--top-p", "nan"],
    ["--min-p", "2"],
    ["--top-k", "-1"],
    ["--length", str(10**12)],
    ["--length", "0"],
    ["--count", "-1"],
    ["--count", str(10**9)],
]

WILD_OF_TRAINING = [
    ["--threads", "1000"],
    ["--threads", "-1"],
    ["--checkpoint-seconds", "-1"],
    ["--checkpoint-seconds", "nan"],
    ["--seed", "-1"],
    ["--seed", str(10**30)],
    ["--length", str(10**12)],
    ["--name", LONG],
    ["--name=-x"],
    ["--name", "a\0b"],
    ["--minutes", "nan"],
    ["--minutes", "0"],
    ["--iterations", "0"],
    ["--preset", LONG],
    ["--device", "toaster"],
    ["--memory", "good"],
    ["--script", "runes"],
    ["--scoring", "much"],
    ["--without", "nothing"],
    ["--learning-rate", "-1"],
    ["--sample-at", "soon"],
    ["--prompt", ""],
    ["--layers", "0"],
    ["--width", "7"],
    ["--context", "1"],
    ["--batch", "-3"],
]


@pytest.mark.parametrize("wild", WILD_OF_RUNS, ids=" ".join)
def test_a_wild_value_for_writing_on_is_wrong_use(wild: list[str], trained: Path, capsys: pytest.CaptureFixture[str]):
    assert call("generate", trained, "--prompt", "мост", *wild) == 2
    said = capsys.readouterr()
    assert "Error: " in said.err
    assert said.out == ""


@pytest.mark.parametrize("wild", WILD_OF_TRAINING, ids=lambda wild: " ".join(wild)[:40])
def test_a_wild_value_for_training_is_wrong_use(wild: list[str], books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    budget = [] if wild[0] in ("--minutes", "--iterations") else ["--iterations", "1"]
    preset = [] if wild[0] == "--preset" else ["--preset", "tiny"]
    assert call("train", books, "--out", tmp_path / "runs", "--cache", tmp_path / "cache", *budget, *preset, *wild) == 2
    assert "Error: " in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_as_many_threads_as_there_are_cores_are_allowed_and_one_more_says_how_many_there_are(
    books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    cores = os.cpu_count() or 1
    assert call("train", books, "--out", tmp_path / "runs", "--threads", str(cores + 1)) == 2
    assert f"at most {cores} " in capsys.readouterr().err


@pytest.mark.parametrize("name", [LONG, "a\0b", "", "../..", "-"], ids=["long", "nul", "empty", "parents", "dash"])
@pytest.mark.parametrize(
    "command", [["generate", "--prompt", "а"], ["next", "а"], ["resume"], ["evaluate"], ["runs", "--yes", "--remove"]], ids=lambda c: c[0]
)
def test_a_name_that_no_run_can_have_is_a_sentence(command: list[str], name: str, trained: Path, capsys: pytest.CaptureFixture[str]):
    first, *rest = command
    arguments = [first, name, *rest] if first != "runs" else [*command, name]
    assert call(*arguments, "--out", trained.parent) in (1, 2)
    said = capsys.readouterr().err
    assert "Error: " in said
    assert len(said) < 1000
    assert (trained / "run.toml").is_file()


def test_what_the_system_refuses_is_a_sentence_with_the_files_name(capsys: pytest.CaptureFixture[str]):
    assert call("runs", "--out", "a" * 5000) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: aaaa")
    assert "too long" in said
    assert len(said) < 500


def test_removing_a_link_to_a_run_deletes_nothing(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    elsewhere = Path(shutil.move(trained, tmp_path / "elsewhere"))
    trained.symlink_to(elsewhere, target_is_directory=True)
    assert call("runs", "--remove", "most", "--yes", "--out", trained.parent) == 1
    assert "is a link" in capsys.readouterr().err
    assert trained.is_symlink()
    assert (elsewhere / "run.toml").is_file()


# --- wild values for the other commands ---------------------------------------------------------------------------------------------

SWEEP = [
    (["books", "missing"], 1),
    (["books", "empty"], 1),
    (["books", ""], 2),
    (["books", "a\0b"], 2),
    (["books", LONG], 1),
    (["books", "zero.txt"], 1),
    (["books", "dead.txt"], 1),
    (["books", "bad.epub"], 1),
    (["books", "own", "bad.epub"], 3),
    (["books", "own", "--show", "nothing"], 2),
    (["books", "own", "--out", "own"], 2),
    (["books", "own", "--out", ""], 2),
    (["books", "own", "--out", "zero.txt/x"], 1),
    (["books", "own", "--out", LONG], 1),
    (["books", "own", "--script", "runes"], 2),
    (["books", "own", "--without", ""], 2),
    (["books", "own", "--held-out", "missing"], 1),
    (["books", "own", "--held-out", "own"], 1),
    (["books", "own", "--cache", "zero.txt"], 1),
    (["books", "own", "--cache", "a\0b"], 2),
    (["books", "fetch", "nothing"], 2),
    (["books", "fetch", LONG], 2),
    (["books", "fetch", "eltec-srp", "--from", "nonsense"], 2),
    (["books", "fetch", "eltec-srp", "--from", "http://[::1/"], 2),
    (["books", "fetch", "eltec-srp", "--from", "http://127.0.0.1:99999/"], 2),
    (["books", "fetch", "eltec-srp", "--from", "file:///etc"], 2),
    (["books", "fetch", "eltec-srp", "--from", "http://127.0.0.1:9", "--into", "zero.txt"], 1),
    (["books", "fetch", "eltec-srp", "--from", "http://127.0.0.1:9", "--into", ""], 2),
    (["evaluate", "most", "missing"], 1),
    (["evaluate", "most", ""], 2),
    (["evaluate", "most", "empty"], 1),
    (["evaluate", "most", "zero.txt"], 1),
    (["evaluate", "most", "new.txt", "zero.txt"], 3),
    (["evaluate", "most", "new.txt", "--out", "zero.txt"], 1),
    (["evaluate", "most", "emoji.txt"], 0),
    (["next", "most", ""], 2),
    (["next", "most", "\0"], 0),
    (["next", "most", "\udcff"], 0),
    (["next", "most", "мост", "--top", "0"], 2),
    (["next", "most", "мост", "--top", str(10**30)], 0),
    (["next", "most", "мост", "--steps", "-1"], 2),
    (["next", "most", "мост", "--out", LONG], 1),
    (["next", "most", "мост", "--out", ""], 2),
    (["resume", "most", "--minutes", "nan"], 2),
    (["resume", "most", "--minutes", "0"], 2),
    (["resume", "most", "--minutes", "inf"], 2),
    (["resume", "most", "--iterations", "0"], 2),
    (["resume", "most", "--iterations", "1", "--minutes", "1"], 2),
    (["resume", "most", "--books", "missing"], 1),
    (["resume", "most", "--books", ""], 2),
    (["resume", "most", "--iterations", "1", "--books", "new.txt"], 1),
    (["resume", "most", "--iterations", "1", "--cache", ""], 2),
    (["cache", "--cache", ""], 2),
    (["cache", "--cache", "missing"], 0),
    (["cache", "--cache", LONG], 1),
    (["cache", "--clear", "--cache", "missing"], 2),
    (["cache", "--clear", "--yes", "--cache", "zero.txt"], 2),
    (["cache", "extra"], 2),
    (["curve", "nothing"], 1),
    (["curve", LONG], 1),
    (["curve", "most", "--against", "love"], 2),
    (["curve", "most", "--out", ""], 2),
    (["curve", "odd"], 0),
    (["curve", "odd", "--json"], 0),
    (["curve", "odd", "--log", "--against", "iterations"], 0),
    (["completion", "tcsh"], 2),
    (["completion"], 2),
    (["runs", "--out", "zero.txt"], 0),
]


@pytest.fixture
def desk(tmp_path: Path, trained: Path, books: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with books, runs and what is neither."""
    books.rename(tmp_path / "own")
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.txt").touch()
    (tmp_path / "bad.epub").write_bytes(b"PK\x03\x04 and so on")
    (tmp_path / "new.txt").write_text("Ово је нова књига. " * 100, encoding="utf-8")
    (tmp_path / "emoji.txt").write_text("😀漢字" * 300, encoding="utf-8")
    if os.name == "posix":
        (tmp_path / "dead.txt").symlink_to("nowhere")
    odd = Path(shutil.copytree(trained, trained.with_name("odd")))
    with (odd / "metrics.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"iteration": "soon"}\n{"iteration": 7}\n[]\n{"iteration": 8, "seconds": 1e999, "held_out": NaN}\n{cut')
    with (odd / "progress.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(
            '{"iteration": 41, "seconds": NaN, "training_bits": 2, "characters_seen": 0, "characters_per_second": 0}\n'
            '{"iteration": 42, "seconds": 9, "training_bits": NaN, "characters_seen": 0, "characters_per_second": 0}\n'
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAZNJA_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(("arguments", "code"), SWEEP, ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else str(value))
def test_a_wild_value_ends_in_its_exit_code_and_a_sentence(arguments: list[str], code: int, desk: Path, capsys: pytest.CaptureFixture[str]):
    runs = {path for path in (desk / "runs").rglob("*") if path.is_file()}
    assert call(*arguments) == code
    said = capsys.readouterr().err
    assert ("Error: " in said) == (code in (1, 2))
    assert {path for path in (desk / "runs").rglob("*") if path.is_file()} >= runs


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names elsewhere")
@pytest.mark.parametrize("command", [["books"], ["evaluate", "most"], ["train", "--iterations", "1"]], ids=lambda command: command[0])
def test_a_pipe_is_not_waited_for(command: list[str], desk: Path, command_line: Callable[..., subprocess.Popen[str]]):
    os.mkfifo(desk / "pipe.txt")
    said, _ = command_line(*command, "pipe.txt").communicate(timeout=60)
    assert "not an ordinary file" in said


# --- forgiveness ----------------------------------------------------------------------------------------------------------------------


def test_the_cache_is_shown_and_cleared_and_what_is_not_of_its_making_named(
    some_stories: list[Path], cache: Path, capsys: pytest.CaptureFixture[str]
):
    assert call("cache", "--cache", cache) == 0
    assert "0 prepared shelves and 0 books, 0 kB of at most 2.0 GB" in capsys.readouterr().out
    prepare([some_stories[0]], cache=cache)
    assert call("cache", "--cache", cache) == 0
    assert "1 prepared shelf and 1 book, " in capsys.readouterr().out
    for name in "abcdef":
        (cache / name).touch()
    assert call("cache", "--clear", "--yes", "--cache", cache) == 0
    said = capsys.readouterr().out
    assert "1 prepared shelf and 1 book, " in said
    assert "Still there, because paznja did not make it: a, b, c, d, e and 1 more." in said
    assert call("cache", "--cache", cache) == 0
    assert "0 prepared shelves and 0 books" in capsys.readouterr().out


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "stays"), [("y\n", False), ("n\n", True), ("\n", True)])
def test_clearing_the_cache_asks_first(
    answer: str,
    stays: bool,
    some_stories: list[Path],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    folder = prepare([some_stories[0]], cache=cache).folder
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert call("cache", "--clear", "--cache", cache) == 0
    assert "Delete 1 prepared shelf and 1 book, " in capsys.readouterr().out
    assert folder.exists() == stays


def test_without_a_terminal_the_cache_is_cleared_only_with_yes(some_stories: list[Path], cache: Path, capsys: pytest.CaptureFixture[str]):
    folder = prepare([some_stories[0]], cache=cache).folder
    assert call("cache", "--clear", "--cache", cache) == 2
    assert "only with --yes" in capsys.readouterr().err
    assert folder.exists()


def test_clearing_the_cache_says_that_a_training_which_keeps_no_text_is_running(cache: Path, capsys: pytest.CaptureFixture[str]):
    with passing_cache(cache):
        assert call("cache", "--clear", "--yes", "--cache", cache) == 0
        said = capsys.readouterr().out
    assert "A training with --no-corpus is running" in said
    assert "paznja did not make" not in said


def test_the_prompt_comes_after_the_name_or_as_an_option_and_not_twice(trained: Path, capsys: pytest.CaptureFixture[str]):
    few = ["--length", "10", "--seed", "1"]
    assert call("generate", trained, "Ово је", *few) == 0
    after_the_name = capsys.readouterr().out
    assert after_the_name.startswith("Ово је")
    assert call("generate", trained, "--prompt", "Ово је", *few) == 0
    assert capsys.readouterr().out == after_the_name
    assert call("generate", trained, "Ово је", "--prompt", "Ово је") == 2
    assert "once" in capsys.readouterr().err


def test_without_a_prompt_a_run_goes_on_from_its_own(trained: Path, capsys: pytest.CaptureFixture[str]):
    assert call("generate", trained, "--length", "10") == 0
    assert capsys.readouterr().out.startswith("Ово је мост ")


def test_words_left_over_are_told_of_quotation_marks(trained: Path, capsys: pytest.CaptureFixture[str]):
    assert call("generate", trained, "Ово", "је") == 2
    assert "between quotation marks" in capsys.readouterr().err


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]):
    assert call("help", "train") == 0
    about_train = capsys.readouterr().out
    assert "--minutes" in about_train
    assert call("train", "--help") == 0
    assert capsys.readouterr().out == about_train
    assert call("help") == 0
    assert "evaluate" in capsys.readouterr().out
    assert call("help", "trian") == 2


def test_a_misspelt_command_gets_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert call("trian", "Books") == 2
    assert "Did you mean train?" in capsys.readouterr().err


def test_a_decimal_comma_is_a_number(trained: Path, capsys: pytest.CaptureFixture[str]):
    few = ["--length", "10", "--seed", "1"]
    assert call("generate", trained, "Ово је", "--temperature", "0,5", *few) == 0
    with_comma = capsys.readouterr().out
    assert call("generate", trained, "Ово је", "--temperature", "0.5", *few) == 0
    assert capsys.readouterr().out == with_comma
    assert call("generate", trained, "Ово је", "--temperature", "1,000,5", *few) == 2


# --- pipes ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["runs"], ["next", "most", "мост"], ["generate", "most", "--prompt", "мост"], ["evaluate", "most"], ["train", "--help"]],
    ids=" ".join,
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.skipif(os.name != "posix", reason="pipes break otherwise elsewhere")
def test_a_reader_that_wants_no_more_is_a_quiet_end(arguments: list[str], unbuffered: str, trained: Path):
    nobody, into = os.pipe()
    os.close(nobody)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "paznja", *arguments, *([] if "--help" in arguments else ["--out", trained.parent])],
            stdout=into,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment,
            check=False,
        )
    finally:
        os.close(into)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="pipes break otherwise elsewhere")
@pytest.mark.parametrize("both", [False, True], ids=["output", "output and errors"])
def test_a_training_goes_on_when_nobody_reads_what_it_prints_any_more(both: bool, books: Path, cache: Path, tmp_path: Path):
    arguments = ["train", books, "--preset", "tiny", "--iterations", "4", "--threads", "1", "--name", "most", "--cache", cache]
    nobody, into = os.pipe()
    os.close(nobody)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "paznja", *arguments, "--out", tmp_path / "runs"],
            stdout=into,
            stderr=into if both else subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
    finally:
        os.close(into)
    assert done.returncode == 0
    assert (done.stderr or "").count("goes on without printing") == len((done.stderr or "").splitlines()) == (not both)
    assert Run.open("most", tmp_path / "runs").state() == "finished"


def test_a_run_is_removed_from_within_its_own_folder(trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(trained)
    assert call("runs", "--remove", ".", "--yes") == 0
    assert f"{trained} is deleted." in capsys.readouterr().out
    assert not trained.exists()


def test_what_a_killed_training_without_text_has_left_is_counted_and_goes(books: Path, cache: Path, capsys: pytest.CaptureFixture[str]):
    with passing_cache(cache) as passing:
        prepare([books], cache=passing)
        elsewhere = shutil.copytree(passing, cache.with_name("elsewhere"), ignore=shutil.ignore_patterns("*.lock"))
    elsewhere.rename(cache / ".passing.999999999.0123abcd.new")
    assert call("cache", "--cache", cache) == 0
    said = capsys.readouterr().out
    assert "0 prepared shelves and 0 books, and what was left by a training with --no-corpus that was killed, " in said
    assert ", 0 kB" not in said
    assert call("cache", "--cache", cache, "--clear", "--yes") == 0
    assert not cache.exists()


def test_evaluate_says_which_books_were_learnt(
    trained: Path, tmp_path: Path, some_stories: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "100")
    learnt = next(story for story in some_stories if story.name in {book.file for book in Run(trained).books() if not book.held_out})
    new = tmp_path / "new.txt"
    new.write_text("Ово је нова књига. " * 100, encoding="utf-8")
    assert call("evaluate", trained, learnt, new) == 0
    said = capsys.readouterr().out
    assert sum(line.rstrip().endswith("learnt") for line in said.splitlines()) == 1
    assert "The run learnt from 1 of these 2 books" in said
    assert call("evaluate", trained, learnt, new, "--json") == 0
    by_file = {book["file"]: book["learnt"] for book in json.loads(capsys.readouterr().out)["books"]}
    assert by_file == {learnt.name: True, "new.txt": False}
    assert call("evaluate", trained, new) == 0
    assert "learnt" not in capsys.readouterr().out
