"""Tensors to bytes and back, and what is said if that is impossible."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paznja.errors import RunError
from paznja.loading import load_model
from paznja.model.weights import header, pack, unpack
from paznja.run.layout import WEIGHTS
from paznja.run.writing import RunWriter
from paznja.training.learner import blank

tensors = st.dictionaries(
    st.text(st.sampled_from("abc.0123"), min_size=1, max_size=8),
    arrays.arrays("float32", arrays.array_shapes(min_dims=0, max_dims=3, max_side=4)).map(torch.from_numpy),
    max_size=4,
)


@given(tensors)
def test_tensors_come_back_bit_for_bit(state):
    back = unpack(pack(state), "a file")
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(back[name].view(torch.int32), tensor.contiguous().view(torch.int32))


def test_what_is_packed_along_comes_back_and_is_no_tensor():
    content = pack({"a": torch.zeros(2)}, {"iteration": 7, "held_out": 2.125, "words": ["мост"]})
    assert header(content, "a file") == {"iteration": 7, "held_out": 2.125, "words": ["мост"]}
    assert list(unpack(content, "a file")) == ["a"]


def test_slices_of_one_matrix_are_packed_apart_and_only_their_own_numbers():
    whole = torch.arange(12.0).reshape(6, 2)
    upper, lower = whole.chunk(2)
    content = pack({"upper": upper, "lower": lower, "turned": whole.T})
    back = unpack(content, "a file")
    assert torch.equal(back["upper"], upper)
    assert torch.equal(back["lower"], lower)
    assert torch.equal(back["turned"], whole.T)
    assert len(content) < 12 * 4 * 2 + 500


def test_the_same_tensors_give_the_same_bytes():
    state = {"b": torch.ones(3), "a": torch.zeros(2, 2)}
    about = {"iteration": 1, "held_out": 2.5, "words": ["мост"]}
    assert len({pack({name: tensor.clone() for name, tensor in state.items()}, about) for _ in range(20)}) == 1


@pytest.mark.parametrize("damage", [lambda x: x[:-1], lambda x: b"", lambda x: b"\xff" * 40, lambda x: x[:8] + b"{" + x[9:-5]])
def test_a_damaged_file_is_named(damage):
    content = damage(pack({"a": torch.zeros(50)}, {"iteration": 1}))
    with pytest.raises(RunError, match=r"model\.safetensors is damaged"):
        unpack(content, "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, pack({"a": torch.zeros(5)}, {"iteration": 1})[:30]])
def test_a_damaged_header_is_an_error_with_a_sentence_too(content):
    with pytest.raises(RunError, match=r"model\.safetensors is damaged"):
        header(content, "model.safetensors")


def test_a_run_without_weights_says_when_they_come(begin):
    run = begin()
    with pytest.raises(RunError, match=r"'run' has no weights yet: they come with the first row"):
        run.read_weights()
    with pytest.raises(RunError, match="no checkpoint yet"):
        run.read_weights(latest=True)


def test_the_best_and_the_latest_weights_of_a_run_are_told_apart(begin):
    run = begin()
    config = run.settings().model
    best, latest = blank(config, 1), blank(config, 2)
    with RunWriter.open(run) as writer:
        writer.write_file(WEIGHTS, pack(best.state_for_export()))
        writer.write_checkpoint(3, 1.0, {}, {WEIGHTS: pack(latest.state_for_export())}, finished=False)
    assert torch.equal(load_model(run).embedding, best.embedding)
    assert torch.equal(load_model(run, latest=True).embedding, latest.embedding)
    assert not load_model(run).training


def test_weights_of_another_shape_are_refused_with_a_sentence(begin):
    run, wide = begin("narrow"), begin("wide", width=16, heads=2)
    with RunWriter.open(run) as writer:
        writer.write_file(WEIGHTS, pack(blank(wide.settings().model, 1).state_for_export()))
    with pytest.raises(RunError, match=r"does not fit the model that run\.toml describes"):
        load_model(run)


def test_a_seed_gives_the_same_first_weights_every_time(begin):
    config = begin().settings().model
    assert pack(blank(config, 1).state_for_export()) == pack(blank(config, 1).state_for_export())
    assert pack(blank(config, 1).state_for_export()) != pack(blank(config, 2).state_for_export())


def test_nothing_in_the_file_is_a_pickle():
    content = pack({"a": torch.zeros(2)}, {"iteration": 1})
    length = int.from_bytes(content[:8], "little")
    assert set(json.loads(content[8 : 8 + length])) == {"__metadata__", "a"}
    assert len(content) == 8 + length + 2 * 4
