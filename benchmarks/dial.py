"""What the dial `--minutes` is based on: how well networks of several sizes do after reading a given amount of text.

    python benchmarks/dial.py BOOKS [--memories learned,counted] [--shapes 2x128,4x128,4x192,6x256] [--millions 1.6,6.4]

Every shape (layers x width) is trained until it has read each of these millions of characters, in separate runs, with everything else as
the dial chooses it, and scored on the fixed part of the held-out books (every twelfth, as in `shelf.py`). `--side-by-side 2` trains two
at a time with one thread each, which hardly changes what is learnt. A run is left out if, judging by the one before, it would take longer
than `--longest` seconds.

Results go to a file, one line per run; what is there is not run again. Then `loss = E + C (A / N^a + 1 / D)^b` (Kaplan and others, 2020,
arXiv:2001.08361; N weights that are multiplied, D characters read, both in millions) is fitted to those of a million characters or more,
for each memory. At the end, the lines for `src/paznja/training/dial.py` are printed. The dial itself measures how fast a machine is
(`training/pace.py`).
"""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import every_twelfth, in_fresh_process, machine, table

Result = dict[str, Any]

FITTED_FROM = 1.0
"""In million characters: after fewer, the sizes hardly differ, and what is scored is only the counting."""

START = np.array([0.2, 0.1, 0.5])
"""Where the search for b, A and a starts: it covers a sixteenth to sixteen times of each."""


def train_once(books: str, held_out: list[str] | None, turn: Result, folder: str, threads: int) -> Result:
    """One run, in a process of its own."""
    import paznja
    from paznja.config import PRESETS
    from paznja.training.dial import batch_for, multiplied_weights
    from paznja.training.events import Progress

    times: list[float] = []

    def on_event(event: object) -> None:
        if isinstance(event, Progress):
            times.append(time.perf_counter())

    batch = batch_for(1e6 * turn["millions"])
    iterations = max(2, round(1e6 * turn["millions"] / (batch * PRESETS["auto"].model.context)))
    run = paznja.train(
        books,
        held_out=held_out,
        preset="auto",
        iterations=iterations,
        layers=turn["layers"],
        width=turn["width"],
        memory=turn["memory"],
        batch=batch,
        scoring="part",
        sample_at=[iterations],
        num_between=0,
        threads=threads,
        out=folder,
        with_corpus=False,
        on_event=on_event,
    )
    settings = run.run.settings()
    last = run.metrics[-1]
    return {
        **turn,
        "held_out": min(line["held_out"] for line in run.metrics),
        "training": last["training"],
        "characters": last["characters_seen"],
        "iterations": iterations,
        "weights": multiplied_weights(settings.model),
        "operations": settings.model.operations(),
        "positions": batch * settings.model.context,
        "precision": settings.training.precision,
        "threads": threads,
        "seconds": float(np.median(np.diff(times))),
    }


def fit_losses(results: Sequence[Result]) -> tuple[list[float], float]:
    """E, C, b, A and a of the law, with E and C above 0, and the root mean square of its errors in bits.

    The last three are searched for on a grid that narrows around the best; for each choice of them, least squares give E and C.
    """
    N, D, loss = (np.array([result[name] for result in results], float) for name in ("weights", "characters", "held_out"))
    best: tuple[float, list[float]] = (np.inf, [])
    middle, reach = np.array([0.0, 0.0, 0.0]), np.log(16)
    while reach > 1e-4:
        for steps in itertools.product(np.linspace(-reach, reach, 17), repeat=3):
            b, of_size, a = START * np.exp(middle + steps)
            columns = np.stack([np.ones_like(N), (of_size * (N / 1e6) ** -a + 1e6 / D) ** b], axis=1)
            floor, factor = np.linalg.lstsq(columns, loss, rcond=None)[0]
            missed = float(np.sqrt(np.mean((columns @ (floor, factor) - loss) ** 2)))
            if floor > 0 and factor > 0 and max(a, b) <= 1 and missed < best[0]:
                best = missed, [floor, factor, b, of_size, a]
        if not best[1]:
            raise SystemExit("no law fits these results: more runs, of more sizes and lengths, are needed")
        middle, reach = np.log(np.array(best[1][2:]) / START), reach / 4
    return [float(number) for number in best[1]], best[0]


def report(results: Sequence[Result]) -> str:
    """The table of all runs, and the fitted laws."""
    rows = [
        (
            f"{result['memory']}, {result['layers']} x {result['width']}",
            f"{result['weights'] / 1e6:.2f}",
            f"{result['characters'] / 1e6:.1f}",
            f"{result['iterations']:,} of {result['positions']:,}",
            f"{result['held_out']:.3f}",
            f"{result['training']:.3f}",
            f"{1e3 * result['seconds']:.0f}",
            f"{result['operations'] * result['positions'] / result['seconds'] / 1e9:.0f}",
        )
        for result in sorted(results, key=lambda result: (result["memory"], result["weights"], result["millions"]))
    ]
    header = (
        "memory, layers x width",
        "million weights",
        "million characters",
        "iterations of positions",
        "held out",
        "training",
        "ms an iteration",
        "GFLOP/s",
    )
    lines = [table(header, rows), ""]
    for memory in sorted({result["memory"] for result in results}):
        of_memory = [result for result in results if result["memory"] == memory and result["millions"] >= FITTED_FROM]
        if len({result["weights"] for result in of_memory}) < 3 or len({result["millions"] for result in of_memory}) < 2:
            continue
        law, missed = fit_losses(of_memory)
        numbers = ", ".join(f"{number:.4g}" for number in law)
        lines.append(f'    "{memory}": Law({numbers}),  # misses by {missed:.3f} bits')
    return "\n".join(lines)


@click.command()
@click.argument("books", type=click.Path(exists=True, path_type=Path))
@click.option("--memories", default="learned,counted", show_default=True, help="Of `--memory`, with commas between.")
@click.option("--shapes", default="2x128,4x128,4x192,6x256", show_default=True, help="Layers x width, with commas between.")
@click.option("--millions", default="1.6,6.4", show_default=True, help="Of characters, with commas between.")
@click.option("--side-by-side", default=1, show_default=True, help="So many runs at a time, with a thread each if more than 1.")
@click.option("--longest", default=900.0, show_default=True, help="Seconds that a run may take.")
@click.option("--results", type=click.Path(path_type=Path), default=Path("dial.jsonl"), show_default=True)
def main(books: Path, memories: str, shapes: str, millions: str, side_by_side: int, longest: float, results: Path) -> None:
    """Train what is missing among the results, and fit the dial's laws."""
    click.echo(machine(), err=True)
    held_out = every_twelfth(books)
    done: list[Result] = [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []
    threads = 1 if side_by_side > 1 else _cores()

    def one(memory: str, shape: str) -> None:
        layers, width = map(int, shape.split("x"))
        for number in sorted(map(float, millions.split(","))):
            turn = {"memory": memory, "layers": layers, "width": width, "millions": number}
            before = [result for result in done if all(result[name] == turn[name] for name in ("memory", "layers", "width"))]
            if any(result["millions"] == number for result in before):
                continue
            if before and before[-1]["seconds"] / before[-1]["positions"] * 1e6 * number > longest:
                click.echo(f"left out: {turn}", err=True)
                return
            with tempfile.TemporaryDirectory() as folder:
                apart = [str(path) for path in held_out] or None
                result, _ = in_fresh_process(train_once, str(books), apart, turn, folder, threads)
            done.append(result)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            click.echo(f"{memory} {shape}, {number:g} million characters: {result['held_out']:.3f}", err=True)

    with ThreadPoolExecutor(side_by_side) as workers:
        list(workers.map(one, *zip(*itertools.product(memories.split(","), shapes.split(",")), strict=True)))
    click.echo(report(done))


def _cores() -> int:
    from paznja.machine import num_cores

    return num_cores()


if __name__ == "__main__":
    main()
