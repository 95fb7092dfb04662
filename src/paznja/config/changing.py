"""Other settings out of given ones: what a person asks for, what is picked, what follows from it, and whether it can be."""

from __future__ import annotations

import difflib
import math
import os
from dataclasses import replace
from typing import Any

from paznja.config.sections import SECTIONS, SETTINGS, Settings
from paznja.config.setting import of_kind, settings_of
from paznja.errors import WrongUse


def customise(settings: Settings, **changes: Any) -> Settings:
    """`adjust`, for settings that a person asks for: from then on they are not picked automatically."""
    asked = {name for name, value in _chosen(changes).items() if SETTINGS[name].asks(value)}
    preset = "own" if settings.preset == "auto" and {"layers", "width"} & asked else settings.preset
    return replace(adjust(settings, **changes), preset=preset, asked=tuple(sorted({*settings.asked, *asked})))


def adjust(settings: Settings, **changes: Any) -> Settings:
    """The same settings with these changed, in every section that has one of this name (`seed`: in two); None leaves one as it is.

    WrongUse for a value that makes no sense.
    """
    chosen = _chosen(changes)
    values = {**_what_follows(settings, chosen), **chosen}
    sections: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        own = {known.name: values[known.name] for known in settings_of(kind) if known.name in values}
        sections[name] = replace(getattr(settings, name), **own)
    changed = replace(settings, **sections)
    _check(changed)
    return changed


def _chosen(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes that are not None, of the kinds that their settings have."""
    return {name: _of_its_kind(name, value) for name, value in changes.items() if value is not None}


def _of_its_kind(name: str, value: Any) -> Any:
    if name not in SETTINGS:
        near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.5)
        raise WrongUse(f"There is no setting {name!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
    try:
        return of_kind(value, SETTINGS[name].kind)
    except TypeError:
        raise WrongUse(f"{name} = {value!r} is not of the right kind for this setting.") from None


def _what_follows(settings: Settings, chosen: dict[str, Any]) -> dict[str, Any]:
    """What else changes with the chosen settings; what is chosen itself goes before it."""
    model, training = settings.model, settings.training
    follows: dict[str, Any] = {}
    if "width" in chosen:
        width = chosen["width"]
        follows["heads"] = max(1, width // model.head_width)
        follows["hidden"] = (width * 8 // 3 + 31) // 32 * 32
        follows["memory_width"] = math.gcd(width, model.memory_width)
    if "learning_rate" in chosen:
        ratio = chosen["learning_rate"] / training.learning_rate
        follows["matrix_learning_rate"] = training.matrix_learning_rate * ratio
        follows["memory_learning_rate"] = training.memory_learning_rate * ratio
    elif chosen.get("memory") == "counted" != model.memory:
        # A network with a counted memory only corrects it: AdamW's usual learning rate is too high for the weights that read it.
        follows["learning_rate"] = training.learning_rate / 3
        follows["memory_learning_rate"] = training.memory_learning_rate * (follows["learning_rate"] / training.learning_rate)
    return follows


def _check(settings: Settings) -> None:
    for name, kind in SECTIONS.items():
        for known in settings_of(kind):
            known.check(getattr(getattr(settings, name), known.name))
    _check_together(settings)


def _check_together(settings: Settings) -> None:
    """What concerns several settings, or the machine."""
    model, training = settings.model, settings.training
    if model.width % model.heads or model.head_width % 2:
        raise WrongUse(f"A width of {model.width} cannot be divided among {model.heads} heads of an even width; try a multiple of 64.")
    if model.memory == "learned" and model.width % model.memory_width:
        raise WrongUse(f"Rows of {model.memory_width} numbers do not fill a width of {model.width}: memory_width must divide it.")
    if model.memory == "counted" and training.compiled:
        raise WrongUse("--compile cannot be combined with --memory counted: leave one of them out.")
    if training.threads > (cores := os.cpu_count() or 1):
        raise WrongUse(f"--threads can be at most {cores} on this machine, which has no more cores, and {training.threads} is more.")
    if not all(settings.sampling.prompts):
        raise WrongUse("The prompt is empty: give the model at least one character to go on from.")
