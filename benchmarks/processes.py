"""One process with all threads, and a process a core: how fast the networks of the dial learn either way, alone and beside busy programs.

    python benchmarks/processes.py [--shapes 2x128,4x128,4x192,6x256] [--precisions bfloat16,float32] [--programs 0,2] [--rounds 5]

Every network, with a learned memory, learns from random ids: no books, sampling, scoring or saving. The ways take turns in every round,
each measurement in fresh processes. The table gives the medians of the rounds in characters a second, and the median of the rounds'
ratios to one process.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from statistics import median

import click
from common import count_of, in_fresh_process_with, machine, median_ratio, table, take_turns

WAYS = ("one process", "a process a core")

_WARMING_UP = 3  # iterations

_BUSY = "while True: pass"


def characters_a_second(way: str, layers: int, width: int, batch: int, precision: str, seconds: float) -> float:
    """The speed of fresh processes that learn in this way."""
    from dataclasses import replace

    from paznja.config import adjust, preset
    from paznja.cores import num_cores
    from paznja.openmp import wait_briefly
    from paznja.training.sharing_out import FOLLOWER
    from paznja.world.starting import Started

    wait_briefly()
    processes = 1 if way == WAYS[0] else num_cores()
    settings = adjust(preset("auto"), layers=layers, width=width, batch=batch, device="cpu", precision=precision)
    training = replace(settings.training, processes=processes, threads=num_cores() // processes)
    settings = replace(settings, model=replace(settings.model, vocabulary=140), training=training)
    with Started(processes, FOLLOWER) as started:
        from paznja.training.pace import take_part_in_timing

        world = started.world(processes)

        def times(iterations: int) -> list[float]:
            world.tell({"do": "time", "settings": settings.to_dict(), "iterations": iterations})
            return take_part_in_timing(world, settings, iterations)[_WARMING_UP:]

        enough = max(3, round(seconds / min(times(_WARMING_UP + 2))))
        return batch * settings.model.context / median(times(_WARMING_UP + enough))


@click.command(help=__doc__)
@click.option("--shapes", default="2x128,4x128,4x192,6x256", show_default=True, help="Layers and width of the networks.")
@click.option("--precisions", default="bfloat16,float32", show_default=True)
@click.option("--batch", default=16, show_default=True, help="Windows in an iteration.")
@click.option("--programs", default="0,2", show_default=True, help="How many busy programs there are beside it.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=3.0, show_default=True, help="Of learning, in each measurement.")
def main(shapes: str, precisions: str, batch: int, programs: str, rounds: int, seconds: float) -> None:
    print(f"## One process, and a process a core\n\n{machine()} Batches of {batch}; medians of {rounds} rounds.\n")
    rows: list[list[str]] = []
    for number in map(int, programs.split(",")):
        busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(number)]
        try:
            for precision in precisions.split(","):
                for shape in shapes.split(","):
                    layers, width = map(int, shape.split("x"))
                    given = (layers, width, batch, precision, seconds)
                    contenders = {way: partial(in_fresh_process_with, {}, characters_a_second, way, *given) for way in WAYS}
                    one, several = take_turns(contenders, rounds).values()
                    speeds = [count_of(median(one)), count_of(median(several))]
                    rows.append([f"{layers} x {width}, {precision}", str(number), *speeds, f"{median_ratio(several, one):.2f}"])
        finally:
            for process in busy:
                process.kill()
                process.wait()
    print(table(["network", "busy programs", *WAYS, "ratio"], rows))


if __name__ == "__main__":
    main()
