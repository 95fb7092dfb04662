"""The command line with what people type by mistake: a sentence and an exit code, whatever it is, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paznja.cli import main
from paznja.preparing import passing_cache, prepare
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
    assert "Not of paznja's making, and still there: a, b, c, d, e and 1 more." in said
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
    assert "Not of paznja's making" not in said


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
def test_a_training_goes_on_when_nobody_reads_what_it_prints_any_more(books: Path, cache: Path, tmp_path: Path):
    arguments = ["train", books, "--preset", "tiny", "--iterations", "4", "--threads", "1", "--name", "most", "--cache", cache]
    nobody, into = os.pipe()
    os.close(nobody)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "paznja", *arguments, "--out", tmp_path / "runs"],
            stdout=into,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
    finally:
        os.close(into)
    assert done.returncode == 0
    assert done.stderr.count("goes on without printing") == len(done.stderr.splitlines()) == 1
    assert Run.open("most", tmp_path / "runs").state() == "finished"


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
