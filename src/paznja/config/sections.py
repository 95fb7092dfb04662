"""The settings, section by section: each field says all that is known about it. And how `run.toml` holds them."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from typing import Any

from paznja.config.setting import of_kind, plain, setting, settings_of
from paznja.errors import RunError
from paznja.memory.kinds import BUCKETS, FEATURES, NUM_KINDS

DEFAULT_PROMPTS = {"cyrillic": "Ово је мост ", "latin": "Ovo je most "}
"""The prompt that the table continues if none is given, by the script of the books; books in another script get the Latin one."""

MAX_LENGTH = 1_000_000
"""The most characters that can be asked for: as many as a long novel has."""

MAX_SEED = 2**63 - 1
"""The largest seed that PyTorch and TOML can hold."""

MAX_PROCESSES = 256
"""The most processes that one machine may be asked for."""

SCRIPTS = ("auto", "cyrillic", "latin", "keep")
"""See `ReadingConfig.script`."""

MEMORIES = ("none", "learned", "counted")
"""See `ModelConfig.memory`."""

OPTIMIZERS = ("muon", "adamw")
"""See `TrainingConfig.optimizer`."""

SCORINGS = ("auto", "part", "none")
"""See `TrainingConfig.scoring`."""


@dataclass(frozen=True)
class ReadingConfig:
    """How the books' text is treated before anything is learnt from it."""

    script: str = setting(
        "auto",
        choices=SCRIPTS,
        picked=True,
        help="The script that Serbian text is converted to: cyrillic; latin; auto, the one that most of the books use; "
        "keep converts nothing.",
    )
    """The script that Serbian is converted to: "cyrillic", "latin", or "auto", the one with most letters; "keep" leaves it as it is."""
    without: tuple[str, ...] = setting((), help="Switch off the cleaning rule of this name; may be given several times.")
    """The names of the cleaning rules that are switched off."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network."""

    layers: int = setting(4, least=1, picked=True, help="How many layers the network has.", default_in_words="")
    """How many blocks there are, each with attention and a feed-forward network."""
    width: int = setting(128, least=4, picked=True, help="How wide they are: a multiple of 64.", default_in_words="")
    """How many numbers represent a position between the blocks."""
    heads: int = setting(2, least=1)
    """Attention heads; the width is divided among them."""
    hidden: int = setting(384, least=1)
    """Width inside the feed-forward network."""
    context: int = setting(128, least=2, help="How many characters back the model sees.", default_in_words="")
    """How many tokens back the model sees."""
    tied_head: bool = setting(False)
    """Whether the embedding and the head are the same matrix."""
    rope_theta: float = setting(10_000.0, above=0)
    """Base of the rotary positions' frequencies."""
    norm_epsilon: float = setting(1e-6, least=0)
    """Added to the mean square before the root is taken."""
    memory: str = setting(
        "none",
        choices=MEMORIES,
        help="none; learned: a table of what the last 2 to 6 characters are worth, learnt beside the network; or counted: "
        "count what followed what in the books, then learn how far to trust it: the best text in the least time. "
        "Only paznja can run a model with a memory.",
        default_in_words="learned; none for the presets that name a size",
    )
    """"none"; "learned": rows of a table for the last 2, 3, ... tokens, learnt with the network and added to its input;
    "counted": what followed every context in the books, counted before the network learns to weigh it."""
    memory_order: int = setting(6, least=2, picked=True)
    """How many tokens a learned memory's longest n-gram has."""
    memory_rows: int = setting(2**19, least=1)
    """Rows of a learned memory's table; n-grams that hash to the same row share it."""
    memory_width: int = setting(32, least=1)
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
    """How the network is trained: with which optimizer, on which device."""

    batch: int = setting(
        16, least=1, picked=True, help="Windows of text in an iteration. Lower it where memory is short.", default_in_words=""
    )
    """Windows in an iteration, each as long as the context."""
    accumulate: int = setting(
        0,
        least=0,
        picked=True,
        help="Learn from every batch in so many parts, one after the other, which takes less memory.",
        default_in_words="as few as fit into the memory",
    )
    """Parts of a process's share of the batch that are learnt from one after the other; 0 picks as few as fit into the memory."""
    recompute: bool = setting(
        False, help="Keep less of the forward pass in memory and compute it again in the backward pass: about a third slower."
    )
    """Whether every layer computes its forward pass again in the backward pass (Chen and others, 2016, arXiv:1604.06174)."""
    optimizer: str = setting("muon", choices=OPTIMIZERS)
    """"muon": Muon for the matrices and AdamW for the rest; "adamw": AdamW for everything."""
    learning_rate: float = setting(
        0.03, above=0, help="Peak learning rate. Lower it if the loss stops being a number.", default_in_words=""
    )
    """Peak learning rate of AdamW."""
    matrix_learning_rate: float = setting(0.02, least=0)
    """Peak learning rate of Muon."""
    memory_learning_rate: float = setting(0.1, least=0)
    """Peak learning rate of the learned memory's table."""
    weight_decay: float = setting(0.0, least=0)
    """AdamW's weight decay, on matrices only."""
    warm_up: int = setting(20, least=0)
    """Iterations over which the learning rates rise from zero."""
    decay: float = setting(0.6, least=0, most=1)
    """The share of the budget, at its end, over which the learning rates fall to zero."""
    clip: float = setting(1.0, above=0)
    """A gradient whose norm is larger is scaled down to this norm."""
    seed: int = setting(1, least=0, most=MAX_SEED, help="Of the first weights, the order of the books' parts and the samples.")
    """Decides the initial weights and the order of the windows."""
    device: str = setting("auto", choices=("auto", "cpu", "cuda", "mps"), picked=True, help="auto, cpu, cuda or mps.")
    """"cpu", "cuda" or "mps"; "auto" picks the best one that the machine has."""
    precision: str = setting("auto", choices=("auto", "float32", "bfloat16", "float64"), picked=True)
    """"float32", "bfloat16", or "float64", which is slow, for comparing; "auto" takes bfloat16 where the device computes in it natively."""
    threads: int = setting(0, least=0, picked=True, help="CPU threads.", default_in_words="as many as are fastest, measured at the start")
    """CPU threads of a process; 0 picks the fastest number, measured at the start."""
    processes: int = setting(
        0,
        least=0,
        most=MAX_PROCESSES,
        picked=True,
        help="Processes that train together on a CPU, each on its part of the batch.",
        default_in_words="as many as are fastest, measured at the start",
    )
    """Processes that train together on a CPU, each with `threads` threads; 0 picks the fastest number, measured at the start."""
    exchange: str = setting(
        "float32", choices=("float32", "bfloat16"), help="How processes give each other gradients; bfloat16 is half as much to send."
    )
    """How processes that train together give each other their gradients: in the precision of the weights, or in bfloat16, which is half as
    much to send, and rounds each process's part to 8 bits. Sums are computed in the precision of the weights."""
    network_seconds: float = setting(
        600.0, above=0, help="Under torchrun: after how many seconds a process that does not answer is given up."
    )
    """Seconds after which a process that torchrun has started is given up if it does not answer."""
    compiled: bool = setting(
        False,
        help="Compile the network first: needs a C++ compiler and half a minute. On a CPU the program is faster without it.",
        option="--compile",
    )
    """Whether training runs through torch.compile: half a minute at the start. On a CPU our own loops are faster."""
    checkpoint_seconds: float = setting(60.0, least=0, help="Time between two checkpoints.")
    """Time between two checkpoints."""
    scoring: str = setting(
        "auto",
        choices=SCORINGS,
        picked=True,
        help="How much to measure on held-out text: auto; part, never all of the held-out books at the end; none, so that all of "
        "the time goes into learning (paznja evaluate measures afterwards).",
    )
    """"auto": a fixed part of the held-out books is scored with the table's rows, and all of them at the end if that takes
    a small share of the run; "part": never more than the fixed part; "none": nothing, and the run keeps its last weights."""
    scored_tokens: int = setting(100_000, least=1, picked=True)
    """Tokens in the fixed part of the held-out books; the dial picks fewer for a short run."""


@dataclass(frozen=True)
class SamplingConfig:
    """What the model is asked to write while it learns."""

    prompts: tuple[str, ...] = setting(
        (), picked=True, help="The beginning that every sample continues. May be given several times.", option="--prompt"
    )
    """Each is continued at every row of the table; the first one also between the rows."""
    sample_at: tuple[int, ...] = setting(
        (),
        least=1,
        picked=True,
        help="Iterations with a row in the table, like 10,100,1000; by default 1, 2, 5, 10, 20, 50, 100, ... (the demo has more).",
    )
    """Iterations of the table's rows; empty: 1, 2, 5, 10, 20, 50, 100, ... The end is always a row."""
    length: int = setting(200, least=1, most=MAX_LENGTH, help="Characters in a row of the table.")
    """Characters in a row of the table."""
    temperature: float = setting(0.8, least=0)
    """Below 1, likely characters are drawn more often still."""
    seed: int = setting(1, least=0, most=MAX_SEED)
    """The same for every sample, so that two rows differ only by what was learnt."""
    num_between: int = setting(100, least=0)
    """How many samples are written between the rows, evenly spaced in log time, for a slider over the learning."""


SECTIONS = {"reading": ReadingConfig, "model": ModelConfig, "training": TrainingConfig, "sampling": SamplingConfig}

SETTINGS = {known.name: known for section in reversed(SECTIONS.values()) for known in settings_of(section)}
"""All settings by their names, in the order of their options. `seed` is in two sections, and the one with the option is here."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run does."""

    preset: str = "pocket"
    """The preset they were made from; "own" if layers or width were given and no preset was."""
    tokenizer: str = "characters"
    asked: tuple[str, ...] = ()
    """The names of the settings that a person asked for, even with the default's value; only the others may be picked automatically."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)

    def is_open(self, name: str) -> bool:
        """Whether this setting may be picked: it is one of those that are picked automatically, and nobody asked for a value."""
        return SETTINGS[name].picked and name not in self.asked

    def to_dict(self) -> dict[str, Any]:
        """Plain values for TOML; fields that are None are left out."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Settings:
        """Read what `to_dict` returned; RunError if this version does not know a setting, or if its value is of the wrong type."""
        return _read_section(cls, "settings", plain)


def _read_section(kind: type, section: str, plain: Any) -> Any:
    if not isinstance(plain, dict):
        raise RunError(f"[{section}] is not of the right kind: it should be a section with settings.")
    kinds = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in plain.items():
        if name not in kinds:
            raise RunError(f"[{section}] {name} is a setting that this version of paznja does not know; use the version that made the run.")
        try:
            values[name] = _read_section(SECTIONS[name], name, value) if name in SECTIONS else of_kind(value, kinds[name])
        except TypeError:
            raise RunError(f"[{section}] {name} = {value!r} is not of the right kind for this setting.") from None
    return kind(**values)
