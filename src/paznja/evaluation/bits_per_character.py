"""Bits per character: the sum of -log2 p over a text's tokens, divided by the text's characters.

Whole texts in order, in windows of the context length that overlap by half; of each window but the first only the second
half is scored. An end of line stands before the first token, so nothing is skipped. Nothing is learnt while scoring. The same for
every kind of tokenizer.

Shapes: B windows in a batch, T positions in a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from paznja.memory.evidence import Evidence

TOKENS_AT_ONCE = 4096
"""Tokens that are scored in one pass: enough to keep the matrix products busy, few enough to stay in the processor's cache."""

Piece = NDArray[np.uint16]


class Scorable(Protocol):
    """What can be scored: anything that says how likely each next id was. `Transformer` is one."""

    @property
    def context(self) -> int:
        """The most positions that it can see."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its ids have to be."""
        ...

    def losses(self, ids_BT: Tensor, next_ids_BT: Tensor, evidence: Evidence | None = None) -> Tensor:
        """-log p (nats) of each next id, given those before it in its row, (B, T); T is at most `context`."""
        ...


class Remembering(Protocol):
    """What a counted memory says about the pieces that are scored (`paznja.memory.remembered`)."""

    def evidence(self, windows: Sequence[tuple[int, int, int]], length: int) -> Evidence:
        """The evidence for `length` places of each window (piece, start, stop)."""
        ...


def score(
    model: Scorable,
    texts: Sequence[Piece],
    newline: int,
    *,
    precision: torch.dtype = torch.float32,
    remembered: Remembering | None = None,
) -> Generator[tuple[int, int], None, list[float]]:
    """Score texts (each its token ids): returns the bits that the model needs for each.

    Yields (tokens done, total tokens) on the way. `remembered`: for a model with a counted memory, which sees all that
    comes before a token in its text.
    """
    bits = [0.0] * len(texts)
    total, done = sum(len(text) for text in texts), 0
    for windows in windows_to_score(texts, model.context, newline):
        for window, its_bits in zip(windows, bits_of_windows(model, windows, precision=precision, remembered=remembered), strict=True):
            bits[window.text] += its_bits
            done += window.num_scored
        yield done, total
    return bits


def windows_to_score(texts: Sequence[Piece], context: int, newline: int) -> Iterable[list[Window]]:
    """The windows of the texts, as many together as are scored in one pass."""
    return _in_batches(_windows(texts, context, newline), max(1, TOKENS_AT_ONCE // context))


def bits_of_windows(
    model: Scorable, windows: Sequence[Window], *, precision: torch.dtype = torch.float32, remembered: Remembering | None = None
) -> list[float]:
    """The bits that the model needs for what is scored of each window, in one pass."""
    bits = _bits_of_scored(model, windows, precision=precision, remembered=remembered)
    return [float(its_bits.sum()) for its_bits in bits]


def bits_of_tokens(
    model: Scorable,
    pieces: Sequence[Piece],
    piece: int,
    start: int,
    stop: int,
    newline: int,
    *,
    precision: torch.dtype = torch.float32,
    remembered: Remembering | None = None,
) -> NDArray[np.float64]:
    """The bits that the model needs for each token of a piece from `start` to `stop` - 1, as if all of the piece were scored."""
    all_windows = _windows([pieces[piece][:stop]], model.context, newline)
    windows = [window._replace(text=piece) for window in all_windows if window.start + len(window.ids) - 1 > start]
    bits = np.concatenate(_bits_of_scored(model, windows, precision=precision, remembered=remembered))
    return bits[start - windows[0].start - windows[0].first_scored :]


def _bits_of_scored(
    model: Scorable, windows: Sequence[Window], *, precision: torch.dtype, remembered: Remembering | None
) -> list[NDArray[np.float64]]:
    """The bits of every scored token of each window."""
    device = model.device
    longest = max(len(window.ids) - 1 for window in windows)
    rows = np.zeros((len(windows), longest + 1), dtype=np.int64)
    for row, window in zip(rows, windows, strict=True):
        row[: len(window.ids)] = window.ids
    ids = torch.from_numpy(rows).to(device)
    places = [(window.text, window.start, window.start + len(window.ids) - 1) for window in windows]
    evidence = () if remembered is None else (remembered.evidence(places, longest),)
    with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision == torch.bfloat16):
        losses_BT = model.losses(ids[:, :-1], ids[:, 1:], *evidence).cpu().double().numpy()
    return [losses[window.first_scored : len(window.ids) - 1] / math.log(2) for losses, window in zip(losses_BT, windows, strict=True)]


def bits_of_texts(
    model: Scorable,
    texts: Sequence[Piece],
    newline: int,
    *,
    remembered: Remembering | None = None,
    on_scored: Callable[[int, int], None] | None = None,
) -> list[float]:
    """`score`, all at once; calls `on_scored(tokens done, total tokens)` on the way."""
    scoring = score(model, texts, newline, remembered=remembered)
    while True:
        try:
            done, total = next(scoring)
        except StopIteration as finished:
            return finished.value
        if on_scored is not None:
            on_scored(done, total)


def spread(texts: Sequence[Piece], tokens: int, pieces: int = 25) -> list[Piece]:
    """About `tokens` tokens, never more, in equal stretches, spread evenly over the texts laid end to end; the same ones every time.

    A stretch across the end of a text becomes two pieces; no token is taken twice.
    """
    return [texts[text][start:stop] for text, start, stop in places_spread([len(text) for text in texts], tokens, pieces)]


def places_spread(lengths: Sequence[int], tokens: int, pieces: int = 25) -> list[tuple[int, int, int]]:
    """Where the pieces of `spread` are: (text, start, stop)."""
    total = sum(lengths)
    if total <= tokens:
        return [(text, 0, length) for text, length in enumerate(lengths)]
    size = max(1, tokens // pieces)
    starts = [i * total // pieces for i in range(min(pieces, tokens))]
    chosen: list[tuple[int, int, int]] = []
    offset = 0
    for text, length in enumerate(lengths):
        inside = [(max(0, start - offset), min(length, start + size - offset)) for start in starts]
        chosen += [(text, start, stop) for start, stop in inside if start < stop]
        offset += length
    return chosen


class Window(NamedTuple):
    """A part of a text that the model sees at once."""

    text: int
    """The number of the text."""
    start: int
    """Where the first token that the window could score is in the text."""
    ids: NDArray[np.int64]
    """The window's ids, with one more in front."""
    first_scored: int
    """Which of the ids after that one is the first that is scored; those before it were scored in the window before."""

    @property
    def num_scored(self) -> int:
        """How many tokens are scored."""
        return len(self.ids) - 1 - self.first_scored


def _windows(texts: Sequence[Piece], context: int, newline: int) -> Iterable[Window]:
    stride = max(1, context // 2)
    for index, text in enumerate(texts):
        ids = np.concatenate(([newline], text)).astype(np.int64)
        scored_to = 0
        start = 0
        while scored_to < len(text):
            end = min(start + context, len(text))
            yield Window(index, start, ids[start : end + 1], scored_to - start)
            scored_to = end
            start += stride


def _in_batches(windows: Iterable[Window], size: int) -> Iterable[list[Window]]:
    batch: list[Window] = []
    for window in windows:
        batch.append(window)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
