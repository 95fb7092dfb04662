"""The optimizers: Muon for matrices, Adagrad for the memory's table, AdamW for the rest; together they can be saved and restored.

Muon (Keller Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024) turns each matrix's momentum
into the nearest orthogonal matrix by Newton-Schulz iterations. Ours iterates in the precision of the training, over all matrices of
one shape at once: `torch.optim.Muon` iterates in bfloat16, which a CPU without bf16 units emulates many times slower.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from paznja.config import TrainingConfig
from paznja.model.ngram_memory import NgramMemory, table_loops
from paznja.model.transformer import Block, Transformer
from paznja.world import Reduction, World
from paznja.world.alone import Alone

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, from the article on Muon: singular values end up between about 0.7 and 1.2."""

NEWTON_SCHULZ_STEPS = 5


def orthogonalise(matrices_NRC: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Make N matrices of R rows and C >= R columns nearly orthogonal: singular values near 1, the same singular vectors.

    Computes in `precision`; returns numbers of the kind that it was given.
    """
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    x = (matrices_NRC / (matrices_NRC.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.to(matrices_NRC.dtype)


class Matrix(NamedTuple):
    """A matrix that Muon moves, and where it lies among all that this process answers for."""

    weights: Tensor
    """(rows, columns)"""
    start: int
    parts: int
    """A fused matrix is split along its rows into so many equal parts, which are orthogonalised one by one."""

    @property
    def shape(self) -> tuple[int, int]:
        """The rows and columns of a part, the smaller number first."""
        rows, columns = self.weights.shape[0] // self.parts, self.weights.shape[1]
        return min(rows, columns), max(rows, columns)


class Muon:
    """Muon for matrices whose gradients and momentum lie end to end."""

    def __init__(
        self, matrices: Sequence[Matrix], momentum_M: Tensor, *, decay: float = 0.95, precision: torch.dtype = torch.float32
    ) -> None:
        """`momentum_M`: the state, as long as all matrices together; `decay`: how much of it stays in a step."""
        self._momentum_M, self._decay, self._precision = momentum_M, decay, precision
        self._groups = _by_shape(matrices)

    @torch.no_grad()
    def step(self, gradient_M: Tensor, learning_rate: float) -> None:
        """Update every matrix by its orthogonalised Nesterov momentum; `gradient_M` is overwritten."""
        self._momentum_M.lerp_(gradient_M, 1 - self._decay)
        gradient_M.lerp_(self._momentum_M, self._decay)
        for group in self._groups:
            updates_NRC = orthogonalise(stacked(group, gradient_M), self._precision)
            start = 0
            for matrix in group:
                update = updates_NRC[start : start + matrix.parts]
                start += matrix.parts
                rows, columns = matrix.weights.shape[0] // matrix.parts, matrix.weights.shape[1]
                if rows > columns:
                    update = update.mT
                scale = math.sqrt(max(1.0, rows / columns))
                matrix.weights.add_(update.reshape(matrix.weights.shape), alpha=-learning_rate * scale)


def stacked(group: Sequence[Matrix], numbers_M: Tensor) -> Tensor:
    """The numbers of all matrices of one shape as (N, R, C) with R <= C."""
    pieces: list[Tensor] = []
    for matrix in group:
        for piece in _view(numbers_M, matrix).chunk(matrix.parts):
            pieces.append(piece.T if piece.shape[0] > piece.shape[1] else piece)
    return torch.stack(pieces)


def unstack(stack_NRC: Tensor, group: Sequence[Matrix], numbers_M: Tensor) -> None:
    """Undo `stacked`."""
    pieces = iter(stack_NRC)
    for matrix in group:
        for piece in _view(numbers_M, matrix).chunk(matrix.parts):
            stored = next(pieces)
            piece.copy_(stored.T if piece.shape[0] > piece.shape[1] else stored)


def _view(numbers_M: Tensor, matrix: Matrix) -> Tensor:
    return numbers_M[matrix.start : matrix.start + matrix.weights.numel()].view(matrix.weights.shape)


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101) for several tensors, each with its weight decay.

    Our own, because any optimizer of `torch.optim` imports torch's whole compiler: more than a second before the first iteration.
    """

    EPSILON = 1e-10

    def __init__(
        self,
        weights: Sequence[Tensor],
        decays: Sequence[float],
        means: Sequence[Tensor],
        squares: Sequence[Tensor],
        betas: tuple[float, float] = (0.9, 0.95),
    ) -> None:
        """`means` and `squares`: the state, of the same shapes as the weights."""
        self.steps = 0
        """How many steps were taken; a part of the state."""
        self._tensors = list(zip(weights, decays, means, squares, strict=True))
        self._betas = betas

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """Update every tensor by its gradient."""
        self.steps += 1
        beta1, beta2 = self._betas
        rate = learning_rate / (1 - beta1**self.steps)
        root = math.sqrt(1 - beta2**self.steps)
        for gradient, (weights, decay, mean, square) in zip(gradients, self._tensors, strict=True):
            mean.lerp_(gradient, 1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            if decay:
                weights.mul_(1 - learning_rate * decay)
            weights.addcdiv_(mean, square.sqrt().div_(root).add_(self.EPSILON), value=-rate)


class RowAdagrad:
    """Adagrad (Duchi and others, 2011) for the rows of a table, with one mean square per row; updates only rows that were looked up.

    A row that is seen often slows down, a rare one still moves by the whole learning rate; and the state is one number per row.

    Shapes: as in `ngram_memory.py`; U different rows among those looked up.
    """

    EPSILON = 1e-20

    def __init__(self, memory: NgramMemory, squares_R: Tensor, rows: tuple[int, int]) -> None:
        """`squares_R`: the state; `rows`: the first one that is moved here, and the one after the last."""
        self._memory, self._squares_R, self._rows = memory, squares_R, rows
        self._place_of_R = torch.full((0,), -1, dtype=torch.int32)
        self._rows_U = torch.empty(0, dtype=torch.int32)
        self._sums_UW = torch.empty(0)

    @torch.no_grad()
    def step(self, looked_up: Sequence[tuple[Tensor, Tensor]], learning_rate: float) -> None:
        """Update every row by the gradients of what was found in it: pairs of rows_NL and gradient_NC."""
        table_RW = self._memory.table.data
        loops = table_loops() if table_RW.device.type == "cpu" else None
        if loops is None:
            self._step_plainly(looked_up, learning_rate)
            return
        self._make_room(sum(rows_NL.numel() for rows_NL, _ in looked_up))
        place_of_R, rows_U, sums_UW = self._place_of_R.numpy(), self._rows_U.numpy(), self._sums_UW.numpy()
        found = 0
        for rows_NL, gradient_NC in looked_up:
            there = rows_NL.numpy(), gradient_NC.contiguous().numpy()
            found = loops.add_gradients(*there, self._memory.pieces, *self._rows, place_of_R, rows_U, sums_UW, found)
        loops.move_rows(table_RW.numpy(), self._squares_R.numpy(), rows_U, sums_UW, found, learning_rate, self.EPSILON, place_of_R)

    def _make_room(self, look_ups: int) -> None:
        table_RW = self._memory.table
        if not len(self._place_of_R):
            self._place_of_R = torch.full((table_RW.shape[0],), -1, dtype=torch.int32)
        if len(self._rows_U) < look_ups:
            self._rows_U = torch.empty(look_ups, dtype=torch.int32)
            self._sums_UW = torch.empty(look_ups, table_RW.shape[1], dtype=table_RW.dtype)

    def _step_plainly(self, looked_up: Sequence[tuple[Tensor, Tensor]], learning_rate: float) -> None:
        table_RW, (first, last) = self._memory.table.data, self._rows
        rows_X = torch.cat([rows_NL.flatten() for rows_NL, _ in looked_up])
        values_XW = torch.cat([_by_look_up(gradient_NC, rows_NL, table_RW.shape[1]) for rows_NL, gradient_NC in looked_up])
        ours = (rows_X >= first) & (rows_X < last)
        # Does the same as `coalesce`, in half the time.
        rows_U, places_X = torch.unique(rows_X[ours].long(), return_inverse=True)
        sums_UW = table_RW.new_zeros(len(rows_U), table_RW.shape[1]).index_add_(0, places_X, values_XW[ours])
        self._squares_R.index_add_(0, rows_U, torch.linalg.vector_norm(sums_UW, dim=1).square_().div_(table_RW.shape[1]))
        scales_U = self._squares_R.index_select(0, rows_U).add_(self.EPSILON).rsqrt_()
        table_RW.index_add_(0, rows_U, sums_UW.mul_(scales_U[:, None]), alpha=-learning_rate)


def _by_look_up(gradient_NC: Tensor, rows_NL: Tensor, width: int) -> Tensor:
    """The gradient of every look-up, (N * L, W): that of its piece."""
    pieces_NPW = gradient_NC.reshape(len(gradient_NC), -1, width)
    return pieces_NPW.repeat(1, rows_NL.shape[1] // pieces_NPW.shape[1], 1).flatten(0, 1)


class Early:
    """Puts gradients into a sum as soon as they are there.

    Apart from the optimizers: a parameter whose hook held what holds the parameter would never be freed.
    """

    def __init__(self, reduction: Reduction) -> None:
        self._reduction = reduction
        self.is_last_backward = False
        """Whether the next backward pass is the last one before a step, so that the gradients are complete after it."""

    def put(self, number: int, parameter: Tensor) -> None:
        """Called by torch when this parameter has its gradient."""
        if self.is_last_backward:
            self._reduction.put(number, _gradient(parameter))


class Optimizers:
    """All optimizers of one network, with one `step`; where several processes train together, each moves what it answers for.

    The weights lie end to end in one buffer, in the order of the processes that answer for them; so do the gradients and the optimizers'
    state. Gradients are summed over the processes for the one that moves the weights, which then gives them to all (the ZeRO of Rajbhandari
    and others, 2020, arXiv:1910.02054, in its first stage).

    Shapes: M weights of matrices that Muon moves and A others, for which this process answers.
    """

    def __init__(self, model: Transformer, config: TrainingConfig, world: World | None = None) -> None:
        """Moves the network's weights into the buffer: those that process 0 has."""
        self._world = world = world or Alone(model.device)
        self._clip, self._memory = config.clip, model.memory
        matrices = _matrices_of(model) if config.optimizer == "muon" else {}
        dense = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._plan = plan = Layout(dense, matrices, world.size)
        self._dtype = dense[0].dtype
        self._sent_as = torch.bfloat16 if config.exchange == "bfloat16" and world.size > 1 else self._dtype
        self.weights = world.buffer(plan.bounds[-1], self._dtype)
        """All weights but those of the memory's table."""
        self._means, self._squares = world.buffer(plan.bounds[-1], self._dtype), world.buffer(plan.bounds[-1], self._dtype)
        if world.rank == 0:
            torch.cat([parameter.data.reshape(-1) for parameter in plan.parameters], out=self.weights)
        world.adopt(self.weights)
        for parameter, start in zip(plan.parameters, plan.starts, strict=True):
            parameter.data = self.weights[start : start + parameter.numel()].view(parameter.shape)
        self._reduction = world.reduction([parameter.numel() for parameter in plan.parameters], plan.bounds, self._dtype, self._sent_as)
        self.early = Early(self._reduction)
        if self._reduction.early:
            for number, parameter in enumerate(plan.parameters):
                parameter.register_post_accumulate_grad_hook(partial(self.early.put, number))
        own = slice(plan.bounds[world.rank], plan.bounds[world.rank + 1])
        self._kinds = plan.kinds[world.rank]
        ours = [matrix._replace(start=matrix.start - own.start) for matrix in plan.matrices if own.start <= matrix.start < own.stop]
        weights, means, squares = (numbers[own].split(self._kinds) for numbers in (self.weights, self._means, self._squares))
        precision = torch.bfloat16 if config.precision == "bfloat16" else self._dtype
        self._muon = Muon(ours, means[0], precision=precision)
        self._adamw = AdamW(weights[1:], (config.weight_decay, 0.0), means[1:], squares[1:])
        self._peaks = config.matrix_learning_rate, config.learning_rate, config.memory_learning_rate
        self.table: RowAdagrad | None = None
        """What moves the memory's table, if there is one."""
        if model.memory is not None:
            table_RW = model.memory.table
            shared_RW = world.buffer(table_RW.numel(), table_RW.dtype).view(table_RW.shape)
            if world.rank == 0:
                shared_RW.copy_(table_RW.data)
            world.adopt(shared_RW)
            table_RW.data = shared_RW
            self._squares_R = world.buffer(len(table_RW), table_RW.dtype)
            self.table = RowAdagrad(model.memory, self._squares_R, world.own_rows(len(table_RW)))

    def step(self, factor: float, nats: float = 0.0, positions: Sequence[int] | None = None) -> tuple[float, float]:
        """Clip the gradients, update the weights at `factor` times the peak learning rates, clear the gradients.

        `nats`: this process's share of the loss; `positions`: how many positions each process has learnt from. Returns the whole loss, and
        the gradients' norm before clipping. The memory's table is neither counted in it nor clipped: how far its rows move does not
        depend on the size of their gradients.
        """
        plan, world = self._plan, self._world
        self.early.is_last_backward = False
        for number, parameter in enumerate(plan.parameters):
            if parameter.grad is not None:
                self._reduction.put(number, parameter.grad)
        looked_up = self._gathered(positions)
        gradient = self._reduction.total()
        length = float(torch.linalg.vector_norm(gradient))
        whole, square = world.sum([nats, length * length])
        norm = math.sqrt(square)
        if norm > self._clip:
            gradient.mul_(self._clip / (norm + 1e-6))
        by_muon, *others = gradient.split(self._kinds)
        matrix_rate, rate, table_rate = (factor * peak for peak in self._peaks)
        self._muon.step(by_muon, matrix_rate)
        self._adamw.step(others, rate)
        if self.table is not None:
            self.table.step(looked_up, table_rate)
        world.spread(self.weights, plan.bounds)
        for parameter in plan.parameters:
            parameter.grad = None
        return whole, norm

    def _gathered(self, positions: Sequence[int] | None) -> list[tuple[Tensor, Tensor]]:
        """What all processes looked up, in the order of their ranks: rows_NL and gradient_NC."""
        if self._memory is None:
            return []
        noted, self._memory.looked_up = self._memory.looked_up, []
        noted = noted or [self._memory.nothing()]
        rows_NL = torch.cat([seen.rows for seen in noted])
        gradient_NC = torch.cat([_gradient(seen.found) for seen in noted])
        sent = {"rows": rows_NL, "gradients": gradient_NC.to(self._sent_as)}
        all_of = self._world.gather(sent, positions or [len(rows_NL)])
        return [(rows, gradient.to(gradient_NC.dtype)) for rows, gradient in zip(all_of["rows"], all_of["gradients"], strict=True)]

    def adopt(self) -> None:
        """Give all processes the weights and the state that process 0 has."""
        for buffer in self._buffers():
            self._world.adopt(buffer)
        self._adamw.steps = round(self._world.sum([self._adamw.steps if self._world.rank == 0 else 0])[0])

    def adopt_weights(self) -> None:
        """Give all processes the weights that process 0 has, without the state."""
        self._world.adopt(self.weights)
        if self._memory is not None:
            self._world.adopt(self._memory.table.data)

    def complete(self) -> None:
        """Bring all processes' state to process 0, before `state_tensors`."""
        for buffer in (self._means, self._squares):
            self._world.spread(buffer, self._plan.bounds)

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything that has to survive a restart, by name; it does not depend on the number of processes."""
        state = {f"muon.{i}": stacked(group, self._means) for i, group in enumerate(self._plan.groups)}
        state["adamw.steps"] = torch.tensor(self._adamw.steps)
        for i, (mean, square) in enumerate(self._adamw_state()):
            state |= {f"adamw.{i}.mean": mean, f"adamw.{i}.square": square}
        if self.table is not None:
            state["memory.squares"] = self._squares_R
        return state

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_tensors` returned; only for process 0, before `adopt`."""
        for i, group in enumerate(self._plan.groups):
            unstack(state[f"muon.{i}"], group, self._means)
        self._adamw.steps = int(state["adamw.steps"])
        for i, (mean, square) in enumerate(self._adamw_state()):
            mean.copy_(state[f"adamw.{i}.mean"])
            square.copy_(state[f"adamw.{i}.square"])
        if self.table is not None:
            self._squares_R.copy_(state["memory.squares"])

    def _adamw_state(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The mean and the square of every parameter that AdamW moves, those that decay first."""
        for parameter, start in self._plan.by_adamw:
            of_it = slice(start, start + parameter.numel())
            yield self._means[of_it].view(parameter.shape), self._squares[of_it].view(parameter.shape)

    def _buffers(self) -> list[Tensor]:
        table = [] if self._memory is None else [self._memory.table.data, self._squares_R]
        return [self.weights, self._means, self._squares, *table]


class Layout:
    """Which process answers for which weights, and where they lie in the buffer: Muon's first, then AdamW's, matrices first."""

    def __init__(self, parameters: Sequence[nn.Parameter], parts_of: Mapping[int, int], size: int) -> None:
        """`parts_of`: for each parameter, by its `id`, that Muon moves: how many parts it is split into."""
        by_muon = [parameter for parameter in parameters if id(parameter) in parts_of]
        rest = [parameter for parameter in parameters if id(parameter) not in parts_of]
        kinds = by_muon, [p for p in rest if p.ndim == 2], [p for p in rest if p.ndim != 2]
        owner = _deal(parameters, parts_of, size)
        self.parameters: list[nn.Parameter] = []
        self.bounds = [0]
        """From where to where each process's weights lie."""
        self.kinds: list[list[int]] = []
        """For each process: how many weights Muon moves, how many AdamW moves with decay, how many without."""
        for rank in range(size):
            ours = [[parameter for parameter in kind if owner[id(parameter)] == rank] for kind in kinds]
            self.parameters += [parameter for kind in ours for parameter in kind]
            self.kinds.append([sum(parameter.numel() for parameter in kind) for kind in ours])
            self.bounds.append(self.bounds[-1] + sum(self.kinds[-1]))
        self.starts = list(itertools.accumulate((parameter.numel() for parameter in self.parameters), initial=0))[:-1]
        start_of = {id(parameter): start for parameter, start in zip(self.parameters, self.starts, strict=True)}
        self.by_adamw = [(parameter, start_of[id(parameter)]) for kind in kinds[1:] for parameter in kind]
        """Every parameter that AdamW moves, and where it begins, in an order that does not depend on the number of processes."""
        self._by_muon = [(parameter, start_of[id(parameter)], parts_of[id(parameter)]) for parameter in by_muon]

    @property
    def matrices(self) -> list[Matrix]:
        """Every matrix that Muon moves, in an order that does not depend on the number of processes."""
        return [Matrix(parameter.data, start, parts) for parameter, start, parts in self._by_muon]

    @property
    def groups(self) -> list[list[Matrix]]:
        """The same, those of one shape together."""
        return _by_shape(self.matrices)


def _deal(parameters: Sequence[nn.Parameter], parts_of: Mapping[int, int], size: int) -> dict[int, int]:
    """Which process answers for each parameter, by its `id`: the dearest are dealt first, each to whoever has least to do."""

    def cost(parameter: nn.Parameter) -> float:
        parts = parts_of.get(id(parameter))
        if parts is None:
            return parameter.numel()
        rows, columns = Matrix(parameter, 0, parts).shape
        return parameter.numel() + 0.1 * NEWTON_SCHULZ_STEPS * parts * rows * rows * (2 * columns + rows)

    costs = [0.0] * size
    owner: dict[int, int] = {}
    for parameter in sorted(parameters, key=cost, reverse=True):
        owner[id(parameter)] = rank = costs.index(min(costs))
        costs[rank] += cost(parameter)
    return owner


def _by_shape(matrices: Sequence[Matrix]) -> list[list[Matrix]]:
    groups: dict[tuple[int, int], list[Matrix]] = {}
    for matrix in matrices:
        groups.setdefault(matrix.shape, []).append(matrix)
    return list(groups.values())


def _matrices_of(model: Transformer) -> dict[int, int]:
    """The matrices that Muon moves, by their `id`, and into how many parts each is split."""
    parts: dict[int, int] = {}
    for block in model.blocks:
        assert isinstance(block, Block)
        parts |= {id(block.qkv): 3, id(block.out): 1, id(block.gate_up): 2, id(block.down): 1}
    return parts


def _gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None, "every matrix takes part in every iteration"
    return tensor.grad
