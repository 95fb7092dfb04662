"""Two hosts with a network between them: how long an iteration takes over it, and what a simple model says for more hosts.

    sudo python benchmarks/network.py [--rates 10gbit,1gbit,100mbit] [--delay 0ms] [--shapes 2x128,6x256] [--batch 16] [--iterations 40]

The hosts are network namespaces of this machine (`hosts.py`), each with one process of one thread that torchrun starts. The networks
that learn there, with a learned memory, get random ids. The model: an iteration takes the time of its part of the batch, plus the
bytes that a host has to send or get over the rate of its cable, plus a few delays. What it says stands beside what was measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import click
from common import count_of, machine, table, time_of
from hosts import hosts

TORCHRUN = "--nnodes {hosts} --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint first:29400 --rdzv-id network"

MESSAGES = 8
"""How often in an iteration a host waits for another: the message, the gradients, the rows, the sum, the weights."""

_WARMING_UP = 4  # iterations

RATES = {"10gbit": 10e9, "1gbit": 1e9, "100mbit": 100e6}
"""Bits a second of the rates that can be asked for."""


def settings_for(layers: int, width: int, batch: int):
    """What is trained."""
    from dataclasses import replace

    from paznja.config import adjust, preset

    settings = adjust(preset("auto"), layers=layers, width=width, batch=batch, device="cpu", precision="float32")
    return replace(settings, model=replace(settings.model, vocabulary=140), training=replace(settings.training, threads=1))


def bytes_of_iteration(layers: int, width: int, batch: int, size: int) -> float:
    """Bytes that the busier direction of a host's cable carries in an iteration of `size` hosts."""
    model = settings_for(layers, width, batch).model
    dense = model.num_parameters() - model.num_table_parameters()
    look_ups = (model.memory_order - 1) * (model.width // model.memory_width)
    positions = batch * model.context / size
    others = (size - 1) / size
    # Each gets from the others their gradients of its weights, and later their weights; and what every position of theirs looked up.
    return 4 * dense * others * 2 + (size - 1) * positions * 4 * (look_ups + model.width)


def measure(layers: int, width: int, batch: int, iterations: int, file: str) -> None:
    """Runs on every host: trains on random ids and leaves the seconds of each iteration in the file."""
    from paznja.training.pace import take_part_in_timing
    from paznja.world.distributed import Launched

    settings = settings_for(layers, width, batch)
    with Launched(120.0) as launched:
        times = take_part_in_timing(launched.world(launched.size), settings, iterations + _WARMING_UP)
        if launched.rank == 0:
            Path(file).write_text(json.dumps(times[_WARMING_UP:]))
        else:
            for _ in range(2):
                launched.world(launched.size).told()


def seconds(number: int, rate: str | None, delay: str, given: tuple[int, int, int, int]) -> float:
    """The median iteration on so many hosts; no rate: nothing slows the network down."""
    with tempfile.NamedTemporaryFile() as file, hosts(number, rate=rate, delay=delay if rate and delay != "0ms" else None) as begins:
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            *TORCHRUN.format(hosts=number).split(),
            __file__,
            *map(str, given),
            file.name,
        ]
        running = [subprocess.Popen([*begin, *command], stderr=subprocess.DEVNULL) for begin in begins]
        if any(one.wait() for one in running):
            raise SystemExit("the processes of a measurement failed")
        return median(json.loads(Path(file.name).read_text()))


@click.command(help=__doc__)
@click.option("--rates", default="10gbit,1gbit,100mbit", show_default=True)
@click.option("--delay", default="0ms", show_default=True, help="Of each host's cable.")
@click.option("--shapes", default="2x128,6x256", show_default=True, help="Layers and width of the networks.")
@click.option("--batch", default=16, show_default=True, help="Windows in an iteration.")
@click.option("--iterations", default=40, show_default=True)
def main(rates: str, delay: str, shapes: str, batch: int, iterations: int) -> None:
    print(
        f"## Two hosts\n\n{machine()} Batches of {batch}, float32, one thread a host; delay {delay}; medians of {iterations} iterations.\n"
    )
    rows: list[list[str]] = []
    for shape in shapes.split(","):
        layers, width = map(int, shape.split("x"))
        given = (layers, width, batch, iterations)
        one, half = seconds(1, None, delay, given), seconds(1, None, delay, (layers, width, batch // 2, iterations))
        rows.append([shape, "1", "-", "-", time_of(one), "-", "1.00"])
        sent = bytes_of_iteration(layers, width, batch, 2)
        for rate in ("none", *rates.split(",")):
            took = seconds(2, None if rate == "none" else rate, delay, given)
            slow = 0.0 if rate == "none" else 8 * sent / RATES[rate] + MESSAGES * 2 * float(delay.removesuffix("ms")) / 1000
            rows.append([shape, "2", rate, count_of(sent), time_of(took), time_of(half + slow), f"{one / took:.2f}"])
    print(table(["network", "hosts", "rate", "bytes an iteration", "measured", "the model says", "as fast as one"], rows))


if __name__ == "__main__":
    if len(sys.argv) == 6 and sys.argv[1].isdigit():
        asked = [int(number) for number in sys.argv[1:5]]
        measure(asked[0], asked[1], asked[2], asked[3], sys.argv[5])
    else:
        main()
