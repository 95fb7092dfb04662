"""The files of a run's folder, by name: which ones are the program's, and what a run can be called."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

from paznja.disk import why_not_a_name
from paznja.errors import NameTaken, WrongUse

RUN = "run.toml"
BOOKS = "corpus.json"
IDS = "corpus.bin"
TOKENIZER = "tokenizer.json"
METRICS = "metrics.jsonl"
SAMPLES = "samples.jsonl"
TABLE = "samples.md"

PROGRESS = "progress.jsonl"
"""How training goes, a line every few seconds. It is thinned as it grows, so unlike for the other logs no size of it is remembered."""

SURPRISE = "surprise.jsonl"
"""How many bits each token of one fixed held-out paragraph needed, a line a row. Like `progress.jsonl` it is cut back by its iterations."""

NOW = "now.json"
"""What a living training is doing; it is there only while one has the folder."""

WEIGHTS = "model.safetensors"
"""The best weights; in a checkpoint's folder, its own."""

OPTIMIZER = "optimizer.safetensors"
"""The optimizers' state, in a checkpoint's folder."""

MEMORY = "memory.safetensors"
"""What was counted in the books, if the run has a counted memory."""

QWEN3_CONFIG = "config.json"
"""The network's shape for other programs, if it has no memory."""

CHECKPOINT = "checkpoint"
"""Which checkpoint is the valid one, and what it says."""

POSITION = "position.json"
"""The same, in the checkpoint's own folder."""

REQUESTS = "commands"
"""The folder with what a living training is asked for."""

LOCK = ".lock"

LOGS = (METRICS, SAMPLES)
"""The logs that a resumed run cuts back to the sizes that its checkpoint remembers."""

LOGS_BY_ITERATION = (PROGRESS, SURPRISE)
"""Those that it cuts back to the checkpoint's iteration."""

KINDS_OF_REQUESTS = ("stop", "pause", "go-on", "sample")
"""What a living training can be asked for: stop and save, wait, go on, write a row of the table now."""

REQUEST = re.compile(rf"(\d{{8,}})-({'|'.join(KINDS_OF_REQUESTS)})")
CHECKPOINT_FOLDER = re.compile(r"checkpoint-\d{8,}")
PART = re.compile(
    r"\.(?:run\.toml|samples\.md|progress\.jsonl|surprise\.jsonl|now\.json|checkpoint|config\.json|position\.json|\w+\.safetensors)\.\d+\.part"
)
"""A file that is being written, beside the one that it will replace."""
MAKING = re.compile(r"\.checkpoint-\d{8,}\.new")
"""A folder in which a checkpoint is being made."""

_DAMAGED = re.compile(r"checkpoint-\d{8,}\.damaged(?:-\d+)?")
_BEFORE = re.compile(r"before-\d+")
_CHECKPOINT_FILES = frozenset({WEIGHTS, OPTIMIZER, POSITION})
_FILES = frozenset({RUN, BOOKS, IDS, TOKENIZER, *LOGS, *LOGS_BY_ITERATION, NOW, TABLE, WEIGHTS, MEMORY, CHECKPOINT, QWEN3_CONFIG})


def checkpoint_name(iteration: int) -> str:
    """The name of the folder of the checkpoint at this iteration."""
    return f"checkpoint-{iteration:08d}"


def is_own_file(name: str) -> bool:
    """Whether a file of this name in a run's folder is the program's."""
    return name in _FILES or name == LOCK or PART.fullmatch(name) is not None


def is_checkpoint_file(name: str) -> bool:
    """Whether a file of this name in a checkpoint's folder is the program's."""
    return name in _CHECKPOINT_FILES or PART.fullmatch(name) is not None


def is_known_in(folder: str) -> Callable[[str], bool] | None:
    """Which files are the program's in a folder of this name within a run's; None if the folder itself is not."""
    if folder == REQUESTS:
        return lambda name: REQUEST.fullmatch(name) is not None
    if _BEFORE.fullmatch(folder):
        return lambda name: name in _FILES
    if any(pattern.fullmatch(folder) for pattern in (CHECKPOINT_FOLDER, _DAMAGED, MAKING)):
        return is_checkpoint_file
    return None


def check_name(name: str) -> None:
    """WrongUse unless a run can have this name, on every system."""
    reason = "it begins with . or -" if name.startswith((".", "-")) else why_not_a_name(name)
    if reason:
        shown = name if len(name) <= 200 else f"{name[:200]}..."
        raise WrongUse(f"A run cannot be called {shown!r}, because {reason}: use letters, digits, spaces, - and _.")


def check_free(out: Path, name: str) -> None:
    """WrongUse unless a new run below `out` can have this name; NameTaken, naming the next free one, if it is in use."""
    check_name(name)
    if os.path.lexists(out / name):
        raise NameTaken(f"The name {name!r} is in use: there is a folder {out / name}. The next free one is {free_name(out, name)!r}.")


def free_name(out: Path, wanted: str, first: int = 2) -> str:
    """`wanted`-2, -3, ... (or from another number on): the first that no folder below `out` has."""
    numbers = itertools.count(first)
    return next(name for name in (f"{wanted}-{number}" for number in numbers) if not os.path.lexists(out / name))
