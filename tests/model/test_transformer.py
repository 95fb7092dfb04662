"""The network is Qwen3's, to the last digit that float32 gives, and begins knowing nothing."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paznja.config import ModelConfig
from paznja.model.fused import normalise
from paznja.model.names import qwen3_config
from paznja.model.transformer import Transformer
from paznja.model.weights import pack

CONFIG = ModelConfig(layers=2, width=16, heads=2, hidden=24, context=12, rope_theta=700.0, norm_epsilon=1e-5, vocabulary=11)
TIED = ModelConfig(layers=3, width=24, heads=3, hidden=40, context=9, tied_head=True, vocabulary=7)
ONE_HEAD = ModelConfig(layers=1, width=8, heads=1, hidden=6, context=20, vocabulary=5)
MEMORY = replace(CONFIG, memory="learned", memory_order=3, memory_rows=40, memory_width=8)
shapes = pytest.mark.parametrize("config", [CONFIG, TIED, ONE_HEAD], ids=["untied", "tied", "one head"])
all_shapes = pytest.mark.parametrize("config", [CONFIG, TIED, ONE_HEAD, MEMORY], ids=["untied", "tied", "one head", "memory"])


def ids_for(config: ModelConfig, sequences: int = 3) -> torch.Tensor:
    return torch.randint(config.vocabulary, (sequences, config.context), generator=torch.Generator().manual_seed(5))


@shapes
def test_logits_equal_those_of_qwen3(config, random_model):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    model = random_model(config)
    theirs = Qwen3ForCausalLM(Qwen3Config(**qwen3_config(config))).eval()
    missing, unexpected = theirs.load_state_dict(model.state_for_export(), strict=False)
    assert not unexpected
    assert set(missing) == ({"lm_head.weight"} if config.tied_head else set())
    theirs.tie_weights()
    ids_BT = ids_for(config)
    with torch.no_grad():
        wanted, given = theirs(ids_BT).logits, model(ids_BT)
    assert wanted.std() > 0.5
    torch.testing.assert_close(given, wanted, rtol=0, atol=1e-4)


@shapes
def test_the_file_of_weights_loads_in_transformers_as_it_is(config, random_model, tmp_path):
    from transformers import Qwen3ForCausalLM

    model = random_model(config, seed=2)
    (tmp_path / "model.safetensors").write_bytes(pack(model.state_for_export(), {"iteration": 5, "held_out": 2.5}))
    (tmp_path / "config.json").write_text(json.dumps(qwen3_config(config)))
    loaded: Any = Qwen3ForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    theirs, loading = loaded
    assert not any(loading.values())
    ids_BT = ids_for(config)
    with torch.no_grad():
        torch.testing.assert_close(model(ids_BT), theirs.eval()(ids_BT).logits, rtol=0, atol=1e-4)


@all_shapes
def test_exported_weights_make_another_network_the_same(config, random_model):
    one, other = random_model(config, seed=1), random_model(config, seed=2)
    ids_BT = ids_for(config)
    assert not torch.allclose(one(ids_BT), other(ids_BT), atol=0.1)
    other.load_exported({name: tensor.clone() for name, tensor in one.state_for_export().items()})
    assert torch.equal(one(ids_BT), other(ids_BT))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_that_do_not_fit_are_refused(random_model):
    state = random_model(CONFIG).state_for_export()
    del state["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(KeyError, match=r"layers\.1\.mlp\.up_proj"):
        random_model(CONFIG).load_exported(state)
    with pytest.raises(RuntimeError):
        random_model(TIED).load_exported(random_model(CONFIG).state_for_export())


def test_a_learned_memory_is_exported_beside_qwen3s_weights_and_its_table_in_half_the_bytes_where_asked(random_model):
    model, ids_BT = random_model(MEMORY), ids_for(MEMORY)
    exact, small = model.state_for_export(), model.state_for_export(small=True)
    assert set(exact) == set(small) == {*random_model(CONFIG).state_for_export(), "memory.table"}
    assert {name for name in exact if small[name].dtype != exact[name].dtype} == {"memory.table"}
    assert len(pack({"table": small["memory.table"]})) < 0.6 * len(pack({"table": exact["memory.table"]}))
    other = random_model(MEMORY, seed=2)
    other.load_exported(small)
    torch.testing.assert_close(other(ids_BT), model(ids_BT), rtol=0, atol=0.02)


@all_shapes
def test_a_position_sees_nothing_of_what_comes_after_it(config, random_model):
    model, ids_BT = random_model(config), ids_for(config)
    for position in range(config.context - 1):
        changed = ids_BT.clone()
        changed[:, position + 1 :] = (changed[:, position + 1 :] + 1) % config.vocabulary
        torch.testing.assert_close(model(changed)[:, : position + 1], model(ids_BT)[:, : position + 1])
        assert not torch.allclose(model(changed)[:, position + 1 :], model(ids_BT)[:, position + 1 :])


def test_a_position_sees_all_that_came_before_it(random_model):
    model, ids_BT = random_model(CONFIG), ids_for(CONFIG, sequences=1)
    for position in range(CONFIG.context):
        changed = ids_BT.clone()
        changed[:, position] = (changed[:, position] + 1) % CONFIG.vocabulary
        assert not torch.allclose(model(changed)[:, -1], model(ids_BT)[:, -1], atol=1e-6)


@all_shapes
def test_the_loss_is_the_mean_of_the_losses_which_are_minus_log_p(config, random_model):
    model, ids_BT = random_model(config), ids_for(config)
    next_ids_BT = ids_BT.roll(-1, dims=1)
    wanted = -model(ids_BT).log_softmax(-1).gather(2, next_ids_BT[:, :, None])[:, :, 0]
    losses_BT = model.losses(ids_BT, next_ids_BT)
    assert losses_BT.dtype == torch.float32
    torch.testing.assert_close(losses_BT, wanted)
    torch.testing.assert_close(model(ids_BT, next_ids_BT), losses_BT.mean())


@pytest.mark.parametrize("config", [CONFIG, MEMORY], ids=["without memory", "with memory"])
def test_every_weight_gets_a_gradient(config, random_model):
    model, ids_BT = random_model(config), ids_for(config)
    model(ids_BT, ids_BT.roll(-1, dims=1)).backward()
    learnt = [parameter for parameter in model.parameters() if model.memory is None or parameter is not model.memory.table]
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in learnt)


def test_at_the_start_every_next_id_is_equally_likely():
    ids_BT = ids_for(CONFIG)
    losses_BT = Transformer(CONFIG).losses(ids_BT, ids_BT.roll(-1, dims=1))
    torch.testing.assert_close(losses_BT, torch.full_like(losses_BT, math.log(CONFIG.vocabulary)))


@shapes
def test_at_the_start_every_block_is_the_identity(config):
    model = Transformer(config)
    x_BTC = torch.randn(2, config.context, config.width)
    normed_BTC = normalise(x_BTC, config.norm_epsilon)
    for block in model.blocks:
        after_BTC, normed_after_BTC = block(x_BTC, normed_BTC, model.get_buffer("cos_TD"), model.get_buffer("sin_TD"))
        assert torch.equal(after_BTC, x_BTC)
        assert torch.equal(normed_after_BTC, normed_BTC)


def test_the_generator_decides_the_first_weights():
    def weights(seed: int) -> torch.Tensor:
        model = Transformer(CONFIG, torch.Generator().manual_seed(seed))
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(weights(4), weights(4))
    assert not torch.equal(weights(4), weights(5))


@given(
    layers=st.integers(1, 3),
    heads=st.integers(1, 3),
    half_head=st.integers(1, 4),
    hidden=st.integers(1, 9),
    vocabulary=st.integers(1, 9),
    tied=st.booleans(),
    memory=st.sampled_from(["none", "learned", "counted"]),
    order=st.integers(2, 4),
)
def test_the_settings_know_the_number_of_parameters(layers, heads, half_head, hidden, vocabulary, tied, memory, order):
    config = ModelConfig(layers, 2 * heads * half_head, heads, hidden, context=4, tied_head=tied, vocabulary=vocabulary)
    config = replace(config, memory=memory, memory_order=order, memory_rows=10 + order, memory_width=heads)
    assert config.num_parameters() == Transformer(config).num_parameters()
