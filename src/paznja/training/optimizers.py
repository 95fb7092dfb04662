"""The optimizers: Muon for matrices, Adagrad for the memory's table, AdamW for the rest, behind one face that can be saved and restored.

Muon (Keller Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024) turns each matrix's momentum
into the nearest orthogonal matrix by Newton-Schulz iterations. Ours iterates in the precision of the training, over all matrices of
one shape at once: `torch.optim.Muon` iterates in bfloat16, which a CPU without bf16 units emulates many times slower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from paznja.config import TrainingConfig
from paznja.model.transformer import Block, Transformer

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, as the article on Muon gives them: singular values end up between about 0.7 and 1.2."""

NEWTON_SCHULZ_STEPS = 5


def orthogonalise(matrices_NRC: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """N matrices of R rows and C >= R columns, each made nearly orthogonal: singular values near 1, the same directions.

    Computed in this precision; float32 comes out.
    """
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    x = (matrices_NRC / (matrices_NRC.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.float()


class Cut(NamedTuple):
    """A matrix, and the pieces that are orthogonalised each by itself: so many, equal, along its rows (0) or columns (1).

    What Newton and Schulz's iterations cost grows with the square of a piece's shorter side: whole, the matrices of a wide network
    take as long as its forward and backward pass; and as pieces they learn as well (docs/learning-log.md).
    """

    matrix: nn.Parameter
    pieces: int = 1
    along: int = 0


class Muon:
    """Muon over the given matrices.

    A step's size is that of a whole matrix: the root mean square of its numbers is the rate over the root of the columns.
    """

    def __init__(self, cuts: Sequence[Cut], momentum: float = 0.95, precision: torch.dtype = torch.float32) -> None:
        self.momentum, self._precision = momentum, precision
        groups: dict[tuple[int, int], list[Cut]] = {}
        for cut in cuts:
            piece = cut.matrix.chunk(cut.pieces, cut.along)[0]
            groups.setdefault((min(piece.shape), max(piece.shape)), []).append(cut)
        self._groups = list(groups.values())
        self._buffers = [torch.zeros_like(_stack(group, [cut.matrix.data for cut in group])) for group in self._groups]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every matrix along its orthogonalised Nesterov momentum."""
        for group, buffer in zip(self._groups, self._buffers, strict=True):
            gradients = _stack(group, [_gradient(cut.matrix) for cut in group])
            buffer.lerp_(gradients, 1 - self.momentum)
            updates = orthogonalise(gradients.lerp_(buffer, self.momentum), self._precision)
            start = 0
            for matrix, pieces, along in group:
                moved = matrix.chunk(pieces, along)
                for piece, update in zip(moved, updates[start : start + pieces], strict=True):
                    scale = math.sqrt(max(piece.shape) / matrix.shape[1])
                    piece.add_(update.mT if piece.shape[0] > piece.shape[1] else update, alpha=-learning_rate * scale)
                start += pieces

    def state_tensors(self) -> dict[str, Tensor]:
        """What has to survive a restart, by name."""
        return {f"muon.{i}": buffer for i, buffer in enumerate(self._buffers)}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_tensors` gave."""
        for i, buffer in enumerate(self._buffers):
            buffer.copy_(state[f"muon.{i}"])


def _stack(group: Sequence[Cut], tensors: Sequence[Tensor]) -> Tensor:
    """All pieces of a group's matrices, or of tensors of their shapes, as (N, R, C) with R <= C."""
    pieces = [piece for cut, tensor in zip(group, tensors, strict=True) for piece in tensor.chunk(cut.pieces, cut.along)]
    return torch.stack([piece.T if piece.shape[0] > piece.shape[1] else piece for piece in pieces])


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101) over groups of (parameters, weight decay); its state as named tensors.

    Ours, because making a `torch.optim` optimizer imports the whole compiler of torch: more than a second before the first iteration.
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
        """Move every parameter."""
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
        """What has to survive a restart, by name."""
        state = {"adamw.steps": torch.tensor(self._steps)}
        for i, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            state |= {f"adamw.{i}.mean": mean, f"adamw.{i}.square": square}
        return state

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_tensors` gave."""
        self._steps = int(state["adamw.steps"])
        for i, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            mean.copy_(state[f"adamw.{i}.mean"])
            square.copy_(state[f"adamw.{i}.square"])


class RowAdagrad:
    """Adagrad (Duchi and others, 2011) over the rows of a table, with one mean square a row: touches those that were looked up.

    A row that is seen often slows down, a rare one still moves by the whole learning rate; and the state is one number a row.

    Shapes: L look-ups, U different rows among them, R rows, W width of a row.
    """

    EPSILON = 1e-20

    def __init__(self, table: nn.Parameter) -> None:
        self._table = table
        self._squares_R = torch.zeros(table.shape[0], device=table.device)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every row that has a gradient (sparse, as an embedding's)."""
        gradient = _gradient(self._table)
        # What `coalesce` does, in half its time.
        rows_U, places_L = torch.unique(gradient._indices()[0], return_inverse=True)
        sums_UW = self._table.new_zeros(len(rows_U), self._table.shape[1]).index_add_(0, places_L, gradient._values())
        lengths_U = torch.linalg.vector_norm(sums_UW, dim=1)
        self._squares_R.index_add_(0, rows_U, lengths_U.square_().div_(self._table.shape[1]))
        scales_U = self._squares_R.index_select(0, rows_U).add_(self.EPSILON).rsqrt_()
        self._table.index_add_(0, rows_U, sums_UW.mul_(scales_U[:, None]), alpha=-learning_rate)

    def state_tensors(self) -> dict[str, Tensor]:
        """What has to survive a restart, by name."""
        return {"memory.squares": self._squares_R}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_tensors` gave."""
        self._squares_R.copy_(state["memory.squares"])


class Optimizers:
    """All that moves one network, with one `step`."""

    def __init__(self, model: Transformer, config: TrainingConfig) -> None:
        self._parameters = list(model.parameters())
        self._clip = config.clip
        cuts = cuts_of(model) if config.optimizer == "muon" else []
        table = None if model.memory is None else model.memory.table
        self._clipped = [parameter for parameter in self._parameters if parameter is not table]
        by_muon = {id(cut.matrix) for cut in cuts}
        rest = [parameter for parameter in self._clipped if id(parameter) not in by_muon]
        decaying = [parameter for parameter in rest if parameter.ndim == 2]
        precision = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
        self._optimizers: list[tuple[Muon | AdamW | RowAdagrad, float]] = [
            *([(Muon(cuts, precision=precision), config.matrix_learning_rate)] if cuts else []),
            (AdamW([(decaying, config.weight_decay), ([p for p in rest if p.ndim < 2], 0.0)]), config.learning_rate),
            *([(RowAdagrad(table), config.memory_learning_rate)] if table is not None else []),
        ]

    def step(self, factor: float) -> float:
        """Clip the gradients, move the weights at `factor` times the peak learning rates, clear the gradients.

        Gives the gradients' norm before clipping. The memory's table takes part in neither: how far its rows move does not
        depend on how long their gradients are.
        """
        norm = float(nn.utils.clip_grad_norm_(self._clipped, self._clip, foreach=True))
        for optimizer, peak in self._optimizers:
            optimizer.step(peak * factor)
        for parameter in self._parameters:
            parameter.grad = None
        return norm

    def state_tensors(self) -> dict[str, Tensor]:
        """What has to survive a restart, by name."""
        return {name: tensor for optimizer, _ in self._optimizers for name, tensor in optimizer.state_tensors().items()}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_tensors` gave."""
        for optimizer, _ in self._optimizers:
            optimizer.load_state_tensors(state)


LONGEST_SIDE = 128
"""Hidden units of the feed-forward in a piece, at most."""


def cuts_of(model: Transformer) -> list[Cut]:
    """The matrices inside the blocks: queries, keys, values and what is made of them a head at a time, the feed-forward in equal pieces."""
    config = model.config
    pieces = next(n for n in range(1, config.hidden + 1) if config.hidden % n == 0 and config.hidden // n <= LONGEST_SIDE)
    cuts: list[Cut] = []
    for block in model.blocks:
        assert isinstance(block, Block)
        cuts += [Cut(block.qkv, 3 * config.heads), Cut(block.out, config.heads, 1)]
        cuts += [Cut(block.gate_up, 2 * pieces), Cut(block.down, pieces, 1)]
    return cuts


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None, "every matrix takes part in every iteration"
    return parameter.grad
