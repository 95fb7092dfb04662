"""How fast this machine trains right now: two small networks of which a few iterations are timed, in a second or two."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from paznja.config import ModelConfig, Settings, adjust
from paznja.training.machine import PRECISIONS, set_threads

PROBES = ((2, 128), (4, 192))
"""Layers and width of the networks that are timed."""

_ITERATIONS = 3


@dataclass(frozen=True)
class Pace:
    """An iteration's seconds are `operations * seconds_per_operation + positions * seconds_per_position`."""

    seconds_per_operation: float
    seconds_per_position: float

    def seconds(self, model: ModelConfig, positions: int) -> float:
        """Of an iteration over so many positions."""
        return positions * (model.operations() * self.seconds_per_operation + self.seconds_per_position)


def measure_pace(settings: Settings) -> Pace:
    """Time the probes with these settings' batch, context, precision and threads; the settings are complete, the vocabulary known.

    Asking a counted memory takes about as long as looking into a learned one, which stands for it here: nothing has to be counted.
    """
    set_threads(settings.training.threads)
    positions = settings.training.batch * settings.model.context
    points: list[tuple[float, float]] = []
    for layers, width in PROBES:
        memory = "none" if settings.model.memory == "none" else "learned"
        probe = adjust(settings, layers=layers, width=width, memory=memory)
        points.append((float(probe.model.operations()), _seconds(probe) / positions))
    (few, short), (many, long) = points
    slope = max((long - short) / (many - few), 0.1 * long / many)  # on a busy machine the smaller one may be the slower
    return Pace(slope, max(0.0, short - few * slope))


def seconds_of_iteration(settings: Settings) -> float:
    """Of the very network that will be trained, right now; what a counted memory adds is left out."""
    memory = "none" if settings.model.memory == "none" else "learned"
    return _seconds(settings if settings.model.memory == memory else adjust(settings, memory=memory))


def _seconds(settings: Settings) -> float:
    """Of the fastest of a few iterations, forward, backward and step; a first one warms up."""
    from paznja.training.checkpoint import blank
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
