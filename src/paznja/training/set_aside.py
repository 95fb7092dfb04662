"""Learning with a counted memory: the books are set aside in turn, and the network learns on them with the memory of all others.

A network that used a memory of the very books it reads would learn to trust it blindly. So the books are dealt into groups; while
the network learns on one, what was counted in it is left out of the evidence. If there are few books, parts of them are dealt.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paznja.memory.contexts import Lettering
from paznja.memory.counted import CountedMemory, Row, from_arrays, to_arrays
from paznja.memory.evidence import Evidence
from paznja.memory.recall import Text
from paznja.training.batches import Batch, Batches
from paznja.world import World, parts_of
from paznja.world.alone import Alone

GROUPS = 8
"""How many groups there are: without an eighth of the books, the memory is hardly weaker."""

_SHORTEST = 1000
"""The fewest tokens in a part that a book is cut into."""


def groups(lengths: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """The stretches (S, 2) of every group, ascending; every token is in one group. `lengths`: of the books, in order."""
    total = sum(lengths)
    starts = np.cumsum([0, *lengths])
    generator = np.random.default_rng([seed, 0x5E7])
    if max(lengths) <= total / GROUPS and len(lengths) >= 2 * GROUPS:
        parts = [(int(start), int(start) + length) for start, length in zip(starts, lengths, strict=False)]
    else:
        parts = []
        for start, length in zip(starts, lengths, strict=False):
            number = max(1, min(GROUPS, length // _SHORTEST))
            edges = [int(start) + length * i // number for i in range(number + 1)]
            parts += itertools.pairwise(edges)
    order = generator.permutation(len(parts))
    dealt: list[list[tuple[int, int]]] = [[] for _ in range(GROUPS)]
    sizes = [0] * GROUPS
    for i in order:
        smallest = sizes.index(min(sizes))
        dealt[smallest].append(parts[i])
        sizes[smallest] += parts[i][1] - parts[i][0]
    return [np.array(sorted(group), np.int64) for group in dealt if group]


class Turns:
    """The memory and the batches: every group of books has a turn, in which each of its windows is drawn once.

    At the beginning of a turn everything is counted again, with that group apart, which takes seconds. As with `Batches`, the
    position is `windows_drawn` alone.
    """

    def __init__(
        self,
        ids: NDArray[np.uint16],
        lengths: Sequence[int],
        lettering: Lettering,
        context: int,
        batch: int,
        seed: int,
        *,
        threads: int,
        world: World | None = None,
    ) -> None:
        """`lengths`: how many of the `ids` belong to each book, in order."""
        self._ids, self._lettering, self._threads, self._world = ids, lettering, threads, world or Alone()
        self._context, self._batch, self._seed = context, batch, seed
        self._groups = [group for group in groups(lengths, seed) if _size(group) >= 2 * context + 1] or [np.array([[0, len(ids)]])]
        self.windows_drawn = 0
        """How many windows were drawn since the start of the run."""
        self._turn = -1
        self._drawn_before = 0

    @property
    def memory(self) -> CountedMemory:
        """The memory in this turn: it counts all books, and can leave out what is set aside."""
        self.prepare()
        return self._memory

    @property
    def set_aside(self) -> Text:
        """The books that are set aside in this turn."""
        self.prepare()
        return self._text

    def begins(self) -> bool:
        """Whether a new turn begins with the next batch."""
        return self._turn_of(self.windows_drawn)[0] != self._turn

    def prepare(self) -> None:
        """Count if a new turn has begun."""
        turn, drawn_before = self._turn_of(self.windows_drawn)
        if turn == self._turn:
            return
        self.__dict__.pop("_memory", None)  # there is not room for two of them
        group = self._groups[turn % len(self._groups)]
        self._memory = self._count(group)
        lengths = group[:, 1] - group[:, 0]
        ends = np.cumsum(lengths)
        ids = np.concatenate([self._ids[start:stop] for start, stop in group])
        self._text = Text(ids, self._lettering, np.stack((ends - lengths, ends), axis=1))
        self._batches = Batches(ids, self._context, self._batch, self._seed)
        self._turn, self._drawn_before = turn, drawn_before

    def next(self, learning: int = 1) -> Batch:
        """The next batch, with evidence as if its books had not been counted, for this process's part of it.

        `learning`: how many processes have a part.
        """
        self.prepare()
        epoch = self._turn // len(self._groups)
        self._batches.windows_drawn = epoch * self._windows_in(self._turn) + self.windows_drawn - self._drawn_before
        starts = self._batches.starts()
        windows = self._batches.windows(starts)
        self.windows_drawn += self._batch
        parts = parts_of(self._batch, learning, self._world.size)
        return windows._replace(evidence=self._evidence(starts[parts[self._world.rank] : parts[self._world.rank + 1]]))

    def at_random(self, seed: int) -> Batch:
        """A batch of windows from anywhere in what is set aside; it does not change the position."""
        self.prepare()
        starts = np.random.default_rng([self._seed, seed]).integers(0, self._text.length - self._context, self._batch)
        return self._batches.windows(starts)._replace(evidence=self._evidence(starts))

    def _count(self, group: NDArray[np.int64]) -> CountedMemory:
        """Count with this group apart. Where processes share memory, process 0 counts for all of them, with as many threads as they are."""
        world = self._world
        if world.size == 1 or not world.shares_memory:
            return CountedMemory.count(self._ids, self._lettering, set_aside=group, threads=self._threads)
        arrays: list[NDArray[Any]] | None = None
        if world.rank == 0:
            world.tell({"do": "count"})
            arrays = to_arrays(CountedMemory.count(self._ids, self._lettering, set_aside=group, threads=self._threads * world.size))
        return from_arrays(self._lettering, world.publish(arrays))

    def _evidence(self, starts: NDArray[np.int64]) -> Evidence:
        rows = [Row(self._text, start + 1, start + 1 + self._context, learning=True) for start in starts.tolist()]
        return self._memory.look_up(rows, self._context, threads=self._threads)

    def _windows_in(self, turn: int) -> int:
        """How many windows the whole batches of a turn have."""
        windows = (_size(self._groups[turn % len(self._groups)]) - self._context - 1) // self._context
        return max(1, windows // self._batch) * self._batch

    def _turn_of(self, windows_drawn: int) -> tuple[int, int]:
        """The turn that the next window belongs to, and how many windows were drawn before that turn."""
        in_all_turns = sum(self._windows_in(turn) for turn in range(len(self._groups)))
        epoch, left = divmod(windows_drawn, in_all_turns)
        turn = epoch * len(self._groups)
        while left >= self._windows_in(turn):
            left -= self._windows_in(turn)
            turn += 1
        return turn, windows_drawn - left


def _size(group: NDArray[np.int64]) -> int:
    return int((group[:, 1] - group[:, 0]).sum())
