"""Training: the time of an iteration and of its parts, and the share that it reaches of the speed of a matrix product.

    python benchmarks/training.py BOOKS [--preset pocket] [--iterations N] [--precision float32] [--nanogpt DIR]

Each preset runs in a fresh process: its network, its optimizers and its batches of BOOKS go through whole iterations as in the
trainer, without sampling, scoring and saving. "Optimizer" includes the clipping; the little that the parts lack of the whole is
drawing the batch.

The operations are those that `ModelConfig.operations` counts: six per weight and token, and the attention. Before and after
every iteration plain `torch.mm` is timed, in the same process, precision and number of threads: once with the shapes of the
network's largest product, and once with square matrices of 1024, which is the peak of a machine whose caches hold them.
Each round's operations per second are divided by the mean of the two around it; the shares are medians of the rounds.
Peak memory is the process's, as the operating system counts it, torch itself included (on a CUDA device: what torch allocated there).

On a CPU with several cores, "a process a core" is an iteration of as many processes with one thread each, as `paznja train` has them; it
comes after each of those. Its batches are random ids. Peak memory then includes these processes and their network.

`--nanogpt` names a checkout of karpathy/nanoGPT. Its network of the same layers, width, heads, context and vocabulary, with its own
optimizer and the clipping of its train.py, then has an iteration on the same batch after each of ours, in float32, as its train.py
computes on a CPU. (Its feed-forward has two matrices of four times the width where ours has three of about 8/3, nearly as many weights.)
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from common import Worker, count_of, machine, median_ratio, megabytes, nanogpt_module, table, time_of

from paznja.config import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

ITERATIONS = {"pocket": 20, "blog": 3, "tiny": 100}
"""How many iterations are measured by default."""

BLOG_ITERATIONS = 20_000
"""The length of the run of 2023, in iterations."""

PARTS = ("forward", "backward", "optimizer")


class Training:
    """In a fresh process: one preset, ready to train on prepared books."""

    def __init__(self, preset: str, prepared: Path, folder: Path, threads: int, precision: str, nanogpt: Path | None) -> None:
        from dataclasses import replace

        from paznja import config
        from paznja.config import Stretch
        from paznja.cores import num_cores
        from paznja.machine import resolve, set_threads
        from paznja.run import RunRecord
        from paznja.run.writing import RunWriter
        from paznja.tokenizers import load_tokenizer
        from paznja.training.batches import Batches
        from paznja.training.learner import blank
        from paznja.training.optimizers import Optimizers
        from paznja.training.sharing_out import FOLLOWER
        from paznja.world.starting import Started

        self.tokenizer = load_tokenizer(prepared / "tokenizer.json", "characters")
        settings = config.preset(preset)
        self.training = resolve(replace(settings.training, threads=threads, precision=precision), settings.model)
        self.config = replace(settings.model, vocabulary=self.tokenizer.size)
        set_threads(self.training.threads)
        with RunWriter.create(folder, preset, RunRecord(settings, (Stretch(iterations=1),)), prepared) as writer:
            run = writer.run
        self.batches = Batches(run.training_ids(), self.config.context, self.training.batch, self.training.seed)
        self.model = blank(self.config, self.training.seed).to(self.training.device)
        self.optimizers = Optimizers(self.model, self.training)
        self.started = None
        if self.training.device == "cpu" and num_cores() > 1:
            self.started = Started(num_cores(), FOLLOWER)
        self.settings = replace(settings, model=self.config, training=replace(self.training, processes=num_cores(), threads=1))
        self.peer = None if nanogpt is None else Peer(nanogpt, self.config, self.training.device)

    def measure(self, iterations: int) -> dict[str, Any]:
        """For each iteration: seconds of the whole and of its parts, characters, operations per second of the two matrix products."""
        import torch

        from paznja.machine import peak_memory

        width, hidden = self.config.width, self.config.hidden
        rows = self.training.batch * self.config.context
        products = {"similar": (rows, width, 2 * hidden), "square": (1024, 1024, 1024)}
        measured: dict[str, list[float]] = {name: [] for name in ("whole", *PARTS, "characters", *products, "peer", "together")}
        seconds = self.iterate()["whole"]  # the first one allocates what the later ones use
        if self.peer is not None:
            self.peer.iterate(*self.batches.next()[:2])
        before = {name: self.product(*shape, seconds / 10) for name, shape in products.items()}
        for _ in range(iterations):
            for name, value in self.iterate().items():
                measured[name].append(value)
            if self.peer is not None:
                batch = self.batches.next()[:2]
                start = self.now()
                self.peer.iterate(*batch)
                measured["peer"].append(self.now() - start)
            if self.started is not None:
                measured["together"].append(self.together())
            after = {name: self.product(*shape, seconds / 10) for name, shape in products.items()}
            for name in products:
                measured[name].append((before[name] + after[name]) / 2)
            before = after
        return {
            **measured,
            "operations": self.config.operations() * rows,
            "parameters": self.config.num_parameters(),
            "peak": torch.cuda.max_memory_allocated() if self.training.device == "cuda" else peak_memory(),
            "about": f"{self.training.batch} x {self.config.context}",
            "conditions": f"On {self.training.device}, {self.training.precision}, {self.training.threads} threads",
        }

    def iterate(self) -> dict[str, float]:
        """One iteration, as `Learner` does it."""
        import torch

        from paznja.machine import PRECISIONS

        device, precision = self.training.device, PRECISIONS[self.training.precision]
        moments = [self.now()]
        ids_BT, next_ids_BT, _ = self.batches.next()
        moments.append(self.now())
        with torch.autocast(device, precision, enabled=precision != torch.float32):
            loss = self.model(ids_BT.to(device), next_ids_BT.to(device))
        moments.append(self.now())
        loss.backward()
        moments.append(self.now())
        self.optimizers.step(1.0)
        moments.append(self.now())
        _, forward, backward, optimizer = (end - start for start, end in pairwise(moments))
        return {
            "whole": moments[-1] - moments[0],
            "forward": forward,
            "backward": backward,
            "optimizer": optimizer,
            "characters": self.tokenizer.count_characters(next_ids_BT.numpy()),
        }

    def together(self) -> float:
        """Seconds of an iteration in a process a core."""
        from paznja.machine import set_threads
        from paznja.training.pace import take_part_in_timing

        assert self.started is not None
        world = self.started.world(self.settings.training.processes)
        world.tell({"do": "time", "settings": self.settings.to_dict(), "iterations": 3})
        times = take_part_in_timing(world, self.settings, 3)
        set_threads(self.training.threads)
        return median(times[1:])

    def product(self, rows: int, inner: int, columns: int, seconds: float) -> float:
        """Operations per second of plain `torch.mm`: the median of as many as fit in the time, at least three."""
        import torch

        from paznja.machine import PRECISIONS

        kind = {"device": self.training.device, "dtype": PRECISIONS[self.training.precision]}
        a, b = torch.randn(rows, inner, **kind), torch.randn(inner, columns, **kind)
        torch.mm(a, b)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end:
            start = self.now()
            torch.mm(a, b)
            times.append(self.now() - start)
        return 2 * rows * inner * columns / median(times)

    def now(self) -> float:
        """The time, once the device has finished its work."""
        from paznja.machine import synchronise

        synchronise(self.training.device)
        return time.perf_counter()


class Peer:
    """nanoGPT's network in one of our shapes, trained as in its train.py."""

    def __init__(self, checkout: Path, config: ModelConfig, device: str) -> None:
        with redirect_stdout(sys.stderr):  # it prints
            theirs = nanogpt_module(checkout)
            shape = {"n_layer": config.layers, "n_head": config.heads, "n_embd": config.width, "block_size": config.context}
            self.model: Any = theirs.GPT(theirs.GPTConfig(vocab_size=config.vocabulary, dropout=0.0, bias=False, **shape)).to(device)
            self.optimizer: Any = self.model.configure_optimizers(0.1, 6e-4, (0.9, 0.95), device)
        self.device = device

    def iterate(self, ids_BT: Tensor, next_ids_BT: Tensor) -> None:
        """One iteration."""
        import torch

        _, loss = self.model(ids_BT.to(self.device), next_ids_BT.contiguous().to(self.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def row(preset: str, measured: dict[str, Any]) -> list[str]:
    """The table's row for one preset, with medians."""
    speeds = [measured["operations"] / seconds for seconds in measured["whole"]]
    return [
        preset,
        f"{measured['parameters']:,}",
        measured["about"],
        str(len(speeds)),
        time_of(median(measured["whole"])),
        " + ".join(time_of(median(measured[part])) for part in PARTS),
        count_of(1 / median_ratio(measured["whole"], measured["characters"])),
        f"{median(speeds) / 1e9:.1f} of {median(measured['similar']) / 1e9:.1f}",
        f"{median_ratio(speeds, measured['similar']):.0%}",
        f"{median_ratio(speeds, measured['square']):.0%}",
        time_of(median(measured["together"])) if measured["together"] else "-",
        megabytes(measured["peak"]),
    ]


HEADER = [
    "preset",
    "parameters",
    "batch x context",
    "iterations",
    "time an iteration",
    "forward + backward + optimizer",
    "characters/s",
    "GFLOP/s of `torch.mm`'s",
    "share of `torch.mm`",
    "share of `torch.mm` at 1024",
    "a process a core",
    "peak memory",
]


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, path_type=Path))
@click.option("--preset", "presets", multiple=True, type=click.Choice(list(ITERATIONS)), help="May be given several times; all by default.")
@click.option("--iterations", type=click.IntRange(1), help="Measured iterations of each preset; by default " + str(ITERATIONS)[1:-1] + ".")
@click.option("--threads", default=0, help="CPU threads; by default as many as are fastest.")
@click.option("--precision", default="auto", show_default=True, help="Of our networks: auto, float32 or bfloat16.")
@click.option("--nanogpt", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A checkout of karpathy/nanoGPT.")
@click.option(
    "--cache", type=click.Path(path_type=Path), envvar="PAZNJA_CACHE", help="The folder for prepared books; the user's by default."
)
def main(
    books: Path,
    presets: tuple[str, ...],
    iterations: int | None,
    threads: int,
    precision: str,
    nanogpt: Path | None,
    cache: Path | None,
) -> None:
    from paznja.preparing import prepare

    about = machine()
    prepared = prepare([books], cache=cache)
    rows: list[list[str]] = []
    beside: list[list[str]] = []
    conditions, blog = "", None
    for preset in presets or tuple(ITERATIONS):
        asked = (preset, prepared.folder)
        with tempfile.TemporaryDirectory() as folder, Worker(Training, *asked, Path(folder), threads, precision, nanogpt) as worker:
            measured = worker.call("measure", iterations or ITERATIONS[preset])
        conditions = measured["conditions"]
        rows.append(row(preset, measured))
        if measured["peer"]:
            best = measured["together"] or measured["whole"]
            times = [time_of(median(seconds)) for seconds in (best, measured["peer"])]
            beside.append([preset, *times, f"{median_ratio(measured['peer'], best):.2f}"])
        if preset == "blog":
            blog = median(measured["together"] or measured["whole"])
    print(f"## Training\n\n{about} {conditions}; medians.\n")
    print(table(HEADER, rows))
    if beside:
        print("\nBeside nanoGPT at the same shape, on the same batches, taking turns:\n")
        print(table(["preset", "time an iteration", "nanoGPT's", "times nanoGPT's characters/s"], beside))
    if blog is not None:
        print(f"\n{BLOG_ITERATIONS:,} iterations of `blog` take {BLOG_ITERATIONS * blog / 86400:.1f} days of this machine.")


if __name__ == "__main__":
    main()
