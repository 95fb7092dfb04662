"""`paznja train` in several processes, from the command line: whichever ends and however, no process is left, and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import paznja

pytestmark = [pytest.mark.slow, pytest.mark.skipif("os.name != 'posix'", reason="there is only one process on other systems")]

LONG = ("--preset", "tiny", "--memory", "learned", "--processes", "3", "--iterations", "1000000", "--checkpoint-seconds", "0.2")

Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(tmp_path: Path, books: Path, cache: Path) -> Iterator[Begin]:
    """Starts a training that would take hours, and waits for its first checkpoint."""
    begun: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        call = [sys.executable, "-m", "paznja", "train", str(books), *LONG, "--out", str(tmp_path / "runs"), "--cache", str(cache)]
        pipe = subprocess.PIPE
        running = subprocess.Popen([*call, "--name", "run", *options], stdout=pipe, stderr=subprocess.STDOUT, encoding="utf-8")
        begun.append(running)
        end = time.monotonic() + 60
        while not (tmp_path / "runs" / "run" / "checkpoint").exists():
            assert running.poll() is None, running.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.05)
        return running

    yield start
    for running in begun:
        if running.poll() is None:
            running.kill()
        running.communicate()


def others(running: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(running.pid).children(recursive=True)
    assert len(found) == 2
    return found


def assert_gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=10)
    assert left == []


def test_if_process_0_is_killed_the_others_end_and_the_run_goes_on(begin: Begin, tmp_path: Path):
    running = begin()
    started = others(running)
    running.kill()
    running.wait()
    assert_gone(started)
    run = paznja.open_run("run", out=tmp_path / "runs")
    assert run.state == "stopped"
    assert paznja.resume("run", out=tmp_path / "runs", processes=2, iterations=3).state == "finished"


@pytest.mark.parametrize("victim", [0, 1])
def test_if_another_is_killed_a_sentence_says_so_and_the_run_goes_on(begin: Begin, tmp_path: Path, victim: int):
    running = begin()
    started = others(running)
    started[victim].kill()
    printed, _ = running.communicate(timeout=30)
    assert running.returncode == 1
    assert printed.splitlines()[-1].startswith(f"Error: Process {victim + 2} of the 3 that train together was ended from outside")
    assert "Traceback" not in printed
    assert_gone(started)
    assert paznja.resume("run", out=tmp_path / "runs", iterations=3).state == "finished"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_of_them_saves_and_stops_once(begin: Begin, tmp_path: Path, number: int):
    """As a terminal sends Ctrl-C to every process in it, and a system that shuts down SIGTERM to every process there is."""
    running = begin()
    started = others(running)
    for process in [*started, psutil.Process(running.pid)] if number == signal.SIGINT else [psutil.Process(running.pid)]:
        process.send_signal(number)
    printed, _ = running.communicate(timeout=30)
    assert running.returncode == 130, printed
    assert printed.count("paznja resume run") == 1
    assert_gone(started)
    run = paznja.open_run("run", out=tmp_path / "runs")
    checkpoint = run.run.checkpoint()
    assert checkpoint is not None
    assert checkpoint.iteration >= max(line["iteration"] for line in run.run.progress())


def test_the_number_is_kept_in_the_run_and_used_again(books: Path, cache: Path, tmp_path: Path):
    asked = {"preset": "tiny", "iterations": 3, "out": tmp_path, "cache": cache}
    two = paznja.train(books, name="two", processes=2, **asked)
    assert two.run.settings().training.processes == 2
    assert two.run.record().machine["processes"] == 2
    paznja.resume(two.run, iterations=2)
    assert two.run.settings().training.processes == 2
    one = paznja.train(books, name="one", **asked)
    assert one.run.settings().training.processes == 1


@pytest.mark.parametrize("asked", ["-1", "257", "two"])
def test_a_number_that_cannot_be_is_wrong_use(books: Path, tmp_path: Path, asked: str):
    call = [sys.executable, "-m", "paznja", "train", str(books), "--processes", asked, "--out", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"}, check=False)
    assert done.returncode == 2
    assert "processes" in done.stderr
    assert "Traceback" not in done.stderr
