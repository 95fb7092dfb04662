"""What the learner does with a batch: however it is cut and whatever is computed twice, it learns the same."""

from __future__ import annotations

import itertools

import pytest
import torch

from paznja.model.weights import unpack
from paznja.run import Run

MEMORIES = ("none", "learned", "counted")


def trained(run: Run, training_of) -> dict[str, torch.Tensor]:
    for _ in training_of(run):
        pass
    checkpoint = run.checkpoint()
    assert checkpoint is not None
    return unpack((run.path / checkpoint.folder / "model.safetensors").read_bytes(), "model.safetensors")


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("parts", [2, 3, 5, 9])
def test_a_batch_in_parts_teaches_the_same(begin, training_of, memory, parts):
    asked = {"iterations": 10, "batch": 5, "memory": memory, "memory_width": 4, "precision": "float64"}
    whole = trained(begin("whole", **asked), training_of)
    cut = trained(begin("cut", accumulate=parts, **asked), training_of)
    for name, tensor in whole.items():
        torch.testing.assert_close(cut[name], tensor, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("memory", MEMORIES)
def test_layers_that_are_computed_again_teach_the_same_bit_for_bit(begin, training_of, memory):
    asked = {"iterations": 6, "layers": 2, "memory": memory, "memory_width": 4}
    kept = trained(begin("kept", **asked), training_of)
    again = trained(begin("again", recompute=True, **asked), training_of)
    assert all(torch.equal(tensor, again[name]) for name, tensor in kept.items())


def test_layers_are_computed_again_only_if_that_is_asked_for(begin, training_of, monkeypatch):
    calls = itertools.count()
    monkeypatch.setattr("paznja.model.transformer.checkpoint", lambda block, *given, use_reentrant: (next(calls), block(*given))[1])
    trained(begin("kept", iterations=2, layers=3), training_of)
    assert next(calls) == 0
    trained(begin("again", iterations=2, layers=3, recompute=True), training_of)
    assert next(calls) == 1 + 2 * 3
