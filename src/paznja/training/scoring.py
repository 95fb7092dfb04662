"""Scoring held-out text while the network learns; where several processes train together, each scores its part of the windows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import islice

import torch

from paznja.evaluation.bits_per_character import Piece, Window, bits_of_windows, windows_to_score
from paznja.training.learner import Learner
from paznja.training.material import Material
from paznja.world import World, edges

PASSES_AT_ONCE = 4
"""Passes that each process scores before process 0 looks whether a stop is asked for."""

Score = Callable[..., Generator[tuple[int, int], None, list[float]]]
"""Scores texts, like `paznja.evaluation.bits_per_character.score`."""


class Scorer:
    """Scores the material of one training with the weights that the learner has."""

    def __init__(self, learner: Learner, material: Material, newline: int, world: World, score: Score) -> None:
        """`newline`: the id of a line's end; `score`: what one process alone scores with."""
        self._learner, self._material, self._newline, self._world, self._score = learner, material, newline, world, score
        self._passes: Iterator[list[Window]] = iter(())
        """What `take_part` has not scored yet."""
        # A CPU scores in float32, whatever the precision of the training, so that `evaluate` gives the same figure.
        self._precision = torch.float32 if learner.device.type == "cpu" else learner.precision

    def score(self, *, whole: bool) -> Generator[tuple[int, int], None, list[float]]:
        """Score all held-out books if `whole`, otherwise the fixed parts, the held-out one first; for process 0.

        Yields (tokens done, total tokens) on the way; returns the bits for each piece.
        """
        pieces = self._pieces(whole)
        if self._world.size == 1:
            remembered = self._material.remembered(whole=whole)
            return (yield from self._score(self._learner.model, pieces, self._newline, precision=self._precision, remembered=remembered))
        bits = [0.0] * len(pieces)
        total, done = sum(map(len, pieces)), 0
        passes = iter(windows_to_score(pieces, self._learner.model.context, self._newline))
        start = 0
        while there := list(islice(passes, PASSES_AT_ONCE * self._world.size)):
            self._world.tell({"do": "score", "whole": whole, "start": start, "stop": start + len(there)})
            for window, its_bits in self._share_out(there, whole=whole):
                bits[window.text] += its_bits
                done += window.num_scored
            start += len(there)
            yield done, total
        return bits

    def take_part(self, *, whole: bool, start: int, stop: int) -> None:
        """Every other process's part: the passes from `start` to `stop` - 1, which follow each other from 0 on."""
        if start == 0:
            self._material.count()
            self._passes = iter(windows_to_score(self._pieces(whole), self._learner.model.context, self._newline))
        self._share_out(list(islice(self._passes, stop - start)), whole=whole)

    def _share_out(self, passes: list[list[Window]], *, whole: bool) -> list[tuple[Window, float]]:
        """Score these passes together; returns every window with its bits."""
        world, remembered = self._world, self._material.remembered(whole=whole)
        parts = edges(len(passes), world.size)
        ours = passes[parts[world.rank] : parts[world.rank + 1]]
        scored = [
            bits
            for windows in ours
            for bits in bits_of_windows(self._learner.model, windows, precision=self._precision, remembered=remembered)
        ]
        lengths = [sum(map(len, passes[parts[rank] : parts[rank + 1]])) for rank in range(world.size)]
        bits = world.gather({"bits": torch.tensor(scored, dtype=torch.float64).view(-1, 1)}, lengths)["bits"]
        return list(zip((window for windows in passes for window in windows), torch.cat(bits).flatten().tolist(), strict=True))

    def _pieces(self, whole: bool) -> list[Piece]:
        material = self._material
        return material.held_out if whole else [*material.held_out_part, *material.training_part]
