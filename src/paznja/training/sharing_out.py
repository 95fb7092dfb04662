"""How many processes train together, with how many threads each: what measures best on this machine, right now.

Torch is imported only after the processes are started, which load it at the same time as this one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paznja.config import Settings, TrainingConfig, adjust
from paznja.cores import memory_left, num_cores
from paznja.errors import TrainingFailed, WrongUse
from paznja.training.workers import Workers
from paznja.world import World
from paznja.world.launching import is_launched
from paznja.world.starting import PROCESS_BYTES, Started, can_share

if TYPE_CHECKING:
    from paznja.world.distributed import Launched

FOLLOWER = "paznja.training.follower"
"""The module that the other processes run."""

_PROBE_LAYERS, _WIDEST_PROBE = 2, 256

_GAIN = 0.9
"""One process alone must take less than this share of the time to be picked."""

_MEMORY_SHARE = 0.5
"""The share of the memory that is available which other processes may take before they have learnt anything."""


def start(config: TrainingConfig) -> Started | Launched:
    """Start as many processes as may be of use beside this one: as many as were asked for, or one a core.

    Those that torchrun has started are joined instead.
    """
    if is_launched():
        from paznja.world.distributed import Launched

        return Launched(config.network_seconds)
    return Started(_num_of_use(config), FOLLOWER)


def _num_of_use(config: TrainingConfig) -> int:
    if not _may_be_several(config):
        return 1
    if config.processes:
        return config.processes
    if config.threads:
        return 1
    room = int(_MEMORY_SHARE * memory_left() / PROCESS_BYTES)
    return max(1, min(num_cores(), config.batch, 1 + room))


def _may_be_several(config: TrainingConfig) -> bool:
    return can_share() and config.device in ("auto", "cpu") and not config.compiled


def to_go_on(settings: Settings, processes: int | None, started: Started | Launched) -> Settings:
    """The settings of a run that goes on: with as many processes as it had, unless another number is asked for.

    A run that comes from a machine with more cores has one process a core here. WrongUse if what is asked for cannot be.
    """
    config = settings.training
    if not isinstance(started, Started):
        return share_out(settings, started)
    if processes is not None:
        _check_asked(processes, started)
    before = config.processes or 1  # earlier versions had only one
    asked = processes is not None or not settings.is_open("processes")
    number = min(processes or before, started.size if asked else min(started.size, num_cores()))
    return _with(settings, number, config.threads if number == before else _threads(settings, number))


def world_of(settings: Settings, started: Started | Launched) -> World:
    """The world for these settings."""
    return started.world(max(1, settings.training.processes), settings.training.device)


def share_out(settings: Settings, started: Started | Launched) -> Settings:
    """The same settings with the number of processes picked, if it was left open, and the threads of each.

    WrongUse if a number is asked for that cannot be.
    """
    config = settings.training
    if not isinstance(started, Started):
        return _with(settings, started.size, started.threads if settings.is_open("threads") else config.threads)
    if config.processes:
        _check_asked(config.processes, started)
        return _with(settings, config.processes, config.threads if config.processes == 1 else _threads(settings, config.processes))
    if started.size == 1 or config.device != "cpu":
        return _with(settings, 1, config.threads)
    try:
        return _fastest(settings, started)
    except TrainingFailed:  # one of the others has ended, and nobody has asked for it
        started.keep(1)
        return _with(settings, 1, config.threads)


def workers_of(settings: Settings, world: World) -> Workers | None:
    """Whose number is reconsidered during training: the processes, or the threads of one. None if somebody asked for a number."""
    from paznja.machine import thread_candidates

    if world.size == 1:
        return Workers(settings.training.threads, thread_candidates()) if settings.is_open("threads") else None
    if not world.shares_memory or not settings.is_open("processes"):
        return None
    # One busy program needs one core: where there are many, all but one may be best.
    return Workers(world.size, (world.size - 1, world.size // 2, 1))


def _fastest(settings: Settings, started: Started) -> Settings:
    """Try a process a core, half as many as long as that is faster, and one alone."""
    from paznja.training.pace import seconds_of_probe

    probe = adjust(settings, layers=_PROBE_LAYERS, width=min(settings.model.width, _WIDEST_PROBE))
    if probe.model.memory == "counted":
        probe = adjust(probe, memory="learned")

    def seconds(number: int) -> float:
        shared = _with(probe, number, _threads(settings, number))
        return seconds_of_probe(shared, world_of(shared, started))

    number, least = started.size, seconds(started.size)
    while number > 2 and (fewer := seconds(number // 2)) < least:
        number, least = number // 2, fewer
    if seconds(1) < _GAIN * least:
        number = 1
    return _with(settings, number, _threads(settings, number))


def _check_asked(processes: int, started: Started) -> None:
    if processes > started.size:
        raise WrongUse(
            f"{processes} processes cannot train together here (--processes): that needs Linux or macOS, a CPU, and no --compile. "
            "Leave it out; for GPUs start them with torchrun."
        )


def _threads(settings: Settings, processes: int) -> int:
    """How many threads each has: as many as were asked for, or its share of the cores."""
    return settings.training.threads if not settings.is_open("threads") else max(1, num_cores() // processes)


def _with(settings: Settings, processes: int, threads: int) -> Settings:
    return replace(settings, training=replace(settings.training, processes=processes, threads=threads))
