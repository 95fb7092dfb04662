"""What a trainer with a counted memory learns from and is scored on: the books are set aside in turn (`set_aside.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paznja.config import Settings
from paznja.evaluation.bits_per_character import Piece, places_spread
from paznja.memory.contexts import Lettering
from paznja.memory.counted import CountedMemory
from paznja.memory.remembered import Remembered
from paznja.model.transformer import Transformer
from paznja.run import Run
from paznja.tokenizers import Tokenizer
from paznja.training.batches import Batch
from paznja.training.events import Counting
from paznja.training.material import TRAINING_SHARE
from paznja.training.set_aside import Turns
from paznja.training.trusting import fit_trust
from paznja.world import World


class CountedMaterial:
    """For a network with a counted memory."""

    memory: CountedMemory | None = None
    training_part: list[Piece]

    def __init__(self, run: Run, settings: Settings, tokenizer: Tokenizer, ids: Path | None, world: World | None = None) -> None:
        model, training = settings.model, settings.training
        self._newline, self._threads = tokenizer.newline, training.threads
        self._scored_tokens = training.scored_tokens
        self.held_out = run.held_out_ids(ids)
        self._places = places_spread([len(book) for book in self.held_out], training.scored_tokens)
        self.held_out_part = [self.held_out[book][start:stop] for book, start, stop in self._places]
        lengths = [book.tokens for book in run.books() if not book.held_out]
        lettering = Lettering.of(tokenizer)
        self._turns = Turns(
            run.training_ids(ids),
            lengths,
            lettering,
            model.context,
            training.batch,
            training.seed,
            threads=training.threads,
            world=world,
        )
        self._remembered: Remembered | None = None
        self._whole: Remembered | None = None

    def begin(self, model: Transformer, *, new: bool) -> Iterator[Counting]:
        """Count; for a new run, fit how far to trust what was counted."""
        yield Counting()
        self.count()
        assert self.memory is not None
        assert model.weighing is not None
        if new:
            model.weighing.get_buffer("base").copy_(torch.from_numpy(np.log(self.memory.tables.base)))
            fit_trust(model.weighing, self._turns)

    def next(self, learning: int = 1) -> Batch:
        self.count()
        return self._turns.next(learning)

    def remembered(self, *, whole: bool) -> Remembered:
        assert self.memory is not None
        if whole:
            self._remembered = None
            if self._whole is None:
                self._whole = Remembered(self.memory, self._newline, self.held_out, threads=self._threads)
            return self._whole
        self._whole = None
        if self._remembered is None:
            books = len(self.held_out)
            texts, learning = [*self.held_out, self._training_text], [False] * books + [True]
            places = [*self._places, *((books, start, stop) for _, start, stop in self._training_places)]
            self._remembered = Remembered(self.memory, self._newline, texts, places, learning=learning, threads=self._threads)
        return self._remembered

    def state_dict(self) -> dict[str, Any]:
        return {"windows_drawn": self._turns.windows_drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._turns.windows_drawn = state["windows_drawn"]

    def count(self) -> None:
        """If a new turn has begun, other books are set aside: then take the training part from those."""
        if self._turns.begins():
            self.memory = self._remembered = self._whole = None  # there is not room for two of them
            self._turns.prepare()
            self.memory = self._turns.memory
            self._training_text = self._turns.set_aside.ids
            self._training_places = places_spread([len(self._training_text)], self._scored_tokens // TRAINING_SHARE)
            self.training_part = [self._training_text[start:stop] for _, start, stop in self._training_places]
