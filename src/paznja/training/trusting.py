"""How far to trust each kind of context: fitted in a few seconds, before the network learns anything."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from paznja.model.weighing import Weighing
from paznja.training.optimizers import AdamW
from paznja.training.set_aside import Turns

ITERATIONS = 60
"""How many batches of what is set aside are used."""

_LEARNING_RATE = 0.15


def fit_trust(weighing: Weighing, turns: Turns) -> None:
    """Fit `weighing.trust`, which has a weight for every kind of context and degree of certainty, and nothing else."""
    trust = weighing.trust.data
    optimizer = AdamW([trust], [0.0], [torch.zeros_like(trust)], [torch.zeros_like(trust)])
    width = weighing.gates.shape[1]
    for i in range(ITERATIONS):
        batch = turns.at_random(i)
        next_ids_N = batch.next_ids.flatten()
        blank_NV = trust.new_zeros(len(next_ids_N), len(weighing.get_buffer("base")))
        assert batch.evidence is not None
        logits_NV = weighing.weigh(blank_NV, trust.new_zeros(len(next_ids_N), width), batch.evidence)
        F.cross_entropy(logits_NV, next_ids_N).backward()
        assert weighing.trust.grad is not None
        optimizer.step([weighing.trust.grad], _LEARNING_RATE * (1 - i / ITERATIONS))
        for parameter in weighing.parameters():
            parameter.grad = None
