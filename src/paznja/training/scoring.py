"""Scoring held-out text while the network learns; where several processes train together, each scores its part of the windows."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise

import torch

from paznja.evaluation.bits_per_character import Piece, Window, bits_of_windows, windows_to_score
from paznja.training.learner import Learner
from paznja.training.material import Material
from paznja.world import World, edges

PASSES_AT_ONCE = 4
"""Passes that each process scores before process 0 looks whether a stop is asked for."""

Score = Callable[..., Generator[tuple[int, int], None, list[float]]]
"""Scores texts, like `paznja.evaluation.bits_per_character.score`."""


def scoring_precision(learner: Learner) -> torch.dtype:
    """The precision of a scoring: a CPU scores in float32, whatever that of the training, so that `evaluate` gives the same figure."""
    return torch.float32 if learner.device.type == "cpu" else learner.precision


class Scorer:
    """Scores the material of one training with the weights that the learner has."""

    def __init__(self, learner: Learner, material: Material, newline: int, world: World, score: Score) -> None:
        """`newline`: the id of a line's end; `score`: what one process alone scores with."""
        self._learner, self._material, self._newline, self._world, self._score = learner, material, newline, world, score
        self._passes: Iterator[list[Window]] = iter(())
        """What `take_part` has not scored yet."""
        self._scored_ahead: list[tuple[Window, float]] = []
        """What the others have scored of the fixed parts inside `ahead`, with the bits."""
        self._passes_ahead = 0
        self.tokens_ahead = 0
        """How many tokens the last scoring of the fixed parts found scored already."""
        self._busy_seconds = self._pass_seconds = 0.0
        """How long process 0 did something else inside `ahead`, and how long a pass takes it, the last time."""
        self._precision = scoring_precision(learner)

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
        start, scored = (0, []) if whole else (self._passes_ahead, self._scored_ahead)
        self._passes_ahead, self._scored_ahead = 0, []
        self.tokens_ahead = sum(window.num_scored for window, _ in scored)
        passes = islice(self._all_passes(whole=whole), start, None)
        while True:
            for window, its_bits in scored:
                bits[window.text] += its_bits
                done += window.num_scored
            if start:
                yield done, total
            there = list(islice(passes, PASSES_AT_ONCE * self._world.size))
            if not there:
                return bits
            self._tell(start, len(there), whole=whole, ahead=False)
            scored = self._share_out(there, edges(len(there), self._world.size), whole=whole)
            start += len(there)

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Inside the block the others score the first passes of the fixed parts, while process 0 is busy; `score` does the rest.

        Afterwards the processes are in step again, whatever happens in the block; except for a second Ctrl-C, after which they end.
        """
        each = max(1, int(self._busy_seconds / self._pass_seconds)) if self._pass_seconds else 1
        passes = list(self._all_passes(whole=False)) if self._world.size > 1 else []
        # A pass for every process is left, which shows how fast they are.
        passes = passes[: max(0, min(each * (self._world.size - 1), len(passes) - self._world.size))]
        if not passes:
            yield
            return
        self._tell(0, len(passes), whole=False, ahead=True)
        start = time.perf_counter()
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._gathered([], passes, self._parts_ahead(len(passes)))
            raise
        self._busy_seconds = time.perf_counter() - start
        self._scored_ahead = self._gathered([], passes, self._parts_ahead(len(passes)))
        self._passes_ahead = len(passes)

    def take_part(self, *, whole: bool, start: int, stop: int, ahead: bool) -> None:
        """Every other process's part: the passes from `start` to `stop` - 1, which follow each other from 0 on."""
        if start == 0:
            if self._material.memory is None:  # a counted memory may end with the last batch; the next one is not meant yet
                self._material.count()
            self._passes = self._all_passes(whole=whole)
        number = stop - start
        parts = self._parts_ahead(number) if ahead else edges(number, self._world.size)
        self._share_out(list(islice(self._passes, number)), parts, whole=whole)

    def _tell(self, start: int, number: int, *, whole: bool, ahead: bool) -> None:
        self._world.tell({"do": "score", "whole": whole, "start": start, "stop": start + number, "ahead": ahead})

    def _parts_ahead(self, number: int) -> list[int]:
        """Like `edges`, but nothing is for process 0."""
        return [0, *edges(number, self._world.size - 1)]

    def _share_out(self, passes: list[list[Window]], parts: Sequence[int], *, whole: bool) -> list[tuple[Window, float]]:
        """Score these passes together, each process from `parts[rank]` on; returns every window with its bits."""
        remembered = self._material.remembered(whole=whole)
        ours = passes[parts[self._world.rank] : parts[self._world.rank + 1]]
        start = time.perf_counter()
        bits = [
            bits
            for windows in ours
            for bits in bits_of_windows(self._learner.model, windows, precision=self._precision, remembered=remembered)
        ]
        self._pass_seconds = (time.perf_counter() - start) / len(ours) if ours else self._pass_seconds
        return self._gathered(bits, passes, parts)

    def _gathered(self, bits: Sequence[float], passes: list[list[Window]], parts: Sequence[int]) -> list[tuple[Window, float]]:
        """Every window of these passes with its bits, of which this process has those of its part."""
        lengths = [sum(map(len, passes[start:stop])) for start, stop in pairwise(parts)]
        ours = {"bits": torch.tensor(bits, dtype=torch.float64).view(-1, 1)}
        everybodys = torch.cat(self._world.gather(ours, lengths)["bits"])
        return list(zip((window for windows in passes for window in windows), everybodys.flatten().tolist(), strict=True))

    def _all_passes(self, *, whole: bool) -> Iterator[list[Window]]:
        return iter(windows_to_score(self._pieces(whole), self._learner.model.context, self._newline))

    def _pieces(self, whole: bool) -> list[Piece]:
        material = self._material
        return material.held_out if whole else [*material.held_out_part, *material.training_part]
