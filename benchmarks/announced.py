"""What is announced before the first iteration, compared with what then happens: memory and iterations.

    python benchmarks/announced.py BOOKS [--memories learned,counted] [--minutes 0.5,2,10]

Every memory with every number of minutes is a separate run, in a fresh process, with the default network. The ratios are done to
announced; memory is the most that the process and those it started had at once, what they share counted once. The machine should be quiet.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from common import in_fresh_process, machine, megabytes, table


def train_once(books: str, memory: str, minutes: float, folder: str, cache: str | None) -> dict[str, Any]:
    """One run, in a process of its own, and what was announced for it."""
    import paznja
    from paznja.training.plan import Planned

    plans: list[Planned] = []

    def on_event(event: object) -> None:
        if isinstance(event, Planned):
            plans.append(event)

    run = paznja.train(books, minutes=minutes, memory=memory, out=folder, cache=cache, on_event=on_event)
    position = run.run.checkpoint()
    assert position is not None
    assert plans[0].iterations is not None
    return {
        "announced": plans[0].iterations,
        "done": position.iteration,
        "announced_memory": plans[0].memory_bytes,
        "shape": f"{plans[0].settings.model.layers} x {plans[0].settings.model.width}",
        "scoring": position.parts["evaluator"]["scoring_seconds"] / position.seconds,
    }


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, path_type=Path))
@click.option("--memories", default="learned,counted", show_default=True)
@click.option("--minutes", default="0.5,2,10", show_default=True)
@click.option(
    "--cache", type=click.Path(path_type=Path), envvar="PAZNJA_CACHE", help="The folder for prepared books; the user's by default."
)
def main(books: Path, memories: str, minutes: str, cache: Path | None) -> None:
    print(f"## Announced and done\n\n{machine()}\n")
    rows: list[list[str]] = []
    for memory in memories.split(","):
        for number in map(float, minutes.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                measured, peak = in_fresh_process(train_once, str(books), memory, number, folder, None if cache is None else str(cache))
            rows.append(
                [
                    memory,
                    f"{number:g}",
                    measured["shape"],
                    f"{measured['announced']:,}",
                    f"{measured['done']:,}",
                    f"{measured['done'] / measured['announced']:.2f}",
                    megabytes(measured["announced_memory"]),
                    megabytes(peak),
                    f"{peak / measured['announced_memory']:.2f}",
                    f"{measured['scoring']:.0%}",
                ]
            )
            print(f"{memory}, {number:g} minutes: done", file=sys.stderr)
    header = ["memory", "minutes", "network", "iterations announced", "done", "ratio", "memory announced", "peak", "ratio"]
    print(table([*header, "scoring at the rows"], rows))


if __name__ == "__main__":
    main()
