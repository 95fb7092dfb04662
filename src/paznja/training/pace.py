"""How fast this machine trains right now: a few iterations of two small networks are timed, in a second or two."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

from paznja.config import ModelConfig, Settings, adjust
from paznja.training.batches import Batch
from paznja.world import World

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


def measure_pace(settings: Settings, world: World) -> Pace:
    """Time the probes with the batch, context, precision and threads of these settings, which must be complete, with the vocabulary.

    Here a learned memory stands for a counted one: using it takes about as long, and nothing has to be counted.
    """
    positions = settings.training.batch * settings.model.context
    points: list[tuple[float, float]] = []
    for layers, width in PROBES:
        memory = "none" if settings.model.memory == "none" else "learned"
        probe = adjust(settings, layers=layers, width=width, memory=memory)
        points.append((float(probe.model.operations()), seconds_of_probe(probe, world) / positions))
    (few, short), (many, long) = points
    slope = max((long - short) / (many - few), 0.1 * long / many)  # on a busy machine the smaller network may be the slower one
    return Pace(slope, max(0.0, short - few * slope))


def seconds_of_iteration(settings: Settings, world: World) -> float:
    """How long an iteration of the very network that will be trained takes right now, without what a counted memory adds."""
    if settings.model.memory != "counted":
        return seconds_of_probe(settings, world)
    # A resumed run may have more threads than are allowed here, which `adjust` would refuse.
    unchecked = replace(settings, training=replace(settings.training, threads=0))
    learned = adjust(unchecked, memory="learned")
    return seconds_of_probe(replace(learned, training=replace(learned.training, threads=settings.training.threads)), world)


def seconds_of_probe(settings: Settings, world: World) -> float:
    """The seconds of the fastest of a few iterations, after one to warm up, by all processes together."""
    world.tell({"do": "time", "settings": settings.to_dict(), "iterations": 1 + _ITERATIONS})
    return min(take_part_in_timing(world, settings, 1 + _ITERATIONS)[1:])


def take_part_in_timing(world: World, settings: Settings, iterations: int) -> list[float]:
    """Every process's part of `seconds_of_probe`: returns the seconds of each iteration."""
    from paznja.training.learner import Learner

    config = replace(settings.training, compiled=False)
    learner = Learner(settings.model, config, world=world)
    generator = torch.Generator().manual_seed(config.seed)
    ids = torch.randint(settings.model.vocabulary, (config.batch, settings.model.context + 1), generator=generator)
    times: list[float] = []
    for _ in range(iterations):
        start = time.perf_counter()
        learner.learn(Batch(ids[:, :-1], ids[:, 1:]), 1.0, world.size)
        times.append(time.perf_counter() - start)
    return times
