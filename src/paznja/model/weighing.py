"""How the network uses the counted memory: it reads how certain each kind of context is, and weighs what each one says.

Its input includes what the memory expects and how much it has seen. After its last block it gives every kind of context a weight
for this position, and adds the kinds' weighted gains to its own logits.

Shapes: B batch, T positions, N = B * T, C width, K kinds of contexts, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paznja.config import ModelConfig
from paznja.memory.evidence import Evidence, add_weighed, weights_gradient
from paznja.memory.kinds import BUCKETS, FEATURES, NUM_KINDS
from paznja.model.names import WEIGHING


class Weighing(nn.Module):
    """The weights that bring the memory into the network's input and its output."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        C, V = config.width, config.vocabulary
        self.features = nn.Parameter(torch.empty(C, NUM_KINDS * FEATURES))
        self.prior = nn.Parameter(torch.empty(C, V))
        self.gates = nn.Parameter(torch.empty(NUM_KINDS, C))
        self.trust = nn.Parameter(torch.empty(NUM_KINDS, BUCKETS))
        self.register_buffer("base", torch.zeros(V))

    def initialise(self, generator: torch.Generator | None) -> None:
        """Weights into the input are small and random; at the output all positions and kinds have the same weight."""
        nn.init.normal_(self.features, std=0.1, generator=generator)
        nn.init.normal_(self.prior, std=0.3, generator=generator)
        nn.init.zeros_(self.gates)
        nn.init.constant_(self.trust, 0.5)

    def move_base(self, base_V: Tensor) -> None:
        """Keep the memory's base in this tensor from now on."""
        self.register_buffer("base", base_V)

    def read(self, evidence: Evidence) -> Tensor:
        """What is added to the input, (N, C)."""
        features_NF, prior_NV = (torch.from_numpy(array).to(self.prior) for array in (evidence.features, evidence.prior))
        return F.linear(features_NF, self.features) + F.linear(prior_NV, self.prior)

    def weigh(self, logits_NV: Tensor, normed_NC: Tensor, evidence: Evidence) -> Tensor:
        """The network's own logits plus what the memory says, with weights from `normed_NC` and the memory's certainty; on the CPU."""
        rows_NK = torch.from_numpy(evidence.buckets + np.arange(NUM_KINDS) * BUCKETS).to(self.trust.device)
        weights_NK = F.linear(normed_NC, self.gates) + F.embedding(rows_NK, self.trust.reshape(-1, 1))[..., 0]
        precision = torch.float64 if self.prior.dtype == torch.float64 else torch.float32
        return _AddWeighed.apply((logits_NV + self.get_buffer("base")).to("cpu", precision), weights_NK.to("cpu", precision), evidence)

    def state_for_export(self) -> dict[str, Tensor]:
        """Everything that has to be stored, by name."""
        tensors = {name: parameter.detach() for name, parameter in self.named_parameters()}
        return {WEIGHING + name: tensor for name, tensor in {**tensors, "base": self.get_buffer("base")}.items()}


class _AddWeighed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, weights_NK: Tensor, evidence: Evidence) -> Tensor:
        ctx.evidence = evidence
        out = logits_NV.detach().clone()
        add_weighed(evidence.starts, evidence.tokens, evidence.gains, weights_NK.detach().contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        evidence: Evidence = ctx.evidence
        (gradient_NV,) = gradients
        gradient = gradient_NV.contiguous().numpy()
        out = np.empty((len(gradient), NUM_KINDS), gradient.dtype)
        weights_gradient(evidence.starts, evidence.tokens, evidence.gains, gradient, out)
        return gradient_NV, torch.from_numpy(out), None
