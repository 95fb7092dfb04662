"""The network: a decoder-only transformer laid out exactly like `Qwen3ForCausalLM` in `transformers`.

RMSNorm, rotary positions, normalised queries and keys, SwiGLU, no biases. It maps ids to the next id's logits and knows
nothing about text, files or training. `state_for_export` and `load_exported` translate between its fused
matrices and the names and shapes of Qwen3 ("Qwen3 Technical Report", 2025, arXiv:2505.09388), which is what is stored.

Shapes: B batch, T positions, C width, H heads, D width of a head, F hidden width of the feed-forward, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from paznja.config import ModelConfig
from paznja.model import names
from paznja.model.fused import add_and_normalise, attention, cross_entropy, linear, normalise, swiglu
from paznja.model.names import LayerNames
from paznja.model.ngram_memory import NgramMemory

if TYPE_CHECKING:
    from paznja.memory.evidence import Evidence
    from paznja.model.weighing import Weighing


class Transformer(nn.Module):
    """Maps ids_BT (int64) to logits_BTV (float32 on a CPU), or to the mean loss if the next ids are given.

    Settings: see `ModelConfig`; `config.vocabulary` must be set. Weights are drawn from `generator` if it is given.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.memory = NgramMemory(config) if config.memory == "learned" else None
        self.weighing = _weighing(config) if config.memory == "counted" else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.width))
        self.head = None if config.tied_head else nn.Parameter(torch.empty(config.vocabulary, config.width))
        cos_TD, sin_TD = rotary_tables(config.context, config.head_width, config.rope_theta)
        self.register_buffer("cos_TD", cos_TD, persistent=False)
        self.register_buffer("sin_TD", sin_TD, persistent=False)
        self.recompute = False
        """Whether the layers' forward passes are computed again in the backward pass instead of being kept."""
        self.initialise(generator)

    def forward(self, ids_BT: Tensor, next_ids_BT: Tensor | None = None, evidence: Evidence | None = None) -> Tensor:
        """Logits of the next id at every position (B, T, V) or, with `next_ids_BT`, the mean cross-entropy in nats.

        T must not exceed `config.context`. `evidence`: what the counted memory, if there is one, says about every next id.
        """
        T = ids_BT.shape[1]
        cos_TD, sin_TD = self.get_buffer("cos_TD")[:T], self.get_buffer("sin_TD")[:T]
        x_BTC = F.embedding(ids_BT, self.embedding)
        if self.memory is not None:
            x_BTC = x_BTC + self.memory(ids_BT)
        if self.weighing is not None:
            assert evidence is not None, "a network with a counted memory needs its evidence"
            x_BTC = x_BTC + self.weighing.read(evidence).view_as(x_BTC)
        normed_BTC = normalise(x_BTC, self.config.norm_epsilon)
        for block in self.blocks:
            if self.recompute and torch.is_grad_enabled():
                x_BTC, normed_BTC = checkpoint(block, x_BTC, normed_BTC, cos_TD, sin_TD, use_reentrant=False)
            else:
                x_BTC, normed_BTC = block(x_BTC, normed_BTC, cos_TD, sin_TD)
        logits_BTV = linear(normed_BTC, self.embedding if self.head is None else self.head, self.norm)
        if self.weighing is not None:
            assert evidence is not None
            logits_BTV = self.weighing.weigh(logits_BTV.flatten(0, 1), normed_BTC.flatten(0, 1), evidence).view(logits_BTV.shape)
        if next_ids_BT is None:
            return logits_BTV
        return cross_entropy(logits_BTV.flatten(0, 1), next_ids_BT.flatten().to(logits_BTV.device))

    def losses(self, ids_BT: Tensor, next_ids_BT: Tensor, evidence: Evidence | None = None) -> Tensor:
        """-log p (nats) of each next id, (B, T), float32."""
        logits_BTV = self(ids_BT, evidence=evidence).float()
        next_ids_N = next_ids_BT.flatten().to(logits_BTV.device)
        return F.cross_entropy(logits_BTV.flatten(0, 1), next_ids_N, reduction="none").view(ids_BT.shape)

    @property
    def context(self) -> int:
        """The most positions that the network can see."""
        return self.config.context

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.device

    def initialise(self, generator: torch.Generator | None) -> None:
        """Draw the weights: the embedding normal, matrices by fan-in; whatever writes into the residual stream, and the head, is zero.

        So at the start every block is the identity, and all next ids are equally likely.
        """
        std = 0.02 if self.head is None else 0.7
        nn.init.normal_(self.embedding, std=std, generator=generator)
        if self.head is not None:
            nn.init.zeros_(self.head)
        for block in self.blocks:
            assert isinstance(block, Block)
            for matrix in (block.qkv, block.gate_up):
                bound = math.sqrt(3.0 / matrix.shape[1])
                nn.init.uniform_(matrix, -bound, bound, generator=generator)
            nn.init.zeros_(block.out)
            nn.init.zeros_(block.down)
        if self.weighing is not None:
            self.weighing.initialise(generator)

    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters())

    def state_for_export(self, *, small: bool = False) -> dict[str, Tensor]:
        """The weights (detached, and copied only if needed) with the names and shapes of `Qwen3ForCausalLM`.

        A learned memory, which Qwen3 has no place for, is added as `memory.table`, in 16 bits if `small`.
        So are the weights that weigh a counted one: `memory.features` and more.
        """
        state = {names.EMBEDDING: self.embedding.detach(), names.NORM: self.norm.detach()}
        if self.head is not None:
            state[names.HEAD] = self.head.detach()
        if self.memory is not None:
            table_RW = self.memory.table.detach()
            state[names.TABLE] = table_RW.half() if small else table_RW
        if self.weighing is not None:
            state |= self.weighing.state_for_export()
        for i, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            state |= {name: tensor.detach() for name, tensor in block.named_for_export(names.layer(i)).items()}
        return state

    @torch.no_grad()
    def load_exported(self, state: Mapping[str, Tensor]) -> None:
        """Copy weights, named as in `state_for_export`, into this network; KeyError or RuntimeError if they do not fit."""
        for name, tensor in self.state_for_export().items():
            tensor.copy_(state[name])


def _weighing(config: ModelConfig) -> Weighing:
    """Import it only when it is used, because it imports numba."""
    from paznja.model.weighing import Weighing

    return Weighing(config)


class Block(nn.Module):
    """One layer: attention, then a gated feed-forward, each added to the residual stream x_BTC and given what is normalised of it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        C, F_, D = config.width, config.hidden, config.head_width
        self.attention_norm = nn.Parameter(torch.ones(C))
        self.qkv = nn.Parameter(torch.empty(3 * C, C))
        self.query_norm = nn.Parameter(torch.ones(D))
        self.key_norm = nn.Parameter(torch.ones(D))
        self.out = nn.Parameter(torch.empty(C, C))
        self.feed_forward_norm = nn.Parameter(torch.ones(C))
        self.gate_up = nn.Parameter(torch.empty(2 * F_, C))
        self.down = nn.Parameter(torch.empty(C, F_))

    def forward(self, x_BTC: Tensor, normed_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> tuple[Tensor, Tensor]:
        """The residual stream after this layer, and the same normalised, as the next layer or the head reads it."""
        B, T, C = x_BTC.shape
        H, epsilon = self.config.heads, self.config.norm_epsilon
        qkv_BTC = linear(normed_BTC, self.qkv, self.attention_norm)
        mixed_BTC = attention(qkv_BTC.view(B, T, 3, H, C // H), self.query_norm, self.key_norm, cos_TD, sin_TD, epsilon)
        x_BTC, normed_BTC = add_and_normalise(x_BTC, F.linear(mixed_BTC, self.out), epsilon)
        gate_up_BTF = linear(normed_BTC, self.gate_up, self.feed_forward_norm)
        return add_and_normalise(x_BTC, F.linear(swiglu(gate_up_BTF), self.down), epsilon)

    def named_for_export(self, names: LayerNames) -> dict[str, Tensor]:
        """This layer's weights by these names, as views of the fused matrices."""
        q, k, v = self.qkv.chunk(3)
        gate, up = self.gate_up.chunk(2)
        return {
            names.attention_norm: self.attention_norm,
            names.query: q,
            names.key: k,
            names.value: v,
            names.query_norm: self.query_norm,
            names.key_norm: self.key_norm,
            names.out: self.out,
            names.feed_forward_norm: self.feed_forward_norm,
            names.gate: gate,
            names.up: up,
            names.down: self.down,
        }


def rotary_tables(positions: int, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """cos_TD and sin_TD of the rotary positions (RoFormer, 2021, arXiv:2104.09864), with halves laid out as in Qwen3.

    The first half of a row of sin_TD is negated, so that rotating is x * cos + swapped_halves(x) * sin.
    """
    frequencies = 1.0 / theta ** (torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles_TD = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)
    cos, sin = angles_TD.cos(), angles_TD.sin()
    return torch.cat((cos, cos), dim=1).float(), torch.cat((-sin, sin), dim=1).float()
