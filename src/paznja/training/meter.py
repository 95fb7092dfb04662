"""How training goes: the smoothed loss, the characters seen, the speed; as events, and as lines in the run's folder."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from paznja.config import Stretch
from paznja.run.writing import RunWriter
from paznja.tokenizers import Tokenizer
from paznja.training.events import Progress
from paznja.training.progress_log import ProgressLog
from paznja.training.schedule import Place

SMOOTHING = 0.95
"""The weight of the earlier iterations in the smoothed loss."""

_RECENT = 31  # points between which the speed is measured


class Meter:
    """Measures the iterations of one training."""

    def __init__(self, writer: RunWriter, tokenizer: Tokenizer, stretch: Stretch) -> None:
        self.characters_seen = 0
        self.training_bits: float | None = None
        """Bits per character on the latest batches, smoothed; None before the first."""
        self._writer, self._tokenizer, self._stretch = writer, tokenizer, stretch
        self._log: ProgressLog | None = None
        self._latest: Progress | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def begin(self, place: Place) -> None:
        """The first iteration is about to begin."""
        self._log = ProgressLog(self._writer)
        self._recent.append((place.seconds, self.characters_seen))

    def count(self, nats: float, next_ids: Tensor) -> None:
        """Take the loss of an iteration in, in nats for each of these tokens."""
        characters = self._tokenizer.count_characters(next_ids.numpy())
        bits = nats / math.log(2) * next_ids.numel() / max(1, characters)
        self.training_bits = bits if self.training_bits is None else SMOOTHING * self.training_bits + (1 - SMOOTHING) * bits
        self.characters_seen += characters

    def progress(self, place: Place, fraction: float) -> Progress:
        """How it goes now, with this fraction of the budget spent; a line is logged if one is due."""
        assert self._log is not None
        assert self.training_bits is not None
        self._recent.append((place.seconds, self.characters_seen))
        (then, before), (now, seen) = self._recent[0], self._recent[-1]
        spent = place.seconds - self._stretch.from_seconds
        left = self._stretch.seconds - spent if self._stretch.seconds is not None else spent * (1 - fraction) / max(fraction, 1e-9)
        self._latest = Progress(
            iteration=place.iteration,
            seconds=place.seconds,
            fraction=fraction,
            training_bits=self.training_bits,
            characters_seen=seen,
            characters_per_second=(seen - before) / max(now - then, 1e-9),
            seconds_left=max(0.0, left),
        )
        self._log.add(self._latest)
        return self._latest

    def end(self) -> None:
        """The last iteration is over: log it in any case."""
        if self._log is not None and self._latest is not None:
            self._log.add(self._latest, in_any_case=True)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"characters_seen": self.characters_seen, "training_bits": self.training_bits}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.characters_seen, self.training_bits = state["characters_seen"], state["training_bits"]
