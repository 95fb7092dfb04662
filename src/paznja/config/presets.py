"""The presets: good combinations of settings, by name."""

from __future__ import annotations

import difflib

from paznja.config.sections import ModelConfig, SamplingConfig, Settings, TrainingConfig
from paznja.errors import WrongUse

PRESETS: dict[str, Settings] = {
    "auto": Settings("auto", model=ModelConfig(memory="learned")),
    "pocket": Settings("pocket"),
    "blog": Settings(
        "blog",
        model=ModelConfig(layers=10, width=768, heads=12, hidden=2048, context=64),
        training=TrainingConfig(batch=64, optimizer="adamw", learning_rate=6e-4, weight_decay=0.1, warm_up=100, decay=0.9),
    ),
    "medium": Settings(
        "medium",
        model=ModelConfig(layers=12, width=768, heads=12, hidden=2048, context=1024),
        training=TrainingConfig(batch=64, learning_rate=0.01, warm_up=100),
    ),
    "large": Settings(
        "large",
        model=ModelConfig(layers=24, width=1024, heads=16, hidden=2752, context=1024),
        training=TrainingConfig(batch=128, learning_rate=0.01, warm_up=100),
    ),
    "tiny": Settings(
        "tiny",
        model=ModelConfig(layers=2, width=32, heads=2, hidden=96, context=32, memory_rows=2**13, memory_width=8),
        training=TrainingConfig(batch=16, threads=1),  # its matrices are too small for more threads
        sampling=SamplingConfig(length=60, num_between=20),
    ),
}
"""auto: the default. blog: the run of 2023, about 70 million parameters. tiny: learns a little in seconds, for tests."""

PRESET_HELP = {
    "auto": "the default: chooses the network that learns most from these books, in this time, on this machine",
    "pocket": "4 layers of width 128: learns words in minutes on two CPU cores",
    "blog": "the run of 2023: 10 layers, width 768, about 70 million parameters, context 64; days on a CPU",
    "medium": "for a GPU, and tried on none yet: 12 layers of width 768, about 85 million parameters, context 1024",
    "large": "for several GPUs, and tried on none yet: 24 layers of width 1024, about 300 million parameters, context 1024",
    "tiny": "a toy that ends in seconds, for trying things out",
}


def preset(name: str) -> Settings:
    """The preset of this name; WrongUse, suggesting the nearest name, if there is none."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise WrongUse(f"There is no preset {name!r}.{hint} The presets are: {', '.join(PRESETS)}.")
