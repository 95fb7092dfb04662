"""kill -9 at random moments, for real: what comes out in the end is what an undisturbed run gives, byte for byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paznja.run import Run

ITERATIONS = 1200
"""So many that five stretches, each from a start to a little after a checkpoint, end well before this."""

KILLS = 5

AT_LEAST = 50
"""Iterations that each stretch must have saved before it is killed."""

CLOCK = ("seconds", "peak_memory_bytes")
"""The fields that may differ in a line of metrics."""


def finish(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said


def iteration_of(run: Run) -> int:
    position = run.checkpoint() if run.path.exists() else None
    return position.iteration if position else 0


def rows(run: Run) -> list[tuple[int, str, str]]:
    return [(row["iteration"], row["prompt"], row["text"]) for row in run.samples(rows_only=True)]


def metrics(run: Run) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in CLOCK} for line in run.metrics()]


@pytest.mark.slow
def test_killed_five_times_at_random_moments_and_resumed_it_ends_with_the_weights_of_an_undisturbed_run(
    some_stories: list[Path],
    tmp_path: Path,
    command_line: Callable[..., subprocess.Popen[str]],
    wait_until: Callable[[Callable[[], bool], subprocess.Popen[str]], None],
):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"the moments are those of seed {seed}")
    moments = random.Random(seed)
    books, out = some_stories[:2], tmp_path / "runs"
    few = [
        "--preset",
        "tiny",
        "--iterations",
        str(ITERATIONS),
        "--seed",
        "3",
        "--threads",
        "1",
        "--checkpoint-seconds",
        "0.2",
        "--out",
        str(out),
    ]

    killed = Run(out / "killed")
    process = command_line("train", *books, *few, "--name", "killed")
    before = 0
    for _ in range(KILLS):
        wait_until(lambda before=before: iteration_of(killed) >= before + AT_LEAST, process)
        time.sleep(moments.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
        assert before + AT_LEAST <= iteration_of(killed) < ITERATIONS
        assert killed.state() == "stopped"
        before = iteration_of(killed)
        print(f"killed with iteration {before} as the last one saved")
        process = command_line("resume", "killed", "--out", out)
    finish(process)

    finish(command_line("train", *books, *few, "--name", "undisturbed"))
    undisturbed = Run(out / "undisturbed")
    assert killed.state() == undisturbed.state() == "finished"
    assert iteration_of(killed) == iteration_of(undisturbed) == ITERATIONS
    assert (killed.path / "model.safetensors").read_bytes() == (undisturbed.path / "model.safetensors").read_bytes()
    for file in ("model.safetensors", "optimizer.safetensors"):
        assert killed.read_checkpoint(file) == undisturbed.read_checkpoint(file)
    assert rows(killed) == rows(undisturbed)
    assert [iteration for iteration, _, _ in rows(killed)] == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, ITERATIONS]
    assert metrics(killed) == metrics(undisturbed)
    sampled = [sample["iteration"] for sample in killed.samples()]
    assert sampled == sorted(set(sampled))
    assert len(sampled) > len(rows(killed))
    assert {path.name for path in killed.path.iterdir()} - {path.name for path in undisturbed.path.iterdir()} <= {
        path.name for path in killed.path.glob("checkpoint-*")
    }
    assert len(list(killed.path.glob("checkpoint-*"))) == 2
