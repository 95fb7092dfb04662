"""The network that writes (NumPy, cached) gives the logits of the network that learns (torch, whole windows)."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paznja.config import ModelConfig
from paznja.model.decoder import Decoder
from paznja.model.transformer import Transformer

CONFIG = ModelConfig(layers=2, width=16, heads=2, hidden=24, context=12, rope_theta=700.0, norm_epsilon=1e-5, vocabulary=11)
TIED = ModelConfig(layers=3, width=24, heads=3, hidden=40, context=9, tied_head=True, vocabulary=7)
MEMORY = replace(CONFIG, memory="learned", memory_order=4, memory_rows=50, memory_width=4)


def decoder_of(model: Transformer) -> Decoder:
    return Decoder(model.config, {name: tensor.numpy() for name, tensor in model.state_for_export().items()})


@pytest.fixture(params=[CONFIG, TIED, MEMORY], ids=["untied", "tied", "memory"], scope="module")
def model(request, random_model) -> Transformer:
    return random_model(request.param)


@pytest.fixture(scope="module")
def ids_BT(model) -> np.ndarray:
    return np.random.default_rng(3).integers(model.config.vocabulary, size=(3, model.config.context))


@pytest.fixture(scope="module")
def logits_BTV(model, ids_BT) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(ids_BT)).numpy()


def test_token_by_token_it_equals_the_transformer_at_every_position(model, ids_BT, logits_BTV):
    decoder = decoder_of(model)
    cache = decoder.cache(len(ids_BT))
    for position in range(model.config.context):
        logits_BV = decoder.forward(ids_BT[:, position : position + 1], cache)
        np.testing.assert_allclose(logits_BV, logits_BTV[:, position], rtol=0, atol=1e-4)
        assert cache.length == position + 1


@settings(deadline=None)
@given(cuts=st.sets(st.integers(1, 11)), sequences=st.integers(1, 3))
def test_it_does_not_matter_in_how_many_pieces_the_tokens_come(model, ids_BT, logits_BTV, cuts, sequences):
    decoder = decoder_of(model)
    cache = decoder.cache(sequences)
    ends = [*sorted(cut for cut in cuts if cut < model.config.context), model.config.context]
    for start, end in zip([0, *ends], ends, strict=False):
        logits_BV = decoder.forward(ids_BT[:sequences, start:end], cache)
        np.testing.assert_allclose(logits_BV, logits_BTV[:sequences, end - 1], rtol=0, atol=1e-4)


def test_one_text_alone_token_by_token_equals_the_transformer_too(model, ids_BT, logits_BTV):
    decoder = decoder_of(model)
    for ids_T, logits_TV in zip(ids_BT, logits_BTV, strict=True):
        cache = decoder.cache(1)
        given_TV = np.concatenate([decoder.forward(ids_T[None, t : t + 1], cache) for t in range(len(ids_T))])
        np.testing.assert_allclose(given_TV, logits_TV, rtol=0, atol=1e-4)


def test_a_memory_in_sixteen_bits_writes_the_same_as_in_the_network_that_it_is_loaded_into(random_model):
    small = random_model(MEMORY).state_for_export(small=True)
    loaded = random_model(MEMORY, seed=2)
    loaded.load_exported(small)
    decoder = Decoder(MEMORY, {name: tensor.numpy() for name, tensor in small.items()})
    ids_BT = np.random.default_rng(4).integers(MEMORY.vocabulary, size=(2, MEMORY.context))
    with torch.no_grad():
        wanted_BV = loaded(torch.from_numpy(ids_BT))[:, -1].numpy()
    np.testing.assert_allclose(decoder.forward(ids_BT, decoder.cache(2)), wanted_BV, rtol=0, atol=1e-4)


def test_sequences_do_not_see_each_other(model, ids_BT):
    decoder = decoder_of(model)
    together = decoder.forward(ids_BT, decoder.cache(len(ids_BT)))
    for ids_T, logits_V in zip(ids_BT, together, strict=True):
        np.testing.assert_allclose(decoder.forward(ids_T[None], decoder.cache(1))[0], logits_V, rtol=0, atol=1e-5)


def test_an_emptied_cache_begins_anew(model, ids_BT):
    decoder = decoder_of(model)
    cache = decoder.cache(len(ids_BT))
    decoder.forward(ids_BT, cache)
    cache.length = 0
    again = decoder.forward(ids_BT[:, :4], cache)
    np.testing.assert_array_equal(again, decoder.forward(ids_BT[:, :4], decoder.cache(len(ids_BT))))


def test_what_does_not_fit_into_the_context_is_refused(model, ids_BT):
    decoder = decoder_of(model)
    cache = decoder.cache(len(ids_BT))
    decoder.forward(ids_BT, cache)
    with pytest.raises(ValueError, match="do not fit into a context of"):
        decoder.forward(ids_BT[:, :1], cache)
    assert cache.length == model.config.context


def test_a_missing_weight_is_named(model):
    state = {name: tensor.numpy() for name, tensor in model.state_for_export().items()}
    del state["model.layers.0.self_attn.k_norm.weight"]
    with pytest.raises(KeyError, match="k_norm"):
        Decoder(model.config, state)


def test_huge_weights_give_no_overflow(model, ids_BT):
    state = {name: 1000 * tensor.numpy() for name, tensor in model.state_for_export().items()}
    decoder = Decoder(model.config, state)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(decoder.forward(ids_BT, decoder.cache(len(ids_BT)))).all()


def test_writing_needs_no_torch():
    program = "import sys, paznja.model.decoder, paznja.generation; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
