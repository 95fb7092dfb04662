"""What a trainer learns from and is scored on: batches of the training books, fixed parts of both kinds of books, and the memory.

Shapes: B windows in a batch, T positions in a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from paznja.config import Settings
from paznja.evaluation.bits_per_character import Piece, places_spread, spread
from paznja.model.transformer import Transformer
from paznja.run import MEMORY, Run
from paznja.tokenizers import Tokenizer
from paznja.training.batches import Batches
from paznja.training.events import Counting

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory
    from paznja.memory.evidence import Evidence
    from paznja.memory.remembered import Remembered

TRAINING_SHARE = 4
"""The fixed part of the training books that is scored beside the held-out one is so many times smaller."""


class Lesson(NamedTuple):
    """A batch: what the network reads, what comes next, and what a counted memory says of it."""

    ids: Tensor
    """(B, T), int64, on the CPU; and
    """
    next_ids: Tensor
    evidence: Evidence | None = None


class Material:
    """For a network without a counted memory."""

    memory: CountedMemory | None = None

    def __init__(self, run: Run, settings: Settings) -> None:
        model, training = settings.model, settings.training
        self.held_out = run.held_out_ids()
        self.held_out_part = spread(self.held_out, training.scored_tokens)
        self.training_part: list[Piece] = spread([run.training_ids()], training.scored_tokens // TRAINING_SHARE)
        self._batches = Batches(run.training_ids(), model.context, training.batch, training.seed)

    @property
    def windows_drawn(self) -> int:
        """The position: how many windows were drawn since the start of the run."""
        return self._batches.windows_drawn

    @windows_drawn.setter
    def windows_drawn(self, number: int) -> None:
        self._batches.windows_drawn = number

    def begin(self, model: Transformer, *, new: bool) -> Iterator[Counting]:
        """What has to be done before the first batch; `new`: before the first one of the run."""
        yield from ()

    def next(self) -> Lesson:
        """The next batch."""
        return Lesson(*self._batches.next())

    def remembered(self, *, whole: bool) -> Remembered | None:
        """For scoring the fixed parts (the held-out one first), or the whole held-out books: what the memory says of them."""
        return None


class CountedMaterial(Material):
    """For a network with a counted memory: see `set_aside`."""

    def __init__(self, run: Run, settings: Settings, tokenizer: Tokenizer) -> None:
        from paznja.memory.contexts import Lettering
        from paznja.training.set_aside import Turns

        model, training = settings.model, settings.training
        self._run, self._newline, self._threads = run, tokenizer.newline, training.threads
        self._scored_tokens = training.scored_tokens
        self.held_out = run.held_out_ids()
        self._places = places_spread([len(book) for book in self.held_out], training.scored_tokens)
        self.held_out_part = [self.held_out[book][start:stop] for book, start, stop in self._places]
        lengths = [book.tokens for book in run.books() if not book.held_out]
        lettering = Lettering.of(tokenizer)
        self._turns = Turns(run.training_ids(), lengths, lettering, model.context, training.batch, training.seed, threads=training.threads)
        self._remembered: Remembered | None = None

    @property
    def windows_drawn(self) -> int:
        return self._turns.windows_drawn

    @windows_drawn.setter
    def windows_drawn(self, number: int) -> None:
        self._turns.windows_drawn = number

    def begin(self, model: Transformer, *, new: bool) -> Iterator[Counting]:
        """Count; for a new run fit how far to trust what was counted, and write the memory into the run's folder."""
        from paznja.memory.storing import to_bytes
        from paznja.training.trusting import fit_trust

        yield Counting()
        self._count()
        assert self.memory is not None
        assert model.weighing is not None
        if not (self._run.path / MEMORY).is_file():
            self._run.write_file(MEMORY, to_bytes(self.memory))
        if new:
            model.weighing.get_buffer("base").copy_(torch.from_numpy(np.log(self.memory.base)))
            fit_trust(model.weighing, self._turns)

    def next(self) -> Lesson:
        self._count()
        return self._turns.next()

    def remembered(self, *, whole: bool) -> Remembered:
        from paznja.memory.remembered import Remembered

        assert self.memory is not None
        if whole:
            return Remembered(self.memory, self._newline, self.held_out, threads=self._threads)
        if self._remembered is None:
            books = len(self.held_out)
            texts, learning = [*self.held_out, self._training_text], [False] * books + [True]
            places = [*self._places, *((books, start, stop) for _, start, stop in self._training_places)]
            self._remembered = Remembered(self.memory, self._newline, texts, places, learning=learning, threads=self._threads)
        return self._remembered

    def _count(self) -> None:
        """Where another turn has come, what is set aside is other books: the training part is a part of those."""
        if self._turns.prepare():
            self.memory = self._turns.memory
            self._training_text = self._turns.set_aside.ids
            self._training_places = places_spread([len(self._training_text)], self._scored_tokens // TRAINING_SHARE)
            self.training_part = [self._training_text[start:stop] for _, start, stop in self._training_places]
            self._remembered = None


def material_for(run: Run, settings: Settings, tokenizer: Tokenizer) -> Material:
    """As the settings' memory wants it. NoBooks, RunError as `Batches` and `Run.training_ids`."""
    return CountedMaterial(run, settings, tokenizer) if settings.model.memory == "counted" else Material(run, settings)
