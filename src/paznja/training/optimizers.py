"""The optimizers: Muon for matrices, Adagrad for the memory's table, AdamW for the rest; together they can be saved and restored.

Muon (Keller Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024) turns each matrix's momentum
into the nearest orthogonal matrix by Newton-Schulz iterations. Ours iterates in the precision of the training, over all matrices of
one shape at once: `torch.optim.Muon` iterates in bfloat16, which a CPU without bf16 units emulates many times slower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from paznja.config import TrainingConfig
from paznja.model.transformer import Block, Transformer

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, from the article on Muon: singular values end up between about 0.7 and 1.2."""

NEWTON_SCHULZ_STEPS = 5


def orthogonalise(matrices_NRC: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Make N matrices of R rows and C >= R columns nearly orthogonal: singular values near 1, the same singular vectors.

    Computes in `precision`; returns float32.
    """
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    x = (matrices_NRC / (matrices_NRC.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.float()


class Muon:
    """Muon for the given matrices. Each is split along its rows into equal `parts`: fused matrices are orthogonalised one by one."""

    def __init__(
        self, matrices: Sequence[tuple[nn.Parameter, int]], momentum: float = 0.95, precision: torch.dtype = torch.float32
    ) -> None:
        self.momentum, self._precision = momentum, precision
        groups: dict[tuple[int, int], list[nn.Parameter]] = {}
        for parameter, parts in matrices:
            rows, columns = parameter.shape[0] // parts, parameter.shape[1]
            groups.setdefault((min(rows, columns), max(rows, columns)), []).append(parameter)
        self._parts = {id(parameter): parts for parameter, parts in matrices}
        self._groups = list(groups.values())
        self._buffers = [torch.zeros_like(self._stack([p.data for p in group], group)) for group in self._groups]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every matrix by its orthogonalised Nesterov momentum."""
        for group, buffer in zip(self._groups, self._buffers, strict=True):
            gradients = self._stack([_gradient(p) for p in group], group)
            buffer.lerp_(gradients, 1 - self.momentum)
            updates = orthogonalise(gradients.lerp_(buffer, self.momentum), self._precision)
            start = 0
            for parameter in group:
                parts = self._parts[id(parameter)]
                update = updates[start : start + parts]
                start += parts
                rows, columns = parameter.shape[0] // parts, parameter.shape[1]
                if rows > columns:
                    update = update.mT
                scale = math.sqrt(max(1.0, rows / columns))
                parameter.add_(update.reshape(parameter.shape), alpha=-learning_rate * scale)

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything that has to survive a restart, by name."""
        return {f"muon.{i}": buffer for i, buffer in enumerate(self._buffers)}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_tensors` returned."""
        for i, buffer in enumerate(self._buffers):
            buffer.copy_(state[f"muon.{i}"])

    def _stack(self, tensors: list[Tensor], group: list[nn.Parameter]) -> Tensor:
        """All matrices of a group as (N, R, C) with R <= C."""
        pieces: list[Tensor] = []
        for tensor, parameter in zip(tensors, group, strict=True):
            for piece in tensor.chunk(self._parts[id(parameter)]):
                pieces.append(piece.T if piece.shape[0] > piece.shape[1] else piece)
        return torch.stack(pieces)


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101) for groups of (parameters, weight decay).

    Our own, because any optimizer of `torch.optim` imports torch's whole compiler: more than a second before the first iteration.
    """

    EPSILON = 1e-10

    def __init__(self, groups: Sequence[tuple[Sequence[nn.Parameter], float]], betas: tuple[float, float] = (0.9, 0.95)) -> None:
        self._parameters = [parameter for parameters, _ in groups for parameter in parameters]
        self._decays = [decay for parameters, decay in groups for _ in parameters]
        self._betas = betas
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every parameter."""
        self._steps += 1
        beta1, beta2 = self._betas
        rate = learning_rate / (1 - beta1**self._steps)
        root = math.sqrt(1 - beta2**self._steps)
        for parameter, decay, mean, square in zip(self._parameters, self._decays, self._means, self._squares, strict=True):
            gradient = _gradient(parameter)
            mean.lerp_(gradient, 1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            if decay:
                parameter.mul_(1 - learning_rate * decay)
            parameter.addcdiv_(mean, square.sqrt().div_(root).add_(self.EPSILON), value=-rate)

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything that has to survive a restart, by name."""
        state = {"adamw.steps": torch.tensor(self._steps)}
        for i, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            state |= {f"adamw.{i}.mean": mean, f"adamw.{i}.square": square}
        return state

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_tensors` returned."""
        self._steps = int(state["adamw.steps"])
        for i, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            mean.copy_(state[f"adamw.{i}.mean"])
            square.copy_(state[f"adamw.{i}.square"])


class RowAdagrad:
    """Adagrad (Duchi and others, 2011) for the rows of a table, with one mean square per row; updates only rows that were looked up.

    A row that is seen often slows down, a rare one still moves by the whole learning rate; and the state is one number per row.

    Shapes: L look-ups, U different rows among them, R rows in the table, W width of a row.
    """

    EPSILON = 1e-20

    def __init__(self, table: nn.Parameter) -> None:
        self._table = table
        self._squares_R = torch.zeros(table.shape[0], device=table.device)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every row that has a gradient, which is sparse, like that of an embedding."""
        gradient = _gradient(self._table)
        # Does the same as `coalesce`, in half the time.
        rows_U, places_L = torch.unique(gradient._indices()[0], return_inverse=True)
        sums_UW = self._table.new_zeros(len(rows_U), self._table.shape[1]).index_add_(0, places_L, gradient._values())
        lengths_U = torch.linalg.vector_norm(sums_UW, dim=1)
        self._squares_R.index_add_(0, rows_U, lengths_U.square_().div_(self._table.shape[1]))
        scales_U = self._squares_R.index_select(0, rows_U).add_(self.EPSILON).rsqrt_()
        self._table.index_add_(0, rows_U, sums_UW.mul_(scales_U[:, None]), alpha=-learning_rate)

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything that has to survive a restart, by name."""
        return {"memory.squares": self._squares_R}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_tensors` returned."""
        self._squares_R.copy_(state["memory.squares"])


class Optimizers:
    """All optimizers of one network, with one `step`."""

    def __init__(self, model: Transformer, config: TrainingConfig) -> None:
        self._parameters = list(model.parameters())
        self._clip = config.clip
        matrices: list[tuple[nn.Parameter, int]] = []
        for block in model.blocks:
            assert isinstance(block, Block)
            matrices += [(block.qkv, 3), (block.out, 1), (block.gate_up, 2), (block.down, 1)]
        if config.optimizer != "muon":
            matrices = []
        table = None if model.memory is None else model.memory.table
        self._clipped = [parameter for parameter in self._parameters if parameter is not table]
        by_muon = {id(parameter) for parameter, _ in matrices}
        rest = [parameter for parameter in self._clipped if id(parameter) not in by_muon]
        decaying = [parameter for parameter in rest if parameter.ndim == 2]
        precision = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
        self._optimizers: list[tuple[Muon | AdamW | RowAdagrad, float]] = [
            *([(Muon(matrices, precision=precision), config.matrix_learning_rate)] if matrices else []),
            (AdamW([(decaying, config.weight_decay), ([p for p in rest if p.ndim < 2], 0.0)]), config.learning_rate),
            *([(RowAdagrad(table), config.memory_learning_rate)] if table is not None else []),
        ]

    def step(self, factor: float) -> float:
        """Clip the gradients, update the weights at `factor` times the peak learning rates, clear the gradients.

        Returns the gradients' norm before clipping. The memory's table is neither counted in it nor clipped: how far its rows move does not
        depend on the size of their gradients.
        """
        norm = float(nn.utils.clip_grad_norm_(self._clipped, self._clip, foreach=True))
        for optimizer, peak in self._optimizers:
            optimizer.step(peak * factor)
        for parameter in self._parameters:
            parameter.grad = None
        return norm

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything that has to survive a restart, by name."""
        return {name: tensor for optimizer, _ in self._optimizers for name, tensor in optimizer.state_tensors().items()}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_tensors` returned."""
        for optimizer, _ in self._optimizers:
            optimizer.load_state_tensors(state)


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None, "every matrix takes part in every iteration"
    return parameter.grad
