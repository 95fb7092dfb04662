"""Through torch.compile the network learns the same; it needs a C++ compiler, a program from outside Python."""

from dataclasses import replace

import pytest
import torch

from paznja.config import ModelConfig
from paznja.model.transformer import Transformer
from paznja.training.learner import compiled

CONFIG = ModelConfig(layers=1, width=16, heads=2, hidden=32, context=8, vocabulary=11)
MEMORY = replace(CONFIG, memory="learned", memory_order=3, memory_rows=40, memory_width=4)


@pytest.mark.slow
@pytest.mark.needs_program
@pytest.mark.parametrize("config", [CONFIG, MEMORY], ids=["without memory", "with memory"])
def test_the_compiled_network_gives_the_same_loss_and_gradients(outside_program, config):
    outside_program("g++")
    model = Transformer(config, torch.Generator().manual_seed(1))
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(2))
    ids_BT = torch.randint(11, (3, 9), generator=torch.Generator().manual_seed(3))
    gradients = []
    losses = []
    for network in (model, compiled(model)):
        loss = network(ids_BT[:, :-1], ids_BT[:, 1:])
        loss.backward()
        losses.append(loss.detach())
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
        if model.memory is not None:
            (looked_up,) = model.memory.looked_up
            gradients[-1].append(looked_up.found.grad)
            model.memory.looked_up = []
        model.zero_grad(set_to_none=True)
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-5)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
