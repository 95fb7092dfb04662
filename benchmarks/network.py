"""Two hosts with a network between them: how long an iteration takes over it, and what a simple model says for more of them.

    sudo python benchmarks/network.py [--rates 10gbit,1gbit,100mbit] [--shapes 2x128,6x256] [--exchanges float32,bfloat16] [--rounds 3]
    python benchmarks/network.py --predict [--shapes 2x128,4x192,6x256] [--batch 64]

The hosts are network namespaces of this machine (`hosts.py`), each with one process of one thread that torchrun starts. The networks
that learn there, with a learned memory, get random ids; rates and exchanges take turns.

The model: an iteration takes the time that as many hosts need if nothing slows the network down, plus what the busier direction of a
host's cable has to carry, over its rate. Gradients are sent while others are still computed, so they count only as far as that takes
longer than the backward pass, which is half of the time. What the model says stands beside what was measured. `--predict` measures no
network: it says what the same model expects of machines that are not here, from their cores or cards and their networks.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
from common import count_of, machine, table, time_of
from hosts import hosts

TORCHRUN = "--nnodes {hosts} --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint first:29400 --rdzv-id network"

_WARMING_UP = 4  # iterations

RATES = {"none": float("inf"), "10gbit": 10e9, "1gbit": 1e9, "100mbit": 100e6}
"""Bits a second of the rates that can be asked for; none: as fast as this machine is."""

_BACKWARD = 0.5
"""The share of an iteration in which gradients can be sent while others are computed."""

_REACHED = 0.4
"""The share of its peak that a large network is supposed to reach on a card."""


def settings_for(layers: int, width: int, batch: int, exchange: str = "float32"):
    """What is trained."""
    from dataclasses import replace

    from paznja.config import adjust, preset

    settings = adjust(preset("auto"), layers=layers, width=width, batch=batch, device="cpu", precision="float32", exchange=exchange)
    return replace(settings, model=replace(settings.model, vocabulary=140), training=replace(settings.training, threads=1))


@dataclass(frozen=True)
class Sent:
    """Bytes that the busier direction of a host's cable carries in an iteration."""

    gradients: float
    """Of the weights, to the hosts that answer for them."""
    rest: float
    """The weights back, and what every position looked up in the memory's table, with its gradient."""

    @property
    def all(self) -> float:
        return self.gradients + self.rest


def sent_in_iteration(model, batch: int, size: int, exchange: str) -> Sent:
    """What one of `size` hosts sends."""
    dense = model.num_parameters() - model.num_table_parameters()
    others, number = (size - 1) / size, 4 if exchange == "float32" else 2
    rows = 0.0
    if model.memory == "learned":
        look_ups = (model.memory_order - 1) * (model.width // model.memory_width)
        rows = (size - 1) * batch * model.context / size * (4 * look_ups + number * model.width)
    return Sent(number * dense * others, 4 * dense * others + rows)


def seconds_over(sent: Sent, rate: float, computing: float) -> float:
    """What the model says: an iteration that takes `computing` seconds without a network, over one of this rate (bits a second)."""
    return computing + max(0.0, 8 * sent.gradients / rate - _BACKWARD * computing) + 8 * sent.rest / rate


def measure(layers: int, width: int, batch: int, iterations: int, exchange: str, file: str) -> None:
    """Runs on every host: trains on random ids and leaves the seconds of each iteration in the file."""
    from paznja.training.pace import take_part_in_timing
    from paznja.world.distributed import Launched

    settings = settings_for(layers, width, batch, exchange)
    with Launched(120.0) as launched:
        times = take_part_in_timing(launched.world(launched.size), settings, iterations + _WARMING_UP)
        if launched.rank == 0:
            Path(file).write_text(json.dumps(times[_WARMING_UP:]))
        else:
            for _ in range(2):
                launched.world(launched.size).told()


def seconds(number: int, rate: str, given: tuple[int, int, int, int, str]) -> float:
    """The median iteration on so many hosts."""
    with tempfile.NamedTemporaryFile() as file, hosts(number, rate=None if rate == "none" else rate) as begins:
        torchrun = ["-m", "torch.distributed.run", *TORCHRUN.format(hosts=number).split()]
        command = [sys.executable, *torchrun, __file__, *map(str, given), file.name]
        running = [subprocess.Popen([*begin, *command], stderr=subprocess.DEVNULL) for begin in begins]
        codes = [one.wait() for one in running]
        if any(codes):
            raise SystemExit("the processes of a measurement failed")
        return median(json.loads(Path(file.name).read_text()))


def measured(rates: list[str], shapes: list[str], exchanges: list[str], batch: int, iterations: int, rounds: int) -> None:
    """The table of what was measured beside what the model says."""
    print(f"## Two hosts\n\n{machine()} Batches of {batch}, float32, one thread a host; medians of {rounds} rounds.\n")
    rows: list[list[str]] = []
    for shape in shapes:
        layers, width = map(int, shape.split("x"))
        ways = [(1, "none", "float32"), *((2, rate, exchange) for rate in ("none", *rates) for exchange in exchanges)]
        times: dict[tuple[int, str, str], list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                times[way].append(seconds(way[0], way[1], (layers, width, batch, iterations, way[2])))
        took = {way: median(seen) for way, seen in times.items()}
        for number, rate, exchange in ways:
            sent = sent_in_iteration(settings_for(layers, width, batch).model, batch, number, exchange)
            computing = took[number, "none", exchange]
            said = seconds_over(sent, RATES[rate], computing)
            faster = took[1, "none", "float32"] / took[number, rate, exchange]
            rows.append(
                [
                    shape,
                    str(number),
                    rate,
                    exchange,
                    count_of(sent.all),
                    time_of(took[number, rate, exchange]),
                    time_of(said),
                    f"{faster:.2f}",
                ]
            )
    print(table(["network", "hosts", "rate", "exchange", "bytes sent", "measured", "the model", "as fast as one"], rows))


def parts_of_iteration(layers: int, width: int, batch: int, processes: int) -> tuple[float, float, float]:
    """Seconds of this machine, with one thread: forward and backward for one process's part; all optimizers; of these the table's."""
    import time

    import torch

    from paznja.training.batches import Batch
    from paznja.training.learner import Learner

    torch.set_num_threads(1)
    settings = settings_for(layers, width, batch // processes)
    spent = {"step": 0.0, "table": 0.0}

    def time_it(of: object, name: str, method: str) -> None:
        function = getattr(of, method)

        def call(*arguments, **named):
            start = time.perf_counter()
            result = function(*arguments, **named)
            spent[name] += time.perf_counter() - start
            return result

        setattr(of, method, call)

    learner = Learner(settings.model, settings.training)
    time_it(learner.optimizers, "step", "step")
    time_it(learner.optimizers.table, "table", "step")
    ids = torch.randint(settings.model.vocabulary, (settings.training.batch, settings.model.context + 1))
    seen: list[tuple[float, float, float]] = []
    for _ in range(12):
        spent.update(step=0.0, table=0.0)
        start = time.perf_counter()
        learner.learn(Batch(ids[:, :-1], ids[:, 1:]), 1.0, 1)
        whole = time.perf_counter() - start
        seen.append((whole - spent["step"], spent["step"], spent["table"]))
    forward_and_backward, step, of_table = (median(column) for column in zip(*seen[2:], strict=True))
    return forward_and_backward, step, of_table


def predicted(shapes: list[str], batch: int) -> None:
    """The table of what the model expects of more cores, and of cards."""
    from paznja.config import preset

    print(f"## What the model expects\n\n{machine()}\n")
    rows: list[list[str]] = []
    for shape in shapes:
        layers, width = map(int, shape.split("x"))
        alone, step, of_table = parts_of_iteration(layers, width, batch, 1)
        for cores in (2, 4, 8, 16):
            part, _, _ = parts_of_iteration(layers, width, batch, cores)
            # Every process looks through the rows of all positions, and moves only its own; the rest of the optimizers is dealt out.
            took = part + (step - of_table) / cores + of_table / 2 + of_table / 2 / cores
            rows.append(
                [f"{shape}, batches of {batch}", f"{cores} cores", time_of(alone + step), time_of(took), f"{(alone + step) / took:.1f}"]
            )
    model = preset("large").model
    for windows, cards, rate, network in (
        (128, 8, 3.6e12, "NVLink, 450 GB/s each way"),
        (128, 128, 400e9, "400 Gbit/s a card"),
        (2048, 128, 400e9, "400 Gbit/s a card"),
    ):
        alone = model.operations() * windows * model.context / (_REACHED * 989e12)
        for exchange in ("float32", "bfloat16"):
            took = seconds_over(sent_in_iteration(model, windows, cards, exchange), rate, alone / cards)
            about = f"large, batches of {windows}, gradients in {exchange}"
            rows.append([about, f"{cards} H100, {network}", time_of(alone), time_of(took), f"{alone / took:.1f}"])
    print(table(["network", "machines", "one alone", "together", "as fast as one"], rows))


@click.command(help=__doc__)
@click.option("--rates", default="10gbit,1gbit,100mbit", show_default=True)
@click.option("--shapes", default="2x128,6x256", show_default=True, help="Layers and width of the networks.")
@click.option("--exchanges", default="float32,bfloat16", show_default=True, help="How gradients are sent.")
@click.option("--batch", default=16, show_default=True, help="Windows in an iteration.")
@click.option("--iterations", default=20, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--predict", is_flag=True, help="Measure no network.")
def main(rates: str, shapes: str, exchanges: str, batch: int, iterations: int, rounds: int, predict: bool) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the hosts are removed
    if predict:
        predicted(shapes.split(","), batch)
    else:
        measured(rates.split(","), shapes.split(","), exchanges.split(","), batch, iterations, rounds)


if __name__ == "__main__":
    if len(sys.argv) == 7 and sys.argv[1].isdigit():
        asked = [int(number) for number in sys.argv[1:5]]
        measure(asked[0], asked[1], asked[2], asked[3], sys.argv[5], sys.argv[6])
    else:
        main()
