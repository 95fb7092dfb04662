"""What learns: the network and its optimizers, on one device. Knows nothing about books, budgets or folders."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from paznja.training.threads import Threads

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory


class Learner:
    """The network and its optimizers; `step` is one iteration."""

    def __init__(
        self,
        model: ModelConfig,
        training: TrainingConfig,
        *,
        threads: Threads | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """A network with the initial weights that the seed gives. `threads` reconsiders their number, by the clock `now`."""
        torch.set_num_threads(training.threads)
        keep_freed_memory()
        self.config = model
        self.device = torch.device(training.device)
        self.precision = PRECISIONS[training.precision]
        self.model = blank(model, training.seed).to(self.device)
        self.optimizers = Optimizers(self.model, training)
        self.sound = True
        """Whether the network has the weights that were learnt last."""
        self.rethreaded: int | None = None
        """The new number of threads, if the last iteration changed it."""
        self._network = compiled(self.model) if training.compiled else self.model
        self._threads = threads or Threads(training.threads, ())
        self._now = now

    def step(self, batch: Batch, factor: float) -> float:
        """Learn from a batch, at `factor` times the peak learning rates; returns the loss in nats a token.

        Not a number if the loss or the gradients' norm is not finite.
        """
        start = self._now()
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            loss = self._network(batch.ids.to(self.device), batch.next_ids.to(self.device), batch.evidence)
        loss.backward()
        nats, norm = self.optimizers.step(factor, float(loss.detach()))
        self.rethreaded = self._threads.took(self._now() - start)
        torch.set_num_threads(self._threads.number)
        return nats if math.isfinite(nats) and math.isfinite(norm) else math.nan

    def decoder(self, memory: CountedMemory | None) -> Decoder:
        """What the network would write at this moment, with the counted memory if there is one."""
        state = {name: tensor.float().cpu().numpy() for name, tensor in self.model.state_for_export().items()}
        return Decoder(self.config, state, memory)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint keeps, by its file: the weights, and the optimizers' state."""
        return {WEIGHTS: self.model.state_for_export(), OPTIMIZER: self.optimizers.state_tensors()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restore what `state_dict` returned; KeyError, RuntimeError or ValueError if it does not fit."""
        self.model.load_exported(state[WEIGHTS])
        self.optimizers.load_state_tensors(state[OPTIMIZER])

    @contextmanager
    def other_weights(self, state: Mapping[str, Tensor]) -> Iterator[None]:
        """Inside the block the network has these weights, with the names of `Transformer.state_for_export`."""
        current = {name: tensor.clone() for name, tensor in self.model.state_for_export().items()}
        self.sound = False
        self.model.load_exported(state)
        try:
            yield
        finally:
            self.model.load_exported(current)
            self.sound = True


def blank(config: ModelConfig, seed: int) -> Transformer:
    """A network with the initial weights that this seed gives."""
    return Transformer(config, torch.Generator().manual_seed(seed))


def compiled(model: Transformer) -> Callable[..., Tensor]:
    if model.memory is not None:  # it notes what was looked up, which cannot be compiled
        model.memory.forward = torch.compiler.disable(model.memory.forward)  # pyright: ignore[reportAttributeAccessIssue]
    return torch.compile(model)
