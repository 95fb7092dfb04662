"""Small networks in which every weight matters."""

from collections.abc import Callable

import pytest
import torch

from paznja.config import ModelConfig
from paznja.model.transformer import Transformer

torch.set_num_threads(1)  # the tests run side by side


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Transformer]:
    """Makes a network with random weights everywhere: a fresh one has zeros and ones that would hide mistakes."""

    def make(config: ModelConfig, seed: int = 1) -> Transformer:
        generator = torch.Generator().manual_seed(seed)
        model = Transformer(config, generator)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.uniform_(0.5, 1.5, generator=generator)
                else:
                    parameter.normal_(std=1.5 * parameter.shape[1] ** -0.5, generator=generator)
        return model

    return make
