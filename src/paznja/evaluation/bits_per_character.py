"""Bits per character: the sum of -log2 p over a text's tokens, divided by the text's characters.

Whole texts in order, in windows of the context length that overlap by half; of each window but the first only the second
half is scored. A line's end stands before the first token, so nothing is skipped. No learning while scoring. The same for
every kind of tokenizer.

Shapes: B windows in a batch, T positions in a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TOKENS_AT_ONCE = 4096
"""Scored in one pass: enough to keep the matrix products busy, few enough to stay in the cache."""

Piece = NDArray[np.uint16]


class Scorable(Protocol):
    """What can be scored: whatever says how likely each next id was. `Transformer` is one."""

    @property
    def context(self) -> int:
        """How many positions it sees at most."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it takes its ids."""
        ...

    def losses(self, ids_BT: Tensor, next_ids_BT: Tensor) -> Tensor:
        """-log p (nats) of each next id after those before it in its row, (B, T); T up to `context`."""
        ...


def score(
    model: Scorable, texts: Sequence[Piece], newline: int, *, precision: torch.dtype = torch.float32
) -> Generator[tuple[int, int], None, list[float]]:
    """Score texts (each its token ids): returns the bits that the model needs for each.

    Yields (tokens done, tokens in all) on the way.
    """
    context, device = model.context, model.device
    bits = [0.0] * len(texts)
    total, done = sum(len(text) for text in texts), 0
    for windows in _in_batches(_windows(texts, context, newline), max(1, TOKENS_AT_ONCE // context)):
        longest = max(len(window) - 1 for _, window, _ in windows)
        rows = np.zeros((len(windows), longest + 1), dtype=np.int64)
        for row, (_, window, _) in zip(rows, windows, strict=True):
            row[: len(window)] = window
        ids = torch.from_numpy(rows).to(device)
        with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
            losses_BT = model.losses(ids[:, :-1], ids[:, 1:]).cpu().double().numpy()
        for losses, (text, window, first_scored) in zip(losses_BT, windows, strict=True):
            bits[text] += float(losses[first_scored : len(window) - 1].sum()) / math.log(2)
            done += len(window) - 1 - first_scored
        yield done, total
    return bits


def bits_of_texts(
    model: Scorable, texts: Sequence[Piece], newline: int, *, on_scored: Callable[[int, int], None] | None = None
) -> list[float]:
    """`score`, all at once; `on_scored(tokens done, tokens in all)` is told on the way."""
    scoring = score(model, texts, newline)
    while True:
        try:
            done, total = next(scoring)
        except StopIteration as finished:
            return finished.value
        if on_scored is not None:
            on_scored(done, total)


def spread(texts: Sequence[Piece], tokens: int, pieces: int = 25) -> list[Piece]:
    """About `tokens` tokens, never more, in equal stretches evenly spread over the texts laid end to end: the same ones every time.

    A stretch that runs over the end of a text is two pieces; no token is taken twice.
    """
    total = sum(len(text) for text in texts)
    if total <= tokens:
        return list(texts)
    length = max(1, tokens // pieces)
    starts = [i * total // pieces for i in range(min(pieces, tokens))]
    chosen: list[Piece] = []
    offset = 0
    for text in texts:
        inside = [(max(0, start - offset), min(len(text), start + length - offset)) for start in starts]
        chosen += [text[start:end] for start, end in inside if start < end]
        offset += len(text)
    return chosen


def _windows(texts: Sequence[Piece], context: int, newline: int) -> Iterable[tuple[int, NDArray[np.int64], int]]:
    """(which text, the window's ids with one more in front, the first position that is scored)."""
    stride = max(1, context // 2)
    for index, text in enumerate(texts):
        ids = np.concatenate(([newline], text)).astype(np.int64)
        scored_to = 0
        start = 0
        while scored_to < len(text):
            end = min(start + context, len(text))
            yield index, ids[start : end + 1], scored_to - start
            scored_to = end
            start += stride


def _in_batches(windows: Iterable[tuple[int, NDArray[np.int64], int]], size: int) -> Iterable[list[tuple[int, NDArray[np.int64], int]]]:
    batch: list[tuple[int, NDArray[np.int64], int]] = []
    for window in windows:
        batch.append(window)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
