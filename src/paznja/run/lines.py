"""The lines of a run's logs: their fields, and reading them while they are written. A field that a later version adds gets a default."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict


class MetricsLine(TypedDict):
    """An evaluation: a line of `metrics.jsonl`."""

    iteration: int
    seconds: float
    characters_seen: int
    training: float
    """Bits per character on a fixed part of the training books."""
    held_out: float
    """Bits per character on a fixed part of the held-out books."""
    held_out_whole: float | None
    """Bits per character on all held-out books, if they were scored."""
    peak_memory_bytes: int


class ProgressLine(TypedDict):
    """How training went at one moment: a line of `progress.jsonl`."""

    iteration: int
    seconds: float
    training_bits: float
    """Bits per character on the latest batches, smoothed."""
    characters_seen: int
    characters_per_second: float


class SurpriseLine(TypedDict):
    """How surprising one fixed held-out paragraph was at one moment: a line of `surprise.jsonl`."""

    iteration: int
    seconds: float
    book: int
    """Which of the held-out books the paragraph is in, from 0."""
    start: int
    """Where it begins among that book's tokens."""
    bits: list[float]
    """Bits that each of its tokens needed, given those before it."""


class SampleLine(TypedDict):
    """A text that the model wrote: a line of `samples.jsonl`."""

    iteration: int
    seconds: float
    prompt: str
    text: str
    """What follows the prompt."""
    row: bool
    """Whether it is a row of the table."""
    seed: int
    temperature: float


def read_metrics(path: Path) -> list[MetricsLine]:
    """The evaluations in this file, oldest first."""
    later = {"seconds": 0.0, "characters_seen": 0, "held_out_whole": None, "peak_memory_bytes": 0}
    lines = _read_lines(path, ("iteration", "training", "held_out"))
    return [typing.cast(MetricsLine, line | {name: value for name, value in later.items() if name not in line}) for line in lines]


def read_progress(path: Path) -> list[ProgressLine]:
    """The lines about the progress in this file, oldest first; a line with something else than numbers is left out."""
    needed = tuple(ProgressLine.__annotations__)
    lines = _read_lines(path, needed)
    return [typing.cast(ProgressLine, line) for line in lines if all(isinstance(line[name], int | float) for name in needed)]


def read_surprise(path: Path) -> list[SurpriseLine]:
    """The lines about the paragraph in this file, oldest first."""
    return [typing.cast(SurpriseLine, line) for line in _read_lines(path, tuple(SurpriseLine.__annotations__))]


def read_samples(path: Path) -> list[SampleLine]:
    """The samples in this file, oldest first."""
    return [typing.cast(SampleLine, line) for line in _read_lines(path, ("iteration", "seconds", "prompt", "text", "row"))]


def to_line(record: Mapping[str, Any]) -> bytes:
    """A record as a line of a log."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def _read_lines(path: Path, needed: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The whole lines with the fields that are needed; a damaged line, or a last one that is still being written, is left out."""
    needed = frozenset(needed)
    if not path.is_file():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.endswith("\n"):
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and needed <= record.keys():
                yield record
