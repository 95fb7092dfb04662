"""What a trainer learns from and is scored on: batches of the training books, and fixed parts of both kinds of books.

`counted_material.py` has the same for a network with a counted memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from paznja.config import Settings
from paznja.evaluation.bits_per_character import Piece, spread
from paznja.model.transformer import Transformer
from paznja.run import Run
from paznja.tokenizers import Tokenizer
from paznja.training.batches import Batch, Batches
from paznja.training.events import Counting
from paznja.world import World

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory
    from paznja.memory.remembered import Remembered

TRAINING_SHARE = 4
"""How many times smaller the fixed part of the training books is than that of the held-out books."""


class Material(Protocol):
    """What the trainer needs."""

    memory: CountedMemory | None
    held_out: list[Piece]
    """Every held-out book."""
    held_out_part: list[Piece]
    """The fixed part of them that is scored at the rows."""
    training_part: list[Piece]
    """The fixed part of the training books."""

    def begin(self, model: Transformer, *, new: bool) -> Iterator[Counting]:
        """Do what has to be done before the first batch; `new` says that the run is new, not resumed."""
        ...

    def count(self) -> None:
        """Count again, if the next batch needs it and there is a counted memory."""
        ...

    def next(self, learning: int = 1) -> Batch:
        """The next batch, for so many processes that learn from it."""
        ...

    def remembered(self, *, whole: bool) -> Remembered | None:
        """What the memory says about the fixed parts (the held-out one first) or, if `whole`, about all held-out books."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class PlainMaterial:
    """For a network without a counted memory."""

    memory: CountedMemory | None = None

    def __init__(self, run: Run, settings: Settings, ids: Path | None) -> None:
        """Raises NoBooks and RunError as `Batches` and `Run.training_ids` do. `ids`: their file, if the run does not keep it."""
        model, training = settings.model, settings.training
        training_ids, self.held_out = run.training_ids(ids), run.held_out_ids(ids)
        self.held_out_part = spread(self.held_out, training.scored_tokens)
        self.training_part: list[Piece] = spread([training_ids], training.scored_tokens // TRAINING_SHARE)
        self._batches = Batches(training_ids, model.context, training.batch, training.seed)

    def begin(self, model: Transformer, *, new: bool) -> Iterator[Counting]:
        yield from ()

    def count(self) -> None:
        """There is nothing to count."""

    def next(self, learning: int = 1) -> Batch:
        return self._batches.next()

    def remembered(self, *, whole: bool) -> Remembered | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"windows_drawn": self._batches.windows_drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._batches.windows_drawn = state["windows_drawn"]


def material_for(run: Run, settings: Settings, tokenizer: Tokenizer, ids: Path | None = None, world: World | None = None) -> Material:
    """The material for these settings' memory. `ids`: the file with the books' ids, if the run does not keep it.

    Raises NoBooks and RunError as `Batches` and `Run.training_ids` do.
    """
    if settings.model.memory != "counted":
        return PlainMaterial(run, settings, ids)
    from paznja.training.counted_material import CountedMaterial  # which needs numba

    return CountedMaterial(run, settings, tokenizer, ids, world)
