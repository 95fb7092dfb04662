"""Every setting there is, as small frozen values, and the presets that name good combinations of them.

Settings are made once (from the command line or the Python API), completed by what is picked automatically, written to
`run.toml`, and passed down; nothing else decides what a run does.
"""

from paznja.config.changing import adjust, customise
from paznja.config.presets import PRESET_HELP, PRESETS, preset
from paznja.config.sections import (
    DEFAULT_PROMPTS,
    MAX_LENGTH,
    MAX_SEED,
    MEMORIES,
    OPTIMIZERS,
    SCORINGS,
    SCRIPTS,
    ModelConfig,
    ReadingConfig,
    SamplingConfig,
    Settings,
    TrainingConfig,
)
from paznja.config.stretch import DEFAULT_MINUTES, Stretch, new_stretch

__all__ = [
    "DEFAULT_MINUTES",
    "DEFAULT_PROMPTS",
    "MAX_LENGTH",
    "MAX_SEED",
    "MEMORIES",
    "OPTIMIZERS",
    "PRESETS",
    "PRESET_HELP",
    "SCORINGS",
    "SCRIPTS",
    "ModelConfig",
    "ReadingConfig",
    "SamplingConfig",
    "Settings",
    "Stretch",
    "TrainingConfig",
    "adjust",
    "customise",
    "new_stretch",
    "preset",
]
