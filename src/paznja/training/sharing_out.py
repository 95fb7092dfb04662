"""How many processes train together, with how many threads each: what measures best on this machine, right now.

Torch is imported only after the processes are started, which load it at the same time as this one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psutil

from paznja.config import Settings, TrainingConfig, adjust
from paznja.cores import num_cores
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
    if not can_share() or config.device not in ("auto", "cpu") or config.compiled:
        return 1
    if config.processes:
        return config.processes
    if config.threads:
        return 1
    room = int(_MEMORY_SHARE * psutil.virtual_memory().available / PROCESS_BYTES)
    return max(1, min(num_cores(), config.batch, 1 + room))


def to_go_on(settings: Settings, processes: int | None, started: Started | Launched) -> Settings:
    """The settings of a run that goes on: with as many processes as it had, unless another number is asked for."""
    config = settings.training
    if not isinstance(started, Started):
        return share_out(settings, started)
    if processes and processes != config.processes:
        return _with(settings, started.size, max(1, num_cores() // processes))
    return _with(settings, config.processes or 1, config.threads)  # earlier versions had only one


def world_of(settings: Settings, started: Started | Launched) -> World:
    """The world for these settings."""
    return started.world(max(1, settings.training.processes), settings.training.device)


def share_out(settings: Settings, started: Started | Launched) -> Settings:
    """The same settings with the number of processes picked, if it was left open, and the threads of each."""
    from paznja.training.pace import seconds_of_probe

    config = settings.training
    if not isinstance(started, Started):
        return _with(settings, started.size, started.threads if settings.is_open("threads") else config.threads)
    if started.size == 1 or config.device != "cpu":
        return _with(settings, 1, config.threads)
    if config.processes:
        asked = config.threads if not settings.is_open("threads") else max(1, num_cores() // config.processes)
        return _with(settings, config.processes, asked)
    probe = adjust(settings, layers=_PROBE_LAYERS, width=min(settings.model.width, _WIDEST_PROBE))
    if probe.model.memory == "counted":
        probe = adjust(probe, memory="learned")
    seconds: dict[tuple[int, int], float] = {}
    for processes in sorted({started.size, (started.size + 1) // 2, 1}, reverse=True):
        threads = config.threads if processes == 1 else max(1, num_cores() // processes)
        shared = _with(probe, processes, threads)
        seconds[processes, threads] = seconds_of_probe(shared, world_of(shared, started)) * (1.0 if processes == 1 else _GAIN)
    return _with(settings, *min(seconds, key=lambda shared: seconds[shared]))


def _with(settings: Settings, processes: int, threads: int) -> Settings:
    return replace(settings, training=replace(settings.training, processes=processes, threads=threads))
