"""Continuing a prompt: streaming, temperature, top-k, top-p, min-p, a seed; and which tokens the model expects next.

Needs a `Decoder` and a tokenizer, but neither torch nor the trainer. When the text outgrows the context, the
second half of the context is read again and writing goes on, so the model never meets a position that it was not trained on.

Shapes: B texts, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paznja.corpus.scripts.script import script_of
from paznja.corpus.scripts.transliteration import to_cyrillic, to_latin
from paznja.errors import WrongUse
from paznja.model.decoder import Decoder
from paznja.tokenizers import Tokenizer


@dataclass(frozen=True)
class Choice:
    """How the next token is drawn from what the model expects."""

    temperature: float = 0.8
    """The logits are divided by it; 0 always takes the likeliest token."""
    top_k: int = 0
    """Only the k likeliest tokens are considered; 0 for all."""
    top_p: float = 1.0
    """Only the likeliest tokens that together reach this probability are considered."""
    min_p: float = 0.0
    """Only tokens with at least this share of the probability of the likeliest one are considered."""

    def check(self) -> None:
        """WrongUse if a value makes no sense."""
        if not 0 <= self.temperature < float("inf"):
            raise WrongUse(f"The temperature must be 0 or more, and {self.temperature:g} is not.")
        if self.top_k < 0:
            raise WrongUse(f"--top-k must be 0 (all) or more, and {self.top_k} is not.")
        if not 0 < self.top_p <= 1:
            raise WrongUse(f"--top-p must be above 0 and at most 1, and {self.top_p:g} is not.")
        if not 0 <= self.min_p <= 1:
            raise WrongUse(f"--min-p must be from 0 to 1, and {self.min_p:g} is not.")

    def weights(self, logits_BV: NDArray[np.float32]) -> NDArray[np.float64]:
        """Weights for drawing a token, (B, V): proportional to the probabilities, with 1 for the likeliest."""
        w_BV = _below_the_largest(logits_BV)
        if self.temperature == 0:
            w_BV[:] = np.arange(w_BV.shape[1]) == w_BV.argmax(axis=1)[:, None]
            return w_BV
        w_BV /= max(self.temperature, 1e-9)
        np.exp(w_BV, out=w_BV)
        if 0 < self.top_k < w_BV.shape[1]:
            w_BV[w_BV < np.partition(w_BV, -self.top_k, axis=1)[:, -self.top_k, None]] = 0.0
        if self.min_p > 0:
            w_BV[w_BV < self.min_p] = 0.0
        if self.top_p < 1:
            order = np.argsort(-w_BV, axis=1, kind="stable")
            ordered = np.take_along_axis(w_BV, order, axis=1)
            # A token stays if those before it do not reach top_p; so the likeliest one always stays.
            reached = np.cumsum(ordered, axis=1)
            ordered[reached - ordered >= self.top_p * reached[:, -1:]] = 0.0
            np.put_along_axis(w_BV, order, ordered, axis=1)
        return w_BV

    def probabilities(self, logits_BV: NDArray[np.float32]) -> NDArray[np.float64]:
        """`weights`, (B, V), divided so that each row sums to 1."""
        w_BV = self.weights(logits_BV)
        return w_BV / w_BV.sum(axis=1, keepdims=True)


def generate(
    decoder: Decoder, tokenizer: Tokenizer, prompt: str, length: int, choice: Choice, *, seed: int = 1, count: int = 1
) -> Iterator[list[str]]:
    """Continue the prompt by `length` characters, `count` times; yields what was added to each text, step by step.

    Each text has its own random numbers, which depend on `seed`. WrongUse if the prompt is empty or the choice makes no sense.
    """
    choice.check()
    generators = [np.random.default_rng([seed, i]) for i in range(count)]
    reader = _Reader(decoder, _begin(tokenizer, prompt), count)
    logits_BV = reader.logits_BV
    written = [0] * count
    pending: list[list[int]] = [[] for _ in range(count)]
    while min(written) < length:
        reached_BV = choice.weights(logits_BV[:, : tokenizer.num_writable]).cumsum(axis=1)
        ids = [
            int(reached.searchsorted(generator.random() * reached[-1], side="right"))
            for reached, generator in zip(reached_BV, generators, strict=True)
        ]
        grown = [""] * count
        for i, new_id in enumerate(ids):
            pending[i].append(new_id)
            piece = tokenizer.decode(pending[i])
            # An incomplete character waits for its other bytes; no character has more than four.
            if not piece.endswith("\ufffd") or len(pending[i]) == 4:
                grown[i] = piece[: max(0, length - written[i])]
                written[i] += len(piece)
                pending[i] = []
        yield grown
        if min(written) < length:
            logits_BV = reader.read(np.array(ids)[:, None])


def continuation(decoder: Decoder, tokenizer: Tokenizer, prompt: str, length: int, choice: Choice, *, seed: int = 1) -> str:
    """One text from `generate`, whole and without its prompt. WrongUse if the prompt is empty or the choice makes no sense."""
    return "".join(grown[0] for grown in generate(decoder, tokenizer, prompt, length, choice, seed=seed))


def expected(decoder: Decoder, tokenizer: Tokenizer, prompt: str) -> list[tuple[str, float]]:
    """What the model expects after the prompt: (text, probability) of every token that can be written, likeliest first.

    The probabilities are the model's own, without a temperature. WrongUse if the prompt is empty.
    """
    p_V = softmax(_Reader(decoder, _begin(tokenizer, prompt), 1).logits_BV)[0, : tokenizer.num_writable]
    return [(tokenizer.decode([int(i)]), float(p_V[i])) for i in np.argsort(-p_V, kind="stable")]


def fit_prompt(prompt: str, script: str, tokenizer: Tokenizer) -> tuple[str, list[str]]:
    """The prompt in the model's `script`, and remarks on it: that it was converted, which characters the model hardly ever saw."""
    remarks: list[str] = []
    if {script_of(prompt), script} == {"cyrillic", "latin"}:
        given, prompt = prompt, to_cyrillic(prompt) if script == "cyrillic" else to_latin(prompt)
        if prompt != given:
            remarks.append(f"The model learnt {script.capitalize()} script, so the prompt was converted: {prompt!r}")
    unknown = tokenizer.unknown_characters(prompt)
    if unknown:
        remarks.append(f"The model hardly ever saw {', '.join(repr(character) for character in unknown)}; expect little sense after that.")
    return prompt, remarks


def softmax(logits_BV: NDArray[np.floating]) -> NDArray[np.float64]:
    """The probabilities, (B, V); each row sums to 1."""
    p_BV = _below_the_largest(logits_BV)
    np.exp(p_BV, out=p_BV)
    return p_BV / p_BV.sum(axis=1, keepdims=True)


def _below_the_largest(logits_BV: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each logit is below the largest of its row, 0 or less, so that no exponential overflows.

    If training went wrong, logits can be as large as float32 allows, and the difference between two of them -inf,
    which rightly gives a probability of 0.
    """
    with np.errstate(over="ignore"):
        return (logits_BV - logits_BV.max(axis=1, keepdims=True)).astype(np.float64)


def _begin(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The prompt's ids after an end of line, because a text begins like a line."""
    if not prompt:
        raise WrongUse("The prompt is empty: give the model at least one character to go on from.")
    return [tokenizer.newline, *tokenizer.encode(prompt).tolist()]


class _Reader:
    """Reads B texts as they are written: has the logits after the ids so far, and keeps the cache within the context."""

    def __init__(self, decoder: Decoder, begin: list[int], count: int) -> None:
        self._decoder = decoder
        self._context = decoder.config.context
        self._writing = decoder.writing(begin, count)
        ids_BT = np.tile(np.array(begin[-self._context :]), (count, 1))
        self._ids = [ids_BT]
        self._cache = decoder.cache(count)
        self.logits_BV = self._forward(ids_BT)

    def read(self, new_ids_B1: NDArray[np.integer]) -> NDArray[np.float32]:
        self._ids.append(new_ids_B1)
        if self._writing is not None:
            self._writing.append(new_ids_B1[:, 0].tolist())
        if self._cache.length == self._context:
            latter_half_BT = np.concatenate(self._ids, axis=1)[:, -max(1, self._context // 2) :]
            self._ids = [latter_half_BT]
            self._cache.length = 0
            self.logits_BV = self._forward(latter_half_BT)
        else:
            self.logits_BV = self._forward(new_ids_B1)
        return self.logits_BV

    def _forward(self, ids_BT: NDArray[np.integer]) -> NDArray[np.float32]:
        evidence = None if self._writing is None else self._writing.evidence(ids_BT.shape[1])
        return self._decoder.forward(ids_BT, self._cache, evidence)
