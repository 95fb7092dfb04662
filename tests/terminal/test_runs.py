"""The list of the runs: at every width, and with runs in it that are damaged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.terminal.screens import in_terminal, screen

from paznja.table import file_size

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


def test_without_runs_it_says_how_to_train_by_the_name_under_which_the_program_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paznja", "runs", "--out", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PATH": ""}, capture_output=True, text=True, check=True)
    called = f"{Path(sys.executable).name} -m paznja"
    assert f"Begin with: {called} train ~/Books, or {called} demo" in done.stdout
