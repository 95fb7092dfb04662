"""How fast this machine trains right now: a few iterations of two small networks are timed, in a second or two."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

from paznja.config import ModelConfig, Settings, adjust
from paznja.machine import PRECISIONS, set_threads

PROBES = ((2, 128), (4, 192))
"""Layers and width of the networks that are timed."""

_ITERATIONS = 3


@dataclass(frozen=True)
class Pace:
    """An iteration takes `positions * (operations * seconds_per_operation + seconds_per_position)` seconds."""

    seconds_per_operation: float
    seconds_per_position: float

    def seconds(self, model: ModelConfig, positions: int) -> float:
        """How long an iteration over this many positions takes."""
        return positions * (model.operations() * self.seconds_per_operation + self.seconds_per_position)


def measure_pace(settings: Settings) -> Pace:
    """Time the probes with the batch, context, precision and threads of these settings, which must be complete, with the vocabulary.

    Here a learned memory stands for a counted one: using it takes about as long, and nothing has to be counted.
    """
    set_threads(settings.training.threads)
    positions = settings.training.batch * settings.model.context
    points: list[tuple[float, float]] = []
    for layers, width in PROBES:
        memory = "none" if settings.model.memory == "none" else "learned"
        probe = adjust(settings, layers=layers, width=width, memory=memory)
        points.append((float(probe.model.operations()), _seconds(probe) / positions))
    (few, short), (many, long) = points
    slope = max((long - short) / (many - few), 0.1 * long / many)  # on a busy machine the smaller network may be the slower one
    return Pace(slope, max(0.0, short - few * slope))


def seconds_of_iteration(settings: Settings) -> float:
    """How long an iteration of the very network that will be trained takes right now, without what a counted memory adds."""
    if settings.model.memory != "counted":
        return _seconds(settings)
    # A resumed run may have more threads than are allowed here, which `adjust` would refuse.
    unchecked = replace(settings, training=replace(settings.training, threads=0))
    return _seconds(adjust(unchecked, memory="learned"))


def _seconds(settings: Settings) -> float:
    """The seconds of the fastest of a few iterations (forward, backward and step), after one to warm up."""
    from paznja.training.learner import blank
    from paznja.training.optimizers import Optimizers

    config = settings.training
    model = blank(settings.model, config.seed)
    optimizers = Optimizers(model, config)
    generator = torch.Generator().manual_seed(config.seed)
    ids = torch.randint(settings.model.vocabulary, (config.batch, settings.model.context + 1), generator=generator)
    precision = PRECISIONS[config.precision]
    times: list[float] = []
    for _ in range(1 + _ITERATIONS):
        start = time.perf_counter()
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            loss = model(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizers.step(1.0)
        times.append(time.perf_counter() - start)
    return min(times[1:])
