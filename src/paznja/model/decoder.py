"""The same network as `transformer.py`, for writing: one token after another, with a cache of keys and values. In NumPy.

A token of a small model is a few hundred tiny products; in PyTorch most of their time goes into being called. Here it is
about three times as fast, and writing from a stored run needs no torch at all. Tests hold the two networks to the same logits.

Shapes: B sequences, T new positions, S positions in the cache, C width, H heads, D width of a head, F hidden width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paznja.config import ModelConfig

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Layer:
    """One block's matrices, ready to be multiplied from the left; the norms' weights are folded in."""

    qkv: Array  # (C, 3C)
    out: Array  # (C, C)
    gate_up: Array  # (C, 2F)
    down: Array  # (F, C)
    cos: Array  # (positions, 2, 1, D): for queries and keys, the norms' weights and the attention's scale folded in
    sin: Array


class Decoder:
    """Weights under the names of `Qwen3ForCausalLM` (as in `model.safetensors`), to logits of the next token."""

    def __init__(self, config: ModelConfig, state: Mapping[str, Array]) -> None:
        """`state`: float32 arrays; KeyError for a missing one."""
        self.config = config
        self._embedding = np.ascontiguousarray(state["model.embed_tokens.weight"])
        head = self._embedding if config.tied_head else state["lm_head.weight"]
        self._head = np.ascontiguousarray((head * state["model.norm.weight"]).T)
        self._layers = [self._layer(state, f"model.layers.{i}.") for i in range(config.layers)]

    def _layer(self, state: Mapping[str, Array], prefix: str) -> _Layer:
        def rows(names: list[str], norm: str) -> Array:
            stacked = np.concatenate([state[f"{prefix}{name}.weight"] for name in names])
            return np.ascontiguousarray((stacked * state[f"{prefix}{norm}.weight"]).T)

        D = self.config.head_width
        frequencies = 1.0 / self.config.rope_theta ** (np.arange(0, D, 2) / D)
        angles = np.outer(np.arange(self.config.context), frequencies)
        cos = np.concatenate((np.cos(angles), np.cos(angles)), axis=1)
        sin = np.concatenate((-np.sin(angles), np.sin(angles)), axis=1)
        weights = [state[f"{prefix}self_attn.q_norm.weight"] * D**-0.5, state[f"{prefix}self_attn.k_norm.weight"]]
        return _Layer(
            qkv=rows(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], "input_layernorm"),
            out=np.ascontiguousarray(state[f"{prefix}self_attn.o_proj.weight"].T),
            gate_up=rows(["mlp.gate_proj", "mlp.up_proj"], "post_attention_layernorm"),
            down=np.ascontiguousarray(state[f"{prefix}mlp.down_proj.weight"].T),
            cos=np.stack([cos * w for w in weights], axis=1)[:, :, None].astype(np.float32),
            sin=np.stack([sin * np.roll(w, D // 2) for w in weights], axis=1)[:, :, None].astype(np.float32),
        )

    def cache(self, sequences: int) -> Cache:
        """An empty cache for so many sequences, as long as the context."""
        c = self.config
        shape = (c.layers, sequences, c.heads, c.context, c.head_width)
        return Cache(np.empty(shape, np.float32), np.empty(shape, np.float32))

    def forward(self, ids_BT: NDArray[np.integer], cache: Cache) -> Array:
        """Take T more tokens of each sequence into the cache; the logits_BV after the last of them.

        ValueError if they do not fit: cache.length + T may not exceed the context.
        """
        B, T = ids_BT.shape
        c = self.config
        start, end = cache.length, cache.length + T
        if end > c.context:
            raise ValueError(f"{end} positions do not fit into a context of {c.context}")
        H, D, half = c.heads, c.head_width, c.head_width // 2
        hidden = None if T == 1 else np.triu(np.full((T, end), -np.inf, np.float32), start + 1)
        x_NC = self._embedding[ids_BT.reshape(-1)]
        for i, layer in enumerate(self._layers):
            keys_BHSD, values_BHSD = cache.keys[i, :, :, :end], cache.values[i, :, :, :end]
            qkv = (_normalise(x_NC, c.norm_epsilon) @ layer.qkv).reshape(B, T, 3, H, D)
            qk = _normalise(qkv[:, :, :2], c.norm_epsilon)
            swapped = np.concatenate((qk[..., half:], qk[..., :half]), axis=-1)
            qk = qk * layer.cos[start:end] + swapped * layer.sin[start:end]
            keys_BHSD[:, :, start:] = qk[:, :, 1].transpose(0, 2, 1, 3)
            values_BHSD[:, :, start:] = qkv[:, :, 2].transpose(0, 2, 1, 3)
            scores_BHTS = qk[:, :, 0].transpose(0, 2, 1, 3) @ keys_BHSD.transpose(0, 1, 3, 2)
            if hidden is not None:
                scores_BHTS += hidden
            scores_BHTS -= scores_BHTS.max(axis=-1, keepdims=True)
            np.exp(scores_BHTS, out=scores_BHTS)
            scores_BHTS /= scores_BHTS.sum(axis=-1, keepdims=True)
            mixed_NC = (scores_BHTS @ values_BHSD).transpose(0, 2, 1, 3).reshape(B * T, c.width)
            x_NC = x_NC + mixed_NC @ layer.out
            gate_up = _normalise(x_NC, c.norm_epsilon) @ layer.gate_up
            gate, up = gate_up[:, : c.hidden], gate_up[:, c.hidden :]
            up *= gate
            np.negative(gate, out=gate)
            # Far below zero the gate is nothing; exp must not run over there.
            np.exp(np.minimum(gate, 80.0, out=gate), out=gate)
            gate += 1.0
            up /= gate
            x_NC = x_NC + up @ layer.down
        cache.length = end
        last_BC = x_NC.reshape(B, T, c.width)[:, -1]
        return _normalise(last_BC, c.norm_epsilon) @ self._head


class Cache:
    """Keys and values of the positions so far: (layers, B, H, context, D) each, of which `length` positions count."""

    def __init__(self, keys: Array, values: Array) -> None:
        self.keys, self.values = keys, values
        self.length = 0


def _normalise(x: Array, epsilon: float) -> Array:
    mean_square: Array = np.einsum("...i,...i->...", x, x)[..., None] * np.float32(1.0 / x.shape[-1])
    mean_square += np.float32(epsilon)
    np.sqrt(mean_square, out=mean_square)
    return x / mean_square
