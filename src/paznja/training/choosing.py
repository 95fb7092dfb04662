"""The settings that were left open: what is picked for the books, the time and the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import torch

from paznja.config import DEFAULT_PROMPTS, Settings, Stretch, TrainingConfig
from paznja.cores import memory_left, num_cores
from paznja.generation import fit_prompt
from paznja.machine import resolve
from paznja.prepared import Prepared
from paznja.run.layout import TOKENIZER
from paznja.tokenizers import load_tokenizer
from paznja.training.batches import check_enough
from paznja.training.dial import Chosen, choose
from paznja.training.estimate import memory_needed
from paznja.training.failures import out_of_memory
from paznja.training.pace import measure_pace
from paznja.training.sharing_out import share_out, world_of
from paznja.world.starting import Started

if TYPE_CHECKING:
    from paznja.world.distributed import Launched

_ROOM = 0.8
"""The share of the free memory that a training may take before its batch is cut into parts."""

_HOPELESS = 2
"""A training is refused if the estimate, which is rough, is more than this many times the machine's memory."""


def complete(
    settings: Settings, stretch: Stretch, prepared: Prepared, started: Started | Launched
) -> tuple[Settings, Stretch, list[str], Chosen | None]:
    """Pick the settings that were left open; returns them, the stretch, remarks on the prompts, and what the dial chose for its minutes.

    `started`: the processes that can train together with this one.
    """
    tokenizer = load_tokenizer(prepared.folder / TOKENIZER, settings.tokenizer)
    prompts = settings.sampling.prompts or (DEFAULT_PROMPTS.get(prepared.script, DEFAULT_PROMPTS["latin"]),)
    fitted = [fit_prompt(prompt, prepared.script, tokenizer) for prompt in prompts]
    complete = replace(
        settings,
        model=replace(settings.model, vocabulary=tokenizer.size),
        training=resolve(_with_threads(settings.training, started), settings.model),
        sampling=replace(settings.sampling, prompts=tuple(prompt for prompt, _ in fitted)),
    )
    check_enough(sum(book.tokens for book in prepared.books if not book.held_out), settings.model.context)
    complete = share_out(complete, started)
    chosen = _dialled(complete, stretch, prepared, started)
    if chosen is not None:
        complete, stretch = chosen.settings, replace(stretch, iterations=chosen.iterations)
    complete = _in_parts(complete)
    _check_memory(complete)
    return complete, stretch, [remark for _, remarks in fitted for remark in remarks], chosen


def _with_threads(config: TrainingConfig, started: Started | Launched) -> TrainingConfig:
    """Where several processes may share the cores, one alone is compared with them, with as many threads as there are cores."""
    return config if config.threads or started.size == 1 else replace(config, threads=num_cores())


def _dialled(settings: Settings, stretch: Stretch, prepared: Prepared, started: Started | Launched) -> Chosen | None:
    """For the preset "auto", some minutes and a CPU: the network that learns most in that time."""
    seconds = stretch.seconds
    if settings.preset != "auto" or seconds is None or settings.training.device != "cpu":
        return None
    return choose(settings, seconds, measure_pace(settings, world_of(settings, started)), prepared.training_characters)


def _in_parts(settings: Settings) -> Settings:
    """The same settings with the batch cut into as few parts as fit into the memory that is free, if nobody asked for a number."""
    config = settings.training
    if config.accumulate:
        return settings
    room = torch.cuda.mem_get_info()[0] if config.device == "cuda" else memory_left()
    most = max(1, config.batch // max(1, config.processes))
    for power in range(most.bit_length()):
        settings = replace(settings, training=replace(config, accumulate=2**power))
        if memory_needed(settings) <= _ROOM * room:
            break
    return settings


def _check_memory(settings: Settings) -> None:
    """Raise TrainingFailed if this machine has far too little memory: training would swap, or be killed without a message."""
    there = psutil.virtual_memory().total + psutil.swap_memory().total
    if settings.training.device != "cuda" and memory_needed(settings) > _HOPELESS * there:
        raise out_of_memory(settings)
