"""What the benchmarks share: fresh processes to measure in, taking turns, memory, the machine in words, Markdown tables.

Imports neither torch nor the parts of paznja that need it, so that a fresh process can time those imports itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil

PAZNJA = [sys.executable, "-m", "paznja"]
"""The command line of the installation that runs the benchmark."""

PROMPT = "Ово је мост "
"""Twelve characters; the table has had this prompt since 2023."""


class Worker:
    """An object in a fresh process of its own; `call` runs one of its methods there and waits for the result.

    A waiting worker computes nothing, so several workers can take turns on a machine.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None, watched: bool = False):
        """`environment`: variables that have to be set before the process starts. `watched`: measure `peak_of_all`."""
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments))
        self._watched = watched
        self.peak_of_all = 0
        """The largest sum of the memory of the process and those that it started, looked at every tenth of a second."""
        before = dict(os.environ)
        os.environ.update(environment or {})
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        self._wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the method of this name and return its result."""
        self._connection.send((method, arguments))
        return self._wait()

    def _wait(self) -> Any:
        while self._watched and not self._connection.poll(0.1):
            self.peak_of_all = max(self.peak_of_all, memory_of_all(self._process.pid))
        try:
            return self._connection.recv()
        except EOFError:
            raise SystemExit("a process that the benchmark had started failed; what went wrong stands above") from None


def _serve(connection: Any, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    made = make(*arguments)
    connection.send(None)
    while True:
        try:
            method, given = connection.recv()
        except EOFError:
            return
        connection.send(getattr(made, method)(*given))


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> tuple[Any, int]:
    """Call the function in a fresh process; returns its result and `Worker.peak_of_all`."""
    with Worker(partial, function, watched=True) as worker:
        return worker.call("__call__", *arguments), worker.peak_of_all


def in_fresh_process_with(environment: Mapping[str, str], function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function in a fresh process with these environment variables; returns its result."""
    with Worker(partial, function, environment=environment) as worker:
        return worker.call("__call__", *arguments)


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender measured in each round; in the order A B A B, so that a machine that slows down affects all of them."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            measured[name].append(measure())
    return measured


def median_ratio(numerators: Iterable[float], denominators: Iterable[float]) -> float:
    """The median of the rounds' ratios."""
    return median(a / b for a, b in zip(numerators, denominators, strict=True))


def nanogpt_module(checkout: Path) -> Any:
    """nanoGPT's model.py, imported from a checkout. It prints, so redirect standard output when you call it."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("nanogpt_model", checkout / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def every_twelfth(books: Path) -> list[Path]:
    """The books that are held out for every figure on a shelf: every twelfth, from the sixth on, in the order of the paths.

    SystemExit, with a sentence, if there are no books; empty if there are fewer than six.
    """
    from paznja.corpus.finding import find_files
    from paznja.errors import NoBooks

    try:
        return sorted(find_files([books]))[5::12]
    except NoBooks as error:
        raise SystemExit(str(error)) from None


def peak_of(usage: Any) -> int:
    """The peak memory of an ended process in bytes, from what the operating system says about it (`os.wait4`)."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory_of_all(pid: int | None) -> int:
    """The bytes of memory of this process, plus those that the processes below it share with no other."""
    try:
        process = psutil.Process(pid)
        return process.memory_info().rss + sum(child.memory_full_info().uss for child in process.children(recursive=True))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0  # it or one below it has ended meanwhile


def machine() -> str:
    """Processor, cores, versions, and how busy the machine was before the benchmark began, in one line."""
    import platform

    import numpy
    import torch

    from paznja.config import TrainingConfig
    from paznja.machine import describe, num_cores

    processor = describe(TrainingConfig(device="cpu"))["device"]
    load = f"; load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}, NumPy {numpy.__version__}"
    return f"Machine: {processor}, {num_cores()} cores; {versions}{load}."


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def time_of(seconds: float) -> str:
    """A measured time with three digits: 0.85 ms, 12.3 s."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s" if seconds < 100 else f"{seconds:,.0f} s"


def count_of(number: float) -> str:
    """A measured count with three digits: 3.92, 143, 12,300."""
    if number >= 100:
        size = 10 ** max(0, len(str(int(number))) - 3)
        return f"{round(number / size) * size:,}"
    return f"{number:.3g}"


def megabytes(number: float) -> str:
    """Bytes as MB."""
    return f"{number / 1e6:,.0f} MB"
