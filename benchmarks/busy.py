"""A busy machine: learning beside other programs that compute, with threads that wait as ours do, as PyTorch's do, and in other ways.

    python benchmarks/busy.py [--programs 0,1,2,4] [--rounds 3] [--seconds 5]

The default network for short runs (2 layers of width 128, a learned memory, batches of 32) learns from random ids: network and optimizer,
without books, sampling, scoring and saving. Beside it this many programs count without end. A process reads only once how long its
threads spin before they sleep, so every measurement has its own process; the ways of waiting take turns in every round. The table gives
the medians of the rounds, their share of the same way's speed alone, and the lowest and highest round.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median

import click
from common import count_of, in_fresh_process_with, machine, table

WAYS: dict[str, dict[str, str]] = {
    "as PyTorch comes": {"threads": "all"},
    "spinning briefly (paznja)": {"threads": "all", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"},
    "passive": {"threads": "all", "OMP_WAIT_POLICY": "passive"},
    "one thread": {"threads": "1"},
}

_BUSY = "while True: pass"


def characters_a_second(threads: str, seconds: float) -> float:
    """The speed of a fresh process whose threads wait in this way."""
    from dataclasses import replace

    import torch

    from paznja.config import adjust, preset
    from paznja.machine import PRECISIONS, num_cores, resolve, set_threads
    from paznja.training.learner import blank
    from paznja.training.optimizers import Optimizers

    settings = adjust(preset("auto"), layers=2, width=128, batch=32)
    model = replace(settings.model, vocabulary=140)
    training = resolve(replace(settings.training, device="cpu", threads=num_cores() if threads == "all" else int(threads)), model)
    set_threads(training.threads)
    network = blank(model, 1)
    optimizers = Optimizers(network, training)
    ids = torch.randint(model.vocabulary, (training.batch, model.context + 1))
    precision = PRECISIONS[training.precision]

    def iterate() -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            loss = network(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizers.step(1.0)

    iterate()
    iterate()
    iterations, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        iterate()
        iterations += 1
    return iterations * training.batch * model.context / (time.perf_counter() - start)


@click.command(help=__doc__)
@click.option("--programs", default="0,1,2,4", show_default=True, help="How many busy programs there are beside it.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of learning, in each measurement.")
def main(programs: str, rounds: int, seconds: float) -> None:
    print(f"## A busy machine\n\n{machine()} Characters a second; medians of {rounds} rounds.\n")
    alone: dict[str, float] = {}
    rows: list[list[str]] = []
    for number in map(int, programs.split(",")):
        measured: dict[str, list[float]] = {way: [] for way in WAYS}
        busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(number)]
        try:
            for _ in range(rounds):
                for way, about in WAYS.items():
                    environment = {name: value for name, value in about.items() if name != "threads"}
                    measured[way].append(in_fresh_process_with(environment, characters_a_second, about["threads"], seconds))
        finally:
            for process in busy:
                process.kill()
                process.wait()
        for way, speeds in measured.items():
            alone.setdefault(way, median(speeds))
            share = f"{median(speeds) / alone[way]:.0%}" if "0" in programs.split(",")[0] else ""
            rows.append([str(number), way, count_of(median(speeds)), share, f"{count_of(min(speeds))} to {count_of(max(speeds))}"])
    print(table(["busy programs", "threads", "characters/s", "of the speed alone", "rounds"], rows))


if __name__ == "__main__":
    for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY"):
        os.environ.pop(name, None)
    main()
