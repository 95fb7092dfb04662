"""What is announced before the first iteration: how much memory training will take, how fast it will be, how far the minutes will go.

Measured on this machine in a second or two; `benchmarks/announced.py` compares it with what really happens.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from paznja.config import Settings
from paznja.machine import matmul_peak, set_threads, training_memory
from paznja.run import Run
from paznja.tokenizers import Tokenizer
from paznja.training.dial import LEARNING_SHARE
from paznja.training.pace import seconds_of_iteration
from paznja.world import World
from paznja.world.starting import PROCESS_BYTES

USUAL_SHARE = 0.5
"""The share of the matrix product's peak that an iteration usually reaches (`benchmarks/training.py`)."""

_WORTH_MEASURING = 1.0  # seconds; slower iterations are not tried beforehand

COUNTED_BYTES = 32
"""Bytes per token of the training books in a counted memory and in what learning and scoring make of it."""

COUNTED_SLOWER = 1.1
"""How many times as long an iteration takes with a counted memory as with a learned one."""

COUNTED_TIMES = 3.0
"""All work on the books outside the iterations takes this many times as long as counting them once."""

_SAMPLE_TOKENS = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """What to expect of a training that is about to begin."""

    memory_bytes: int
    """Memory of the whole process at its largest."""
    seconds_per_iteration: float
    counting_seconds: float
    """Seconds of a budget of minutes that a counted memory takes."""
    matmul_peak: float
    """Floating-point operations per second of a matrix product on this machine."""

    def iterations(self, minutes: float) -> float:
        """About how many iterations fit into this many minutes, including sampling, scoring and saving."""
        return max(1.0, (LEARNING_SHARE * 60 * minutes - self.counting_seconds) / self.seconds_per_iteration)


def estimate(settings: Settings, run: Run, tokenizer: Tokenizer, world: World, file: Path | None = None) -> Estimate:
    """What to expect of complete settings; times a few iterations, a matrix product and, for a counted memory, some counting.

    `file`: with the books' ids, if the run does not keep it.
    """
    model, training = settings.model, settings.training
    set_threads(training.threads)
    before = psutil.Process().memory_info().rss
    peak = world.size * matmul_peak(training.device)
    seconds = model.operations() * training.batch * model.context / (USUAL_SHARE * peak)
    if training.device == "cpu" and seconds < _WORTH_MEASURING:
        seconds = seconds_of_iteration(settings, world)
    counting, counted_bytes = 0.0, 0
    if model.memory == "counted":
        ids = run.training_ids(file)
        seconds *= COUNTED_SLOWER
        counting = COUNTED_TIMES * len(ids) * _seconds_to_count_a_token(ids[:_SAMPLE_TOKENS], tokenizer, training.threads * world.size)
        counted_bytes = COUNTED_BYTES * len(ids)
    return Estimate(before + counted_bytes + memory_needed(settings), seconds, counting, peak)


def memory_needed(settings: Settings) -> int:
    """About how many bytes the network and its training will take, beyond the program itself."""
    model, training = settings.model, settings.training
    # Every process has its part of the batch, and goes through that in so many parts again.
    batch = -(-training.batch // max(1, training.accumulate))
    table = model.num_table_parameters()
    parameters = model.num_parameters() - table
    processes = max(1, settings.training.processes)
    needed = training_memory(parameters, batch, model.context, model.width, model.hidden, model.layers, model.vocabulary, table)
    needed += 2 * 8 * training.batch * model.context  # every process has the ids of the whole batch
    return needed + (processes - 1) * (PROCESS_BYTES + 8 * parameters)


def _seconds_to_count_a_token(sample: NDArray[np.uint16], tokenizer: Tokenizer, threads: int) -> float:
    from paznja.memory.contexts import Lettering
    from paznja.memory.counted import CountedMemory

    lettering = Lettering.of(tokenizer)
    CountedMemory.count(sample[:1000], lettering, threads=threads)  # compiles what is not compiled yet
    start = time.perf_counter()
    CountedMemory.count(sample, lettering, threads=threads)
    return (time.perf_counter() - start) / len(sample)
