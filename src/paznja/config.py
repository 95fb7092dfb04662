"""Every setting there is, as small frozen values, and the presets that name good combinations of them.

Settings are made once (from the command line or the Python API), completed by what is picked automatically, written to
`run.toml`, and passed down; nothing else decides what a run does.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import typing
from dataclasses import dataclass, field, replace
from typing import Any

from paznja.errors import RunError, WrongUse
from paznja.memory.kinds import BUCKETS, FEATURES, NUM_KINDS

DEFAULT_MINUTES = 10.0
"""The budget of a run that was given neither minutes nor iterations."""

DEFAULT_PROMPTS = {"cyrillic": "Ово је мост ", "latin": "Ovo je most "}
"""The prompt that the table continues if none is given, by the script of the books; books in another script get the Latin one."""

MAX_LENGTH = 1_000_000
"""The most characters that can be asked for: as many as a long novel has."""

MAX_SEED = 2**63 - 1
"""The largest seed that PyTorch and TOML can hold."""

OPTIMIZERS = ("muon", "adamw")
"""See `TrainingConfig.optimizer`."""

MEMORIES = ("none", "learned", "counted")
"""See `ModelConfig.memory`."""

SCORINGS = ("auto", "part", "none")
"""See `TrainingConfig.scoring`."""

SCRIPTS = ("auto", "cyrillic", "latin", "keep")
"""See `ReadingConfig.script`."""


@dataclass(frozen=True)
class ReadingConfig:
    """How the books' text is treated before anything is learnt from it."""

    script: str = "auto"
    """The script that Serbian is converted to: "cyrillic", "latin", or "auto", the one with most letters; "keep" leaves it as it is."""
    without: tuple[str, ...] = ()
    """The names of the cleaning rules that are switched off."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network."""

    layers: int = 4
    """How many blocks there are, each with attention and a feed-forward network."""
    width: int = 128
    """How many numbers represent a position between the blocks."""
    heads: int = 2
    """Attention heads; the width is divided among them."""
    hidden: int = 384
    """Width inside the feed-forward network."""
    context: int = 128
    """How many tokens back the model sees."""
    tied_head: bool = False
    """Whether the embedding and the head are the same matrix."""
    rope_theta: float = 10_000.0
    """Base of the rotary positions' frequencies."""
    norm_epsilon: float = 1e-6
    """Added to the mean square before the root is taken."""
    memory: str = "none"
    """"none"; "learned": rows of a table for the last 2, 3, ... tokens, learnt with the network and added to its input;
    "counted": what followed every context in the books, counted before the network learns to weigh it."""
    memory_order: int = 6
    """How many tokens a learned memory's longest n-gram has."""
    memory_rows: int = 2**19
    """Rows of a learned memory's table; n-grams that hash to the same row share it."""
    memory_width: int = 32
    """Numbers in a row. An n-gram has several rows, each found by a hash function of its own; together they are as wide as the network."""
    vocabulary: int = 0
    """Number of tokens; 0 until the tokenizer is known."""

    @property
    def head_width(self) -> int:
        """The width of one head."""
        return self.width // self.heads

    def num_parameters(self) -> int:
        """How many numbers are trained."""
        layer = 4 * self.width**2 + 3 * self.width * self.hidden + 2 * self.width + 2 * self.head_width
        embeddings = self.vocabulary * self.width * (1 if self.tied_head else 2)
        return self.layers * layer + self.width + embeddings + self.num_table_parameters() + self.num_weighing_parameters()

    def num_table_parameters(self) -> int:
        """How many of them are in a learned memory's table; an iteration touches only a few of its rows."""
        return self.memory_rows * self.memory_width if self.memory == "learned" else 0

    def num_weighing_parameters(self) -> int:
        """How many of them weigh what a counted memory says."""
        if self.memory == "counted":
            return (self.width + BUCKETS) * NUM_KINDS + self.width * (NUM_KINDS * FEATURES + self.vocabulary)
        return 0

    def operations(self) -> int:
        """Floating-point operations that training takes per token in the network itself: six per weight, plus the attention."""
        looked_up = self.num_table_parameters() + (0 if self.tied_head else self.vocabulary * self.width)
        multiplied = self.num_parameters() - looked_up - self.num_weighing_parameters()
        return 6 * multiplied + 6 * self.layers * self.width * self.context


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is trained: for how long, with which optimizer, on which device."""

    minutes: float | None = None
    """Budget in minutes of training, including sampling, scoring and saving; None if the budget is in iterations."""
    iterations: int | None = None
    """Budget in iterations; None if the budget is in minutes."""
    from_iteration: int = 0
    """The iteration at which the run's latest stretch began: above 0 if the run was given another budget, which counts from there."""
    from_seconds: float = 0.0
    """The seconds of training at which that stretch began."""
    batch: int = 16
    """Windows in an iteration, each as long as the context."""
    optimizer: str = "muon"
    """"muon": Muon for the matrices and AdamW for the rest; "adamw": AdamW for everything."""
    matrix_learning_rate: float = 0.02
    """Peak learning rate of Muon."""
    learning_rate: float = 0.03
    """Peak learning rate of AdamW."""
    memory_learning_rate: float = 0.1
    """Peak learning rate of the learned memory's table."""
    weight_decay: float = 0.0
    """AdamW's weight decay, on matrices only."""
    warm_up: int = 20
    """Iterations over which the learning rates rise from zero."""
    decay: float = 0.6
    """The share of the budget, at its end, over which the learning rates fall to zero."""
    clip: float = 1.0
    """A gradient whose norm is larger is scaled down to this norm."""
    seed: int = 1
    """Decides the initial weights and the order of the windows."""
    device: str = "auto"
    """"cpu", "cuda" or "mps"; "auto" picks the best one that the machine has."""
    precision: str = "auto"
    """"float32" or "bfloat16"; "auto" takes bfloat16 where the device computes in it natively."""
    threads: int = 0
    """CPU threads; 0 picks the fastest number, measured at the start."""
    compiled: bool = False
    """Whether training runs through torch.compile: half a minute at the start, for a tenth more speed on a CPU."""
    checkpoint_seconds: float = 60.0
    """Time between two checkpoints."""
    scoring: str = "auto"
    """"auto": a fixed part of the held-out books is scored with the table's rows, and all of them at the end if that takes
    a small share of the run; "part": never more than the fixed part; "none": nothing, and the run keeps its last weights."""
    scored_tokens: int = 100_000
    """Tokens in the fixed part of the held-out books; the dial picks fewer for a short run."""


@dataclass(frozen=True)
class SamplingConfig:
    """What the model is asked to write while it learns."""

    prompts: tuple[str, ...] = ()
    """Each is continued at every row of the table; the first one also between the rows."""
    sample_at: tuple[int, ...] = ()
    """Iterations of the table's rows; empty: 1, 2, 5, 10, 20, 50, 100, ... The end is always a row."""
    length: int = 200
    """Characters in a row of the table."""
    temperature: float = 0.8
    """Below 1, likely characters are drawn more often still."""
    seed: int = 1
    """The same for every sample, so that two rows differ only by what was learnt."""
    num_between: int = 100
    """How many samples are written between the rows, evenly spaced in log time, for a slider over the learning."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run does."""

    preset: str = "pocket"
    """The preset they were made from; "own" if layers or width were given and no preset was."""
    tokenizer: str = "characters"
    asked: tuple[str, ...] = ()
    """The names of the settings that a person gave, whatever their values; all others may be picked automatically."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for TOML; fields that are None are left out."""
        plain = {**dataclasses.asdict(self), "asked": list(self.asked)}
        for section in ("reading", "model", "training", "sampling"):
            plain[section] = {
                name: list(value) if isinstance(value, tuple) else value for name, value in plain[section].items() if value is not None
            }
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Settings:
        """Read what `to_dict` returned; RunError if this version does not know a setting, or if its value is of the wrong type."""
        return _read_section(cls, "settings", plain)


def _read_section(kind: type, section: str, plain: Any) -> Any:
    if not isinstance(plain, dict):
        raise RunError(f"[{section}] is not of the right kind: it should be a section with settings.")
    types = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in plain.items():
        if name not in types:
            raise RunError(f"[{section}] {name} is a setting that this version of paznja does not know; use the version that made the run.")
        wanted = types[name]
        if dataclasses.is_dataclass(wanted):
            values[name] = _read_section(typing.cast(type, wanted), name, value)
            continue
        given = tuple(value) if isinstance(value, list) else value
        allowed = tuple(typing.get_origin(part) or part for part in (typing.get_args(wanted) if "|" in str(wanted) else (wanted,)))
        if float in allowed and isinstance(given, int) and not isinstance(given, bool):
            given = float(given)
        fits = isinstance(given, allowed) and (bool in allowed or not isinstance(given, bool))
        if not fits or (isinstance(given, tuple) and not all(isinstance(item, typing.get_args(wanted)[0]) for item in given)):
            raise RunError(f"[{section}] {name} = {value!r} is not of the right kind for this setting.")
        values[name] = given
    return kind(**values)


PRESETS: dict[str, Settings] = {
    "auto": Settings("auto", model=ModelConfig(memory="learned")),
    "pocket": Settings("pocket"),
    "blog": Settings(
        "blog",
        model=ModelConfig(layers=10, width=768, heads=12, hidden=2048, context=64),
        training=TrainingConfig(batch=64, optimizer="adamw", learning_rate=6e-4, weight_decay=0.1, warm_up=100, decay=0.9),
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
    "tiny": "a toy that ends in seconds, for trying things out",
}


def preset(name: str) -> Settings:
    """The preset of this name; WrongUse, suggesting the nearest name, if there is none."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise WrongUse(f"There is no preset {name!r}.{hint} The presets are: {', '.join(PRESETS)}.")


def customise(settings: Settings, **changes: Any) -> Settings:
    """`adjust`, for settings that a person asks for: from then on they are not picked automatically."""
    asked = {name for name, value in changes.items() if value is not None}
    preset = "own" if settings.preset == "auto" and {"layers", "width"} & asked else settings.preset
    return replace(adjust(settings, **changes), preset=preset, asked=tuple(sorted({*settings.asked, *asked})))


def adjust(settings: Settings, **changes: Any) -> Settings:
    """The same settings with these fields changed, whatever section they are in; None leaves a field as it is. `seed` sets both seeds.

    WrongUse for a value that makes no sense.
    """
    chosen = {name: value for name, value in changes.items() if value is not None}
    reading_fields, model_fields, sampling_fields = (
        {f.name for f in dataclasses.fields(kind)} for kind in (ReadingConfig, ModelConfig, SamplingConfig)
    )
    reading = {name: chosen.pop(name) for name in reading_fields & chosen.keys()}
    model = {name: value for name, value in chosen.items() if name in model_fields}
    training_fields = {f.name for f in dataclasses.fields(TrainingConfig)}
    for name in chosen.keys() - model_fields - sampling_fields - training_fields:
        near = difflib.get_close_matches(name, reading_fields | model_fields | sampling_fields | training_fields, n=1, cutoff=0.5)
        raise WrongUse(f"There is no setting {name!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
    sampling = {name: value for name, value in chosen.items() if name in sampling_fields}
    training = {name: value for name, value in chosen.items() if name not in model_fields | (sampling_fields - {"seed"})}
    if "width" in model:  # what follows from the width, unless it is given too
        heads = max(1, model["width"] // settings.model.head_width)
        hidden, memory_width = (model["width"] * 8 // 3 + 31) // 32 * 32, math.gcd(model["width"], settings.model.memory_width)
        model = {"heads": heads, "hidden": hidden, "memory_width": memory_width, **model}
    if model.get("memory") == "counted" != settings.model.memory and "learning_rate" not in training:
        # A network with a counted memory only corrects it: AdamW's usual learning rate is too high for the weights that read it.
        training["learning_rate"] = settings.training.learning_rate / 3
        training = {"matrix_learning_rate": settings.training.matrix_learning_rate, **training}
    if "learning_rate" in training:
        ratio = training["learning_rate"] / settings.training.learning_rate
        others = ("matrix_learning_rate", "memory_learning_rate")
        training = {**{name: getattr(settings.training, name) * ratio for name in others}, **training}
    changed = replace(
        settings,
        reading=replace(settings.reading, **reading),
        model=replace(settings.model, **model),
        training=replace(settings.training, **training),
        sampling=replace(settings.sampling, **sampling),
    )
    _check(changed)
    return changed


def _check(settings: Settings) -> None:
    model, training, sampling = settings.model, settings.training, settings.sampling
    for name, value, least in (
        ("layers", model.layers, 1),
        ("width", model.width, 4),
        ("heads", model.heads, 1),
        ("context", model.context, 2),
        ("batch", training.batch, 1),
        ("threads", training.threads, 0),
        ("seed", training.seed, 0),
        ("length", sampling.length, 1),
    ):
        if value < least:
            raise WrongUse(f"--{name} must be {least} or more, and {value} is not.")
    if model.width % model.heads or model.head_width % 2:
        raise WrongUse(f"A width of {model.width} cannot be divided among {model.heads} heads of an even width; try a multiple of 64.")
    if settings.reading.script not in SCRIPTS:
        raise WrongUse(f"There is no script {settings.reading.script!r}; there are {', '.join(map(repr, SCRIPTS))}.")
    if model.memory not in MEMORIES:
        raise WrongUse(f"There is no memory {model.memory!r}; there are {', '.join(map(repr, MEMORIES))}.")
    for name, value, least in (
        ("memory_order", model.memory_order, 2),
        ("memory_rows", model.memory_rows, 1),
        ("memory_width", model.memory_width, 1),
    ):
        if value < least:
            raise WrongUse(f"{name} must be {least} or more, and {value} is not.")
    if model.memory == "learned" and model.width % model.memory_width:
        raise WrongUse(f"Rows of {model.memory_width} numbers do not fill a width of {model.width}: memory_width must divide it.")
    if model.memory == "counted" and training.compiled:
        raise WrongUse("--compile cannot be combined with --memory counted: leave one of them out.")
    if not 0 < training.learning_rate < float("inf"):
        raise WrongUse(f"--learning-rate must be above 0, and {training.learning_rate:g} is not.")
    if not 0 <= training.checkpoint_seconds < float("inf"):
        raise WrongUse(f"--checkpoint-seconds must be 0 or more, and {training.checkpoint_seconds:g} is not.")
    if training.threads > (cores := os.cpu_count() or 1):
        raise WrongUse(f"--threads can be at most {cores} on this machine, which has no more cores, and {training.threads} is more.")
    if training.seed > MAX_SEED:
        raise WrongUse(f"--seed must be at most {MAX_SEED}, and {training.seed} is not.")
    if sampling.length > MAX_LENGTH:
        raise WrongUse(f"--length must be at most {MAX_LENGTH:,}, and {sampling.length:,} is not.")
    if training.optimizer not in OPTIMIZERS:
        raise WrongUse(f"There is no optimizer {training.optimizer!r}; there are {' and '.join(map(repr, OPTIMIZERS))}.")
    if training.scoring not in SCORINGS:
        raise WrongUse(f"There is no scoring {training.scoring!r}; there are {', '.join(map(repr, SCORINGS))}.")
    if not 0 <= sampling.temperature < float("inf"):
        raise WrongUse(f"The temperature must be 0 or more, and {sampling.temperature:g} is not.")
    if any(iteration < 1 for iteration in sampling.sample_at):
        raise WrongUse("--sample-at takes iterations, 1 or more, like 10,100,1000.")
    if any(not prompt for prompt in sampling.prompts):
        raise WrongUse("The prompt is empty: give the model at least one character to go on from.")


def with_budget(settings: Settings, minutes: float | None, iterations: int | None) -> Settings:
    """The same settings with one of the two budgets; WrongUse for both, or for one that is not above 0."""
    if minutes is not None and iterations is not None:
        raise WrongUse("Give either --minutes or --iterations, not both: one of them has to end the run.")
    if minutes is None and iterations is None:
        minutes = DEFAULT_MINUTES
    if minutes is not None and not 0 < minutes < float("inf"):
        raise WrongUse(f"--minutes must be above 0, and {minutes:g} is not.")
    if iterations is not None and iterations < 1:
        raise WrongUse(f"--iterations must be 1 or more, and {iterations} is not.")
    return replace(settings, training=replace(settings.training, minutes=minutes, iterations=iterations))
