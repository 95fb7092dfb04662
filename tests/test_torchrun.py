"""Under torchrun: real processes that send each other messages, killed, started again, and on two hosts."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch

import paznja
from paznja.model.weights import unpack
from paznja.run.requests import send

pytestmark = [pytest.mark.slow, pytest.mark.skipif("os.name != 'posix'", reason="not tried on other systems")]

TINY = ("--preset", "tiny", "--memory", "learned", "--sample-at", "5,20")

Torchrun = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def torchrun(tmp_path: Path, cache: Path) -> Iterator[Torchrun]:
    """Starts torchrun with this command of paznja, in so many processes."""

    begun: list[subprocess.Popen[str]] = []

    def start(processes: int, *command: str, restarts: int = 0) -> subprocess.Popen[str]:
        call = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={processes}",
            f"--max-restarts={restarts}",
        ]
        using = ["--out", str(tmp_path / "runs"), "--cache", str(cache)]
        environment = {**os.environ, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
        running = subprocess.Popen(
            [*call, "-m", "paznja", *command, *using],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        begun.append(running)
        return running

    yield start
    for running in begun:
        if running.poll() is None:
            for process in [*psutil.Process(running.pid).children(recursive=True), running]:
                process.kill()
        running.communicate()


def done(running: subprocess.Popen[str], code: int | None = 0) -> str:
    """What it printed; it must have ended with this code, None: any."""
    printed, _ = running.communicate(timeout=120)
    assert code is None or running.returncode == code, printed
    return printed


def weights(run: paznja.TrainedRun) -> dict[str, torch.Tensor]:
    checkpoint = run.run.checkpoint()
    assert checkpoint is not None
    path = run.path / checkpoint.folder / "model.safetensors"
    return unpack(path.read_bytes(), str(path))


def workers(running: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that torchrun has started, in the order of their ranks."""
    children = psutil.Process(running.pid).children()
    return sorted((child for child in children if "paznja" in child.cmdline()), key=lambda child: int(child.environ()["RANK"]))


def wait_for(path: Path, running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.05)


def rows(run: paznja.TrainedRun) -> list[int]:
    return [line["iteration"] for line in run.run.samples(rows_only=True)]


def test_a_run_stopped_under_torchrun_goes_on_with_another_number_of_processes(books: Path, tmp_path: Path, torchrun: Torchrun):
    (tmp_path / "runs").mkdir()
    alone = paznja.train(books, preset="tiny", memory="learned", iterations=40, sample_at=(5, 20), name="alone", out=tmp_path / "runs")
    printed = done(torchrun(2, "train", str(books), *TINY, "--iterations", "40", "--name", "most"))
    assert printed.count("Finished: 40 iterations") == 1
    two = paznja.open_run("most", out=tmp_path / "runs")
    assert two.run.settings().training.processes == 2
    assert rows(two) == rows(alone) == [5, 20, 40]
    for name, tensor in weights(alone).items():
        torch.testing.assert_close(weights(two)[name], tensor, rtol=0.05, atol=0.02)
    assert two.metrics[-1]["held_out"] == pytest.approx(alone.metrics[-1]["held_out"], abs=0.02)
    printed = done(torchrun(3, "resume", "most", "--iterations", "10"))
    assert printed.count("Finished: 50 iterations") == 1
    assert "Traceback" not in printed
    paznja.resume("most", out=tmp_path / "runs", iterations=5)
    assert rows(paznja.open_run("most", out=tmp_path / "runs"))[-2:] == [50, 55]


def test_with_a_counted_memory_they_learn_what_one_learns(books: Path, tmp_path: Path, torchrun: Torchrun):
    asked = ["--preset", "tiny", "--memory", "counted", "--iterations", "12", "--sample-at", "3,10"]
    figures: list[list[float]] = []
    for processes in (1, 3):
        printed = done(torchrun(processes, "train", str(books), *asked, "--name", f"of {processes}"))
        assert "Finished: 12 iterations" in printed
        figures.append([line["held_out"] for line in paznja.open_run(f"of {processes}", out=tmp_path / "runs").metrics])
    assert figures[0] == pytest.approx(figures[1], abs=1e-3)


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
def test_a_process_that_is_killed_is_started_again_and_the_run_goes_on(books, tmp_path, torchrun, victim, named):
    name = ["--name", "most"] if named else []
    running = torchrun(2, "train", str(books), *TINY, "--iterations", "600", "--checkpoint-seconds", "0.2", *name, restarts=1)
    while not (found := list((tmp_path / "runs").glob("*/checkpoint"))):
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.05)
    killed_at = json.loads(found[0].read_text())["iteration"]
    workers(running)[victim].send_signal(signal.SIGKILL)
    printed = done(running)
    assert "Finished: 600 iterations" in printed
    (run,) = paznja.runs(tmp_path / "runs")
    assert run.state == "finished"
    assert 0 < killed_at < 600
    assert rows(run) == [5, 20, 600]
    iterations = [line["iteration"] for line in run.run.progress()]
    assert iterations == sorted(set(iterations))


def test_ctrl_c_saves_and_torchrun_does_not_take_it_for_a_failure(books: Path, tmp_path: Path, torchrun: Torchrun):
    running = torchrun(2, "train", str(books), *TINY, "--iterations", "100000", "--checkpoint-seconds", "0.2", "--name", "most", restarts=3)
    wait_for(tmp_path / "runs" / "most" / "checkpoint", running)
    began = workers(running)
    running.send_signal(signal.SIGINT)
    done(running, None)
    assert not any(process.is_running() for process in began)
    run = paznja.open_run("most", out=tmp_path / "runs")
    assert run.state == "stopped"
    checkpoint = run.run.checkpoint()
    assert checkpoint is not None
    assert checkpoint.iteration >= max(line["iteration"] for line in run.run.progress())


def test_a_stop_that_is_asked_for_from_outside_is_obeyed_by_all(books: Path, tmp_path: Path, torchrun: Torchrun):
    running = torchrun(2, "train", str(books), *TINY, "--iterations", "100000", "--checkpoint-seconds", "0.2", "--name", "most")
    wait_for(tmp_path / "runs" / "most" / "checkpoint", running)
    run = paznja.open_run("most", out=tmp_path / "runs")
    for request in ("sample", "pause", "go-on", "stop"):
        send(run.run, request)
    printed = done(running)
    assert "Traceback" not in printed
    assert run.state == "stopped"
    assert rows(run)[-1] not in (5, 20)


def test_wrong_use_is_said_once(books: Path, torchrun: Torchrun):
    printed = done(torchrun(3, "train", str(books), "--preset", "tinny"), 1)
    assert printed.count("Error: There is no preset 'tinny'") == 1


def test_a_process_that_does_not_answer_is_given_up(books: Path, tmp_path: Path, torchrun: Torchrun):
    running = torchrun(
        2, "train", str(books), *TINY, "--iterations", "100000", "--checkpoint-seconds", "0.2", "--name", "most", "--network-seconds", "5"
    )
    wait_for(tmp_path / "runs" / "most" / "checkpoint", running)
    sleeping = workers(running)[1]
    sleeping.suspend()
    printed = done(running, 1)
    assert "did not answer for 5 seconds (--network-seconds)" in printed
    assert "Traceback (most recent call last):\n" not in printed.split("torch/distributed")[0]
    paznja.resume("most", out=tmp_path / "runs", iterations=1)


def test_a_process_that_all_others_wait_for_is_named(books: Path, tmp_path: Path, torchrun: Torchrun):
    running = torchrun(3, "train", str(books), *TINY, "--iterations", "1000000", "--checkpoint-seconds", "0.2", "--name", "most")
    wait_for(tmp_path / "runs" / "most" / "checkpoint", running)
    slow = workers(running)[1]
    assert running.stdout is not None
    printed = ""
    output = running.stdout.fileno()
    os.set_blocking(output, False)
    end = time.monotonic() + 60
    while "which wait for it" not in printed:
        assert time.monotonic() < end, printed
        slow.suspend()
        time.sleep(0.3)
        slow.resume()
        time.sleep(0.03)
        with suppress(BlockingIOError):
            printed += os.read(output, 100_000).decode()
    assert f"Process 2, on {platform.node()}, takes " in printed
    send(paznja.open_run("most", out=tmp_path / "runs").run, "stop")
    os.set_blocking(output, True)
    done(running)
