"""The same network as in `transformer.py`, for writing one token after another, with a cache of keys and values; in NumPy.

A token takes a small model a few hundred tiny products; in PyTorch most of their time goes into calling them. NumPy is
about three times as fast, and writing from a stored run needs no torch at all. Tests check that the two give the same logits.

Shapes: B sequences, T new positions, S positions in the cache, C width, H heads, D width of a head, F hidden width, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paznja.config import ModelConfig
from paznja.model import names
from paznja.model.names import LayerNames
from paznja.model.ngrams import rows_of_ngrams

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory
    from paznja.memory.evidence import Evidence
    from paznja.memory.remembered import Writing

Array = NDArray[Any]
"""float32. NumPy's stubs wrongly say that its product with a plain number is float64."""


@dataclass(frozen=True)
class _Layer:
    """One block's matrices, ready to be multiplied from the left by activations, with all constant factors folded in."""

    qkv: Array
    """(C, 3C): the norm's weights and the root of C folded in; in each head of queries and keys, dimension j and its partner
    j + D/2, which are rotated together, are side by side."""
    out: Array
    """(C, C)"""
    gate_up: Array
    """(C, 2F): the norm's weights and the root of C folded in, and a factor of a half for the gate."""
    down: Array
    """(F, C)"""
    head_weights: Array
    """(2, 1, D): the norms' weights for queries and keys, the root of D and the attention's scale folded in."""


class Decoder:
    """Maps token ids to logits of the next token, with weights named as in `model.safetensors`."""

    def __init__(self, config: ModelConfig, state: Mapping[str, Array], memory: CountedMemory | None = None) -> None:
        """`state`: float32 arrays (a learned memory's table may be float16); KeyError if one is missing. `memory`: a counted one."""
        self.config, self._memory = config, memory
        self._root = math.sqrt(config.width)
        self._embedding = np.ascontiguousarray(state[names.EMBEDDING])
        head = self._embedding if config.tied_head else state[names.HEAD]
        self._head = np.ascontiguousarray((head * (self._root * state[names.NORM])).T)
        self._orders = config.memory_order - 1 if config.memory == "learned" else 0
        if self._orders:
            self._table, self._pieces = state[names.TABLE], config.width // config.memory_width
        self._weighing = Weighing(state) if config.memory == "counted" else None
        self._layers = [self._layer(state, names.layer(i)) for i in range(config.layers)]
        frequencies = 1.0 / config.rope_theta ** (np.arange(0, config.head_width, 2) / config.head_width)
        angles = np.outer(np.arange(config.context), frequencies)
        # A pair of dimensions as a complex number: one product rotates it.
        self._turns = (np.cos(angles) + 1j * np.sin(angles)).astype(np.complex64)
        self._width_epsilon = config.width * config.norm_epsilon
        self._head_epsilon = config.head_width * config.norm_epsilon

    def _layer(self, state: Mapping[str, Array], of: LayerNames) -> _Layer:
        c = self.config
        pairs = np.arange(c.head_width).reshape(2, -1).T.ravel()

        def normed_columns(norm: str, matrices: list[Array]) -> Array:
            return np.ascontiguousarray((np.concatenate(matrices) * (self._root * state[norm])).T)

        def paired(matrix: Array) -> Array:
            return matrix.reshape(c.heads, c.head_width, c.width)[:, pairs].reshape(c.width, c.width)

        queries_keys = [paired(state[of.query]), paired(state[of.key])]
        # For queries the root of D from the norm and the attention's scale cancel out.
        head_weights = np.stack([state[of.query_norm][pairs], state[of.key_norm][pairs] * math.sqrt(c.head_width)])
        return _Layer(
            qkv=normed_columns(of.attention_norm, [*queries_keys, state[of.value]]),
            out=np.ascontiguousarray(state[of.out].T),
            gate_up=normed_columns(of.feed_forward_norm, [state[of.gate] * np.float32(0.5), state[of.up]]),
            down=np.ascontiguousarray(state[of.down].T),
            head_weights=head_weights[:, None].astype(np.float32),
        )

    def cache(self, sequences: int) -> Cache:
        """An empty cache for this many sequences, as long as the context."""
        c = self.config
        shape = (c.layers, sequences, c.heads, c.context, c.head_width)
        codes = np.zeros((sequences, c.memory_order - 1 + c.context), np.int64)
        return Cache(np.empty(shape, np.float32), np.empty(shape, np.float32), codes)

    def writing(self, begin: Sequence[int], count: int) -> Writing | None:
        """For a network with a counted memory: what gathers evidence for `count` texts that begin like this."""
        if self._memory is None:
            return None
        from paznja.memory.remembered import Writing

        return Writing(self._memory, begin, count)

    def forward(self, ids_BT: NDArray[np.integer], cache: Cache, evidence: Evidence | None = None) -> Array:
        """Read T more tokens of each sequence into the cache; returns the logits_BV after the last of them.

        `evidence`: what the counted memory, if there is one, says after each of the new tokens.
        ValueError if they do not fit: cache.length + T must not exceed the context.
        """
        B, T = ids_BT.shape
        c = self.config
        start, end = cache.length, cache.length + T
        if end > c.context:
            raise ValueError(f"{end} positions do not fit into a context of {c.context}")
        if B == T == 1:
            return self._step(int(ids_BT[0, 0]), cache, evidence)
        H, D = c.heads, c.head_width
        hidden = None if T == 1 else np.triu(np.full((T, end), -np.inf, np.float32), start + 1)
        x_NC: Array = self._embedding[ids_BT.reshape(-1)]
        if self._orders:
            x_NC += self._remembered(ids_BT, cache).reshape(x_NC.shape)
        if self._weighing is not None:
            assert evidence is not None, "a network with a counted memory needs its evidence"
            x_NC += self._weighing.read(evidence)
        for i, layer in enumerate(self._layers):
            keys_BHSD, values_BHSD = cache.keys[i, :, :, :end], cache.values[i, :, :, :end]
            q_k_v = (_to_unit_length(x_NC, self._width_epsilon) @ layer.qkv).reshape(B, T, 3, H, D).transpose(2, 0, 3, 1, 4)
            q_k = _to_unit_length(q_k_v[:2], self._head_epsilon)
            q_k *= layer.head_weights[:, None, None]
            turned = q_k.view(np.complex64)
            turned *= self._turns[start:end]
            keys_BHSD[:, :, start:] = q_k[1]
            values_BHSD[:, :, start:] = q_k_v[2]
            scores_BHTS = q_k[0] @ keys_BHSD.swapaxes(2, 3)
            if hidden is not None:
                scores_BHTS += hidden
            mixed_BHTD = _softmax_unscaled(scores_BHTS) @ values_BHSD
            mixed_BHTD /= scores_BHTS.sum(axis=-1, keepdims=True)
            x_NC = x_NC + mixed_BHTD.swapaxes(1, 2).reshape(B * T, c.width) @ layer.out
            x_NC += _swiglu(_to_unit_length(x_NC, self._width_epsilon) @ layer.gate_up) @ layer.down
        cache.length = end
        unit_BC = _to_unit_length(x_NC.reshape(B, T, c.width)[:, -1], self._width_epsilon)
        return self._weighed(unit_BC, evidence, T)

    def _weighed(self, unit_BC: Array, evidence: Evidence | None, T: int) -> Array:
        """The logits_BV; the evidence is for T positions of each sequence, and only the last of them counts."""
        logits_BV = unit_BC @ self._head
        if self._weighing is not None and evidence is not None:
            self._weighing.weigh(logits_BV, unit_BC * self._root, evidence, T)
        return logits_BV

    def _remembered(self, ids_BT: NDArray[np.integer], cache: Cache) -> Array:
        """What the learned memory adds to the new positions, (B, T, C)."""
        B, T = ids_BT.shape
        start, orders = cache.length, self._orders
        cache.codes[:, start + orders : start + orders + T] = ids_BT + 1
        back = [cache.codes[:, start + orders - j :][:, :T] for j in range(orders + 1)]
        rows_BTN = np.stack(rows_of_ngrams(back, self._pieces, len(self._table)), axis=-1)
        return self._table[rows_BTN].reshape(B, T, orders, -1).sum(2, dtype=np.float32)

    def _remembered_at(self, new_id: int, cache: Cache) -> Array:
        """`_remembered` for one token of one sequence, (C,)."""
        place = cache.length + self._orders
        cache.codes[0, place] = new_id + 1
        back = cache.codes[0, place - self._orders : place + 1].tolist()
        rows_N = rows_of_ngrams(back[::-1], self._pieces, len(self._table))
        found_NW = self._table.take(rows_N, axis=0).astype(np.float32, copy=False)
        return np.add.reduce(found_NW.reshape(self._orders, -1))

    def _step(self, new_id: int, cache: Cache, evidence: Evidence | None) -> Array:
        """`forward` for one token of one sequence, without the dimensions of size 1: most of the time of writing is spent here."""
        c, position, end = self.config, cache.length, cache.length + 1
        x_C: Array = self._embedding[new_id]
        if self._orders:
            x_C = x_C + self._remembered_at(new_id, cache)
        if self._weighing is not None:
            assert evidence is not None
            x_C = x_C + self._weighing.read(evidence)[0]
        for layer, keys_HSD, values_HSD in zip(self._layers, cache.keys[:, 0], cache.values[:, 0], strict=True):
            normed_C = x_C / math.sqrt(x_C @ x_C + self._width_epsilon)
            q_k_v = (normed_C @ layer.qkv).reshape(3, c.heads, c.head_width)
            q_k = _to_unit_length(q_k_v[:2], self._head_epsilon)
            q_k *= layer.head_weights
            turned = q_k.view(np.complex64)
            turned *= self._turns[position]
            keys_HSD[:, position] = q_k[1]
            values_HSD[:, position] = q_k_v[2]
            scores_H1S = (keys_HSD[:, :end] @ q_k[0, :, :, None]).swapaxes(1, 2)
            mixed_H1D = _softmax_unscaled(scores_H1S) @ values_HSD[:, :end]
            mixed_H1D /= scores_H1S.sum(axis=-1, keepdims=True)
            x_C = x_C + mixed_H1D.reshape(c.width) @ layer.out
            normed_C = x_C / math.sqrt(x_C @ x_C + self._width_epsilon)
            x_C += _swiglu(normed_C @ layer.gate_up) @ layer.down
        cache.length = end
        return self._weighed((x_C / math.sqrt(x_C @ x_C + self._width_epsilon))[None], evidence, 1)


class Weighing:
    """How the network uses the counted memory, as in `weighing.py`."""

    def __init__(self, state: Mapping[str, Array]) -> None:
        self._features, self._prior, self._gates = (
            np.ascontiguousarray(state[names.WEIGHING + name].T) for name in ("features", "prior", "gates")
        )
        self._trust, self._base = state[names.WEIGHING + "trust"], state[names.WEIGHING + "base"]
        self._kinds = np.arange(len(self._trust))

    def read(self, evidence: Evidence) -> Array:
        """What is added to the input, (N, C)."""
        return evidence.features @ self._features + evidence.prior @ self._prior

    def weigh(self, logits_BV: Array, normed_BC: Array, evidence: Evidence, T: int) -> None:
        """Add what the memory says about the last of every T positions."""
        from paznja.memory.evidence import add_weighed

        last = slice(T - 1, None, T)
        weights_BK = normed_BC @ self._gates + self._trust[self._kinds, evidence.buckets[last]]
        logits_BV += self._base
        starts_BK = np.ascontiguousarray(evidence.starts[last])
        add_weighed(starts_BK, evidence.tokens, evidence.gains, weights_BK.astype(np.float32, copy=False), logits_BV)


class Cache:
    """Keys and values of the positions so far: (layers, B, H, context, D) each; the first `length` positions are filled.

    `codes` (B, orders of the memory + context): what a learned memory looks back at; 0 before the beginning, then each
    position's id plus 1.
    """

    def __init__(self, keys: Array, values: Array, codes: NDArray[np.int64]) -> None:
        self.keys, self.values, self.codes = keys, values, codes
        self.length = 0


def _to_unit_length(x: Array, epsilon: float) -> Array:
    """x divided by its length along the last dimension: RMSNorm, except for the root of that dimension, which is in the matrices."""
    squares = np.vecdot(x, x)[..., None]
    squares += epsilon
    np.sqrt(squares, out=squares)
    return x / squares


def _softmax_unscaled(scores: Array) -> Array:
    """exp of the scores, in place, scaled so that the largest in each row is 1; dividing by the sum is cheaper after the next product."""
    scores -= scores.max(axis=-1, keepdims=True)
    return np.exp(scores, out=scores)


def _swiglu(gate_up: Array) -> Array:
    """silu(g) * up for g / 2 in the first half and up in the second; silu(g) = g / 2 * (1 + tanh(g / 2)), which cannot overflow."""
    hidden = gate_up.shape[-1] // 2
    half_gate, up = gate_up[..., :hidden], gate_up[..., hidden:]
    activated = np.tanh(half_gate)
    activated += 1.0
    activated *= half_gate
    activated *= up
    return activated
