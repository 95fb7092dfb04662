"""The learned memory: vectors for the last 2..N tokens, looked up in one big table and added to the input of the network.

An n-gram has several rows of the table, each found by a hash function of its own; laid end to end they are as long as the network is
wide. N-grams that share one of their rows hardly ever share another, so a table can be far smaller than there are n-grams.
A look-up takes hardly any arithmetic, and the network need not learn which letters follow which. (Embeddings of hashed n-grams: "Byte
Latent Transformer", 2024, arXiv:2412.09871; several hashes: "Hash Embeddings for Efficient Word Representations", 2017,
arXiv:1709.03933.)

Shapes: B batch, T positions, O orders (2..N), P pieces of a vector, R rows, W width of a row, C = P * W width of the network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paznja.config import ModelConfig
from paznja.model.ngrams import rows_of_ngrams


class NgramMemory(nn.Module):
    """Maps ids_BT (int64) to what the network adds to its input, (B, T, C). A window counts as the beginning of a text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.orders = config.memory_order - 1
        self.pieces = config.width // config.memory_width
        self.table = nn.Parameter(torch.zeros(config.memory_rows, config.memory_width))
        """Starts at zero, so that an n-gram that was never learnt adds nothing."""

    def forward(self, ids_BT: Tensor) -> Tensor:
        """The sum over the orders. The table's gradient is sparse: it has the rows that were looked up, once for each look-up."""
        B, T = ids_BT.shape
        codes = F.pad(ids_BT + 1, (self.orders, 0))
        back = [codes[:, self.orders - j : self.orders - j + T] for j in range(self.orders + 1)]
        rows_BTN = torch.stack(rows_of_ngrams(back, self.pieces, self.table.shape[0]), dim=-1)
        found_BTNW = F.embedding(rows_BTN, self.table, sparse=True)
        return found_BTNW.view(B, T, self.orders, -1).sum(2)
