"""Two hosts with nothing but a network between them: network namespaces, each with torchrun in it. Linux, root."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import paznja

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

pytestmark = [pytest.mark.slow, pytest.mark.needs_program]

TORCHRUN = "--nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint first:29400 --rdzv-id test"

OnBoth = Callable[..., list[subprocess.Popen[str]]]


@pytest.fixture
def can_make_hosts(outside_program) -> None:
    for program in ("ip", "unshare"):
        outside_program(program)
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("only root can make hosts")
        pytest.skip("only root can make hosts")


@pytest.fixture
def on_both(can_make_hosts, tmp_path: Path) -> Iterator[OnBoth]:
    """Starts one command of paznja on both hosts, the second of which may have a folder of its own in place of another."""
    namespaces = runpy.run_path(str(BENCHMARKS / "hosts.py"))
    begun: list[subprocess.Popen[str]] = []
    with namespaces["hosts"](2) as begins:

        def start(*command: str, private: tuple[Path, Path] | None = None) -> list[subprocess.Popen[str]]:
            for host, begin in enumerate(begins):
                hidden = namespaces["with_private"](*private) if private and host else []
                call = [*begin, *hidden, sys.executable, "-m", "torch.distributed.run", *TORCHRUN.split(), "-m", "paznja", *command]
                cache = ["--cache", str(tmp_path / f"cache-{host}")]
                running = subprocess.Popen(
                    [*call, *cache],
                    env={**os.environ, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    encoding="utf-8",
                )
                begun.append(running)
            return begun[-2:]

        yield start
        for running in begun:
            if running.poll() is None:
                for process in [*psutil.Process(running.pid).children(recursive=True), running]:
                    process.kill()
                running.wait()
            assert running.stdout is not None
            running.stdout.close()


def printed_by(running: list[subprocess.Popen[str]]) -> list[str]:
    return [one.communicate(timeout=120)[0] for one in running]


def training(*options: str) -> list[str]:
    return ["--preset", "tiny", "--memory", "learned", "--checkpoint-seconds", "0.3", "--name", "run", *options]


def test_a_run_on_two_hosts_that_was_killed_on_one_goes_on(on_both: OnBoth, books: Path, tmp_path: Path):
    out = ["--out", str(tmp_path / "runs")]
    running = on_both("train", str(books), *training("--iterations", "400", "--network-seconds", "20"), *out)
    end = time.monotonic() + 90
    while not (tmp_path / "runs" / "run" / "checkpoint").exists():
        assert time.monotonic() < end
        assert running[0].poll() is None, running[0].communicate()[0]
        time.sleep(0.05)
    for process in psutil.Process(running[1].pid).children(recursive=True):
        process.kill()
    running[1].kill()
    printed = printed_by(running)[0]
    assert "The last checkpoint is kept: start all of them again" in printed
    run = paznja.open_run("run", out=tmp_path / "runs")
    assert run.state == "stopped"
    printed = printed_by(on_both("resume", "run", *out))
    assert "Finished: 400 iterations" in printed[0], printed
    assert "Finished" not in printed[1]
    assert run.state == "finished"
    iterations = [line["iteration"] for line in run.run.progress()]
    assert iterations == sorted(set(iterations))


@pytest.mark.parametrize("memory", ["learned", "counted"])
def test_a_host_without_the_shared_folder_prepares_the_same_books(on_both: OnBoth, books: Path, tmp_path: Path, memory: str):
    own, theirs = tmp_path / "own", tmp_path / "theirs"
    for folder in (own, theirs):
        shutil.copytree(books, folder / "Books")
    out = ["--out", str(own / "runs")]
    printed = printed_by(
        on_both("train", str(own / "Books"), *training("--iterations", "8", "--memory", memory), *out, private=(own, theirs))
    )
    assert "Finished: 8 iterations" in printed[0], printed
    assert not (theirs / "runs").exists()
    (changed := min((theirs / "Books").iterdir())).write_text("Друга књига. " * 500, encoding="utf-8")
    printed = printed_by(on_both("train", str(own / "Books"), *training("--iterations", "9", "--name", "two"), *out, private=(own, theirs)))
    assert f"not those of process 0 (changed, new or missing: {changed.name})" in printed[1]


def test_the_benchmark_measures_an_iteration_over_a_network(can_make_hosts):
    options = ["--shapes", "1x32", "--rates", "1gbit", "--exchanges", "bfloat16", "--batch", "4", "--iterations", "2", "--rounds", "1"]
    command = [sys.executable, str(BENCHMARKS / "network.py"), *options]
    printed = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=120).stdout
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line.startswith("| 1x32")]
    assert [row[1:4] for row in rows] == [["1", "none", "float32"], ["2", "none", "bfloat16"], ["2", "1gbit", "bfloat16"]]
    assert [row[4] == "0" for row in rows] == [True, False, False]
