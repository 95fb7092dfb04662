"""The Tab key: what it offers in a real bash if there is one, and to what zsh and fish ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paznja.completion import SHELLS

ASK = """
compopt() { echo "files: $2"; }
source <(paznja completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_paznja_completion paznja
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folders of four runs, and one that is not a run."""
    for number, name in enumerate(["oldest", "Моја прва", "it's [one]", "newest"]):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.toml").touch()
        os.utime(tmp_path / "runs" / name / "run.toml", (number, number))
    (tmp_path / "runs" / "no run").mkdir()
    return tmp_path / "runs"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", **more}


def offered(folder: Path, *words: str) -> list[str]:
    """What bash offers after these words, the last of which is being typed."""
    program = folder / "bin" / "paznja"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m paznja "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--norc", "-c", ASK, "bash", "paznja", *words]
    done = subprocess.run(command, cwd=folder, env=environment(PATH=path), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line for line in done.stdout.split("\n") if line]


needs_bash = pytest.mark.skipif(shutil.which("bash") is None or os.name != "posix", reason="needs bash")


@needs_bash
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ev"], ["evaluate"]),
        (["train", "--checkpoint"], ["--checkpoint-seconds"]),
        (["train", "--preset", "p"], ["pocket"]),
        (["train", "--preset", "=", "p"], ["pocket"]),
        (["train", "--preset", "="], ["auto", "pocket", "blog", "medium", "large", "tiny"]),
        (["train", "--memory", ""], ["none", "learned", "counted"]),
        (["train", "--device", "c"], ["cpu", "cuda"]),
        (["books", "--script", ""], ["auto", "cyrillic", "latin", "keep"]),
        (["books", "--without", "yu"], ["yuscii"]),
        (["next", ""], ["newest", "it\\'s\\ \\[one\\]", "Моја\\ прва", "oldest"]),
        (["resume", "Мо"], ["Моја\\ прва"]),
        (["resume", '"Моја п'], ["Моја прва"]),
        (["curve", "new"], ["newest"]),
        (["runs", "--remove", "old"], ["oldest"]),
        (["next", "--out", "nowhere", ""], ["files: dirnames"]),
        (["next", "../"], ["files: dirnames"]),
        (["train", ""], ["files: default"]),
        (["books", "f"], ["fetch"]),
        (["books", "r"], ["files: default"]),
        (["books", "fetch", ""], ["eltec-srp"]),
        (["completion", ""], list(SHELLS)),
        (["help", "ge"], ["generate"]),
        (["train", "--minutes", "soon", "--device", "m"], ["mps"]),
    ],
    ids=str,
)
def test_bash_offers_what_fits(words: list[str], expected: list[str], runs: Path):
    assert offered(runs.parent, *words) == expected


@needs_bash
def test_a_file_that_begins_like_fetch_is_offered_as_a_file(runs: Path):
    (runs.parent / "fables").mkdir()
    assert offered(runs.parent, "books", "f") == ["files: default"]
    assert offered(runs.parent, "books", "fe") == ["fetch"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_answered_too(shell: str, runs: Path):
    told = {"COMP_WORDS": "paznja next ", "COMP_CWORD": "2" if shell == "zsh" else "", "_PAZNJA_COMPLETE": f"{shell}_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "paznja"], cwd=runs.parent, env=environment(**told), capture_output=True, text=True, check=True
    )
    for name in ("newest", "Моја прва", "it's [one]", "oldest"):
        assert name in done.stdout
    assert "no run" not in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script(shell: str):
    done = subprocess.run(
        [sys.executable, "-m", "paznja", "completion", shell], env=environment(), capture_output=True, text=True, check=True
    )
    assert f"_PAZNJA_COMPLETE={shell}_complete" in done.stdout


def test_completing_loads_no_torch(runs: Path):
    asked = [sys.executable, "-X", "importtime", "-m", "paznja"]
    told = {"COMP_WORDS": "paznja\nnext\n", "COMP_CWORD": "2", "_PAZNJA_COMPLETE": "bash_complete"}
    done = subprocess.run(asked, cwd=runs.parent, env=environment(**told), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "plain,newest"
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "paznja.run" in loaded
    assert "torch" not in loaded
