"""Qwen3's names for the parts of the network: those of the weights in `model.safetensors`, and `config.json`. Needs no torch.

All code that reads or writes weights takes their names from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paznja.config import ModelConfig

EMBEDDING = "model.embed_tokens.weight"
NORM = "model.norm.weight"
"""The norm after the last layer."""
HEAD = "lm_head.weight"
"""Missing if the embedding is also the head."""

TABLE = "memory.table"
"""The table of a learned memory, which Qwen3 does not have."""
WEIGHING = "memory."
"""How the names of the weights that weigh a counted memory begin."""


@dataclass(frozen=True)
class LayerNames:
    """The names of one layer's weights."""

    attention_norm: str
    query: str
    key: str
    value: str
    query_norm: str
    key_norm: str
    out: str
    feed_forward_norm: str
    gate: str
    up: str
    down: str


def layer(number: int) -> LayerNames:
    """The names in the layer with this number, counted from 0."""
    begin = f"model.layers.{number}"
    return LayerNames(
        attention_norm=f"{begin}.input_layernorm.weight",
        query=f"{begin}.self_attn.q_proj.weight",
        key=f"{begin}.self_attn.k_proj.weight",
        value=f"{begin}.self_attn.v_proj.weight",
        query_norm=f"{begin}.self_attn.q_norm.weight",
        key_norm=f"{begin}.self_attn.k_norm.weight",
        out=f"{begin}.self_attn.o_proj.weight",
        feed_forward_norm=f"{begin}.post_attention_layernorm.weight",
        gate=f"{begin}.mlp.gate_proj.weight",
        up=f"{begin}.mlp.up_proj.weight",
        down=f"{begin}.mlp.down_proj.weight",
    )


def qwen3_config(config: ModelConfig) -> dict[str, Any]:
    """The shape as `Qwen3Config` in `transformers` takes it, without a memory, which Qwen3 does not have."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "head_dim": config.head_width,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_epsilon,
        "tie_word_embeddings": config.tied_head,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rope_theta": config.rope_theta,
        "attention_bias": False,
        "hidden_act": "silu",
        "dtype": "float32",
    }
