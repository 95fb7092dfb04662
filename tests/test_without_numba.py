"""A machine on which numba cannot be imported: only the counted memory does not work there, and a sentence says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import paznja

COMMANDS = """
import json, sys
from paznja.cli import main
codes = []
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as stop:
        codes.append(stop.code)
print(codes)
"""

TINY = ("--preset", "tiny", "--iterations", "2", "--threads", "1")


@pytest.fixture
def numbaless(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that cannot import numba."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "numba.py").write_text('raise ImportError("there is none")\n', encoding="utf-8")
    paths = [str(blocked), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUTF8": "1"}


def run_commands(environment: dict[str, str], *commands: list[str]) -> tuple[list[int], str]:
    """The commands' exit codes, and what they wrote to stderr."""
    call = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    done = subprocess.run(call, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_without_numba_all_works_but_the_counted_memory(books: Path, cache: Path, tmp_path: Path, numbaless: dict[str, str]) -> None:
    out = ["--out", str(tmp_path / "runs")]
    using = [*out, "--cache", str(cache)]
    commands = [["books", str(books), "--cache", str(cache)]]
    for memory in ("none", "learned"):
        commands += [
            ["train", str(books), "--name", memory, "--memory", memory, *TINY, *using],
            ["resume", memory, "--iterations", "1", *using],
            ["generate", memory, "Ово је", "--length", "5", *out],
            ["next", memory, "Ово је", *out],
            ["evaluate", memory, *out],
            ["evaluate", memory, str(min(books.iterdir())), *out],
            ["curve", memory, *out],
        ]
    commands += [["runs", *out], ["cache", "--cache", str(cache)]]
    codes, said = run_commands(numbaless, *commands)
    assert codes == [0] * len(commands), said


def test_without_numba_a_counted_memory_is_refused_before_anything_is_read(
    books: Path, cache: Path, tmp_path: Path, numbaless: dict[str, str]
) -> None:
    out = tmp_path / "runs"
    codes, said = run_commands(
        numbaless, ["train", str(books), "--name", "most", "--memory", "counted", *TINY, "--out", str(out), "--cache", str(cache)]
    )
    assert codes == [2]
    assert "A counted memory needs numba, which cannot be imported here (there is none): install it" in said
    assert "Traceback" not in said
    assert not out.exists()
    assert not cache.exists()


def test_without_numba_a_run_with_a_counted_memory_is_listed_and_says_why_it_cannot_be_used(
    some_stories: list[Path], cache: Path, tmp_path: Path, numbaless: dict[str, str]
) -> None:
    run = paznja.train(
        some_stories, name="most", preset="tiny", iterations=2, threads=1, memory="counted", out=tmp_path / "runs", cache=cache
    )
    out = ["--out", str(tmp_path / "runs")]
    uses = [["generate", "most", "Ово је"], ["next", "most", "Ово је"], ["evaluate", "most"], ["resume", "most", "--iterations", "1"]]
    codes, said = run_commands(numbaless, ["runs", *out], ["curve", "most", *out], *([*use, *out] for use in uses))
    assert codes == [0, 0, 2, 2, 2, 2]
    assert said.count("A counted memory needs numba") == len(uses)
    assert "--memory learned" in said
    assert "Traceback" not in said
    assert paznja.open_run(run.path).generate("Ово је", 5)
