"""The learned memory: vectors for the last 2..N tokens, looked up in one big table and added to the input of the network.

An n-gram has several rows of the table, each found by a hash function of its own; laid end to end they are as long as the network is
wide. N-grams that share one of their rows hardly ever share another, so a table can be far smaller than there are n-grams.
A look-up takes hardly any arithmetic, and the network need not learn which letters follow which. (Embeddings of hashed n-grams: "Byte
Latent Transformer", 2024, arXiv:2412.09871; several hashes: "Hash Embeddings for Efficient Word Representations", 2017,
arXiv:1709.03933.)

Shapes: B batch, T positions, N = B * T, O orders (2..N), P pieces of a vector, L = O * P look-ups, R rows, W width of a row,
C = P * W width of the network.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paznja.config import ModelConfig
from paznja.model.ngrams import rows_of_ngrams


class LookedUp(NamedTuple):
    """What was looked up in the table for one batch."""

    rows: Tensor
    """(N, L): for each order, the row of each piece; int32 or int64."""
    found: Tensor
    """(N, C): the sum over the orders; after the backward pass its gradient is that of every order's rows, piece by piece."""


class NgramMemory(nn.Module):
    """Maps ids_BT (int64) to what the network adds to its input, (B, T, C). A window counts as the beginning of a text.

    The table gets no gradient of its own, which would be as long as all look-ups: where gradients are computed, every look-up is noted in
    `looked_up`, and `RowAdagrad` moves the rows.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.orders = config.memory_order - 1
        self.pieces = config.width // config.memory_width
        self.table = nn.Parameter(torch.zeros(config.memory_rows, config.memory_width), requires_grad=False)
        """Starts at zero, so that an n-gram that was never learnt adds nothing."""
        self.looked_up: list[LookedUp] = []

    def forward(self, ids_BT: Tensor) -> Tensor:
        """The sum over the orders."""
        B, T = ids_BT.shape
        rows_NL, found_NC = self._look_up(ids_BT)
        if torch.is_grad_enabled():
            self.looked_up.append(LookedUp(rows_NL, found_NC.requires_grad_()))
        return found_NC.view(B, T, -1)

    def nothing(self) -> LookedUp:
        """What an empty batch looks up."""
        rows_NL, found_NC = self._look_up(torch.zeros(0, 1, dtype=torch.int64, device=self.table.device))
        found_NC.grad = torch.empty_like(found_NC)
        return LookedUp(rows_NL, found_NC)

    @torch.no_grad()
    def _look_up(self, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
        num_rows, width = self.table.shape
        num_positions, look_ups = ids_BT.numel(), self.orders * self.pieces
        loops = table_loops() if self.table.device.type == "cpu" else None
        if loops is not None:
            rows_NL = torch.empty(num_positions, look_ups, dtype=torch.int32)
            found_NC = torch.empty(num_positions, self.pieces * width, dtype=self.table.dtype)
            loops.find_rows(ids_BT.numpy(), self.orders, self.pieces, num_rows, rows_NL.numpy())
            loops.sum_rows(self.table.detach().numpy(), rows_NL.numpy(), self.pieces, found_NC.numpy())
            return rows_NL, found_NC
        T = ids_BT.shape[1]
        codes = F.pad(ids_BT + 1, (self.orders, 0))
        back = [codes[:, self.orders - j : self.orders - j + T] for j in range(self.orders + 1)]
        rows_NL = torch.stack(rows_of_ngrams(back, self.pieces, num_rows), dim=-1).flatten(0, 1)
        return rows_NL, self.table[rows_NL].view(num_positions, self.orders, self.pieces * width).sum(1)


@cache
def table_loops() -> ModuleType | None:
    """The compiled loops; None where numba cannot be imported."""
    try:
        from paznja.model import table_loops
    except (ImportError, OSError):  # OSError: its compiler does not load
        return None
    return table_loops
