"""What learns: the network and its optimizers, on one device. Knows nothing about books, budgets or folders.

Where several processes train together, each has a learner. Process 0's tells the others what it is about to do, and they do the same
(`follower.py`); each learns from its part of every batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from paznja.config import ModelConfig, TrainingConfig
from paznja.machine import PRECISIONS, keep_freed_memory
from paznja.model.decoder import Decoder
from paznja.model.transformer import Transformer
from paznja.run.layout import OPTIMIZER, WEIGHTS
from paznja.training.batches import Batch
from paznja.training.optimizers import Optimizers
from paznja.training.slowest import Slow, Slowest
from paznja.training.workers import Workers
from paznja.world import World, edges, parts_of
from paznja.world.alone import Alone

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory


_BETWEEN_COMPARISONS = 10.0
"""Seconds between two moments in which processes that share no memory say how long they have computed."""


class Learner:
    """The network and its optimizers; `step` is one iteration."""

    def __init__(
        self,
        model: ModelConfig,
        training: TrainingConfig,
        *,
        world: World | None = None,
        workers: Workers | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """A network with the initial weights that the seed gives.

        `workers` reconsiders the number of processes that learn or, for one process, of its threads, by the clock `now`.
        """
        self._world = world = world or Alone(training.device)
        torch.set_num_threads(training.threads)
        keep_freed_memory()
        self.config = model
        self.device = torch.device(training.device)
        self.precision = PRECISIONS[training.precision]
        self.model = blank(model, training.seed).to(self.device, torch.float64 if self.precision == torch.float64 else torch.float32)
        self.optimizers = Optimizers(self.model, training, world)
        if self.model.weighing is not None:
            self.model.weighing.move_base(world.buffer(model.vocabulary, self.model.embedding.dtype))
        self.slow: Slow | None = None
        """The process that all wait for, if the last iteration has shown one."""
        self._slowest = Slowest()
        self._computed = self._compared = 0.0
        """Seconds for each window that this process has computed since the processes were compared, summed; when that was."""
        self._accumulate = max(1, training.accumulate)
        self.model.recompute = training.recompute
        self.sound = True
        """Whether the network has the weights that were learnt last."""
        self.regrouped: int | None = None
        """The new number of threads or of processes that learn, if the last iteration changed it."""
        self._network = compiled(self.model) if training.compiled else self.model
        self._workers = workers or Workers(training.threads if world.size == 1 else world.size, ())
        self._now = now

    def step(self, batch: Batch, factor: float, began: float | None = None) -> float:
        """Learn from a batch, at `factor` times the peak learning rates; returns the loss in nats a token.

        Not a number if the loss or the gradients' norm is not finite. `began`: when the batch was asked for; the others do that only now.
        """
        start = self._now() if began is None else began
        self._world.tell({"do": "learn", "factor": factor, "learning": self.learning})
        nats = self.learn(batch, factor, self.learning)
        self.regrouped = self._workers.took(self._now() - start)
        if self._world.size == 1:
            torch.set_num_threads(self._workers.number)
        self.slow = self._compare()
        return nats

    @property
    def learning(self) -> int:
        """How many of the processes learn from the next batch, usually all of them: each from a part of it."""
        return 1 if self._world.size == 1 else self._workers.number

    def learn(self, batch: Batch, factor: float, learning: int) -> float:
        """This process's part of `step`; the first `learning` processes have one each, and all move the weights."""
        windows, positions = parts_of(len(batch.ids), learning, self._world.size), batch.ids.shape[1]
        first, last = windows[self._world.rank], windows[self._world.rank + 1]
        losses: list[Tensor] = []
        start = time.perf_counter()
        in_parts = self._accumulate * -(-self._world.size // learning)  # so that they need no more memory than if all learnt
        for begin, end in pairwise(edges(last - first, min(in_parts, last - first))):
            ids, next_ids = (whole[first + begin : first + end].to(self.device) for whole in (batch.ids, batch.next_ids))
            evidence = None if batch.evidence is None else batch.evidence.part(begin * positions, end * positions)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision == torch.bfloat16):
                loss = self._network(ids, next_ids, evidence) * ((end - begin) / len(batch.ids))
            self.optimizers.early.is_last_backward = end == last - first
            loss.backward()
            losses.append(loss.detach())
        nats = float(sum(losses))
        if first < last:
            self._computed += (time.perf_counter() - start) / (last - first)
        nats, norm = self.optimizers.step(factor, nats, [positions * (end - begin) for begin, end in pairwise(windows)])
        return nats if math.isfinite(nats) and math.isfinite(norm) else math.nan

    def _compare(self) -> Slow | None:
        """Now and then, look for a process that all others wait for; those of one machine have the same processor."""
        if self._world.size == 1 or self._world.shares_memory:
            return None
        now = self._now()
        self._compared = self._compared or now
        if now - self._compared < _BETWEEN_COMPARISONS:
            return None
        self._compared = now
        self._world.tell({"do": "compare"})
        return self._slowest.look(self.take_part_in_comparing())

    def take_part_in_comparing(self) -> list[float]:
        """What `_computed` is for each process; it begins anew."""
        seconds, self._computed = self._computed, 0.0
        everybodys = self._world.gather({"seconds": torch.tensor([[seconds]], dtype=torch.float64)}, [1] * self._world.size)
        return torch.cat(everybodys["seconds"]).flatten().tolist()

    def adopt(self) -> None:
        """After this process has changed weights or state: give them to all others."""
        self._world.tell({"do": "adopt"})
        self.take_part_in_adopting()

    def take_part_in_adopting(self) -> None:
        """Every process's part of `adopt`."""
        self.optimizers.adopt()
        if self.model.weighing is not None:
            self._world.adopt(self.model.weighing.get_buffer("base"))

    def decoder(self, memory: CountedMemory | None) -> Decoder:
        """What the network would write at this moment, with the counted memory if there is one."""
        state = {name: tensor.float().cpu().numpy() for name, tensor in self.model.state_for_export().items()}
        return Decoder(self.config, state, memory)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint keeps, by its file: the weights, and the optimizers' state."""
        self._world.tell({"do": "complete"})
        self.optimizers.complete()
        return {WEIGHTS: self.model.state_for_export(), OPTIMIZER: self.optimizers.state_tensors()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restore what `state_dict` returned; KeyError, RuntimeError or ValueError if it does not fit."""
        self.model.load_exported(state[WEIGHTS])
        self.optimizers.load_state_tensors(state[OPTIMIZER])
        self.adopt()

    @contextmanager
    def other_weights(self, state: Mapping[str, Tensor]) -> Iterator[None]:
        """Inside the block the network has these weights, with the names of `Transformer.state_for_export`."""
        current = {name: tensor.clone() for name, tensor in self.model.state_for_export().items()}
        self.sound = False
        self._load(state)
        try:
            yield
        except KeyboardInterrupt:  # perhaps while the processes waited for each other, which then cannot do anything together any more
            raise
        except BaseException:
            self._load(current)
            raise
        self._load(current)
        self.sound = True

    def _load(self, state: Mapping[str, Tensor]) -> None:
        self.model.load_exported(state)
        self._world.tell({"do": "adopt weights"})
        self.optimizers.adopt_weights()


def blank(config: ModelConfig, seed: int) -> Transformer:
    """A network with the initial weights that this seed gives."""
    return Transformer(config, torch.Generator().manual_seed(seed))


def compiled(model: Transformer) -> Callable[..., Tensor]:
    if model.memory is not None:  # it notes what was looked up, which cannot be compiled
        model.memory.forward = torch.compiler.disable(model.memory.forward)  # pyright: ignore[reportAttributeAccessIssue]
    return torch.compile(model)
