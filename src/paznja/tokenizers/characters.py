"""Characters as tokens: byte-level BPE whose merges only assemble single characters of the alphabet.

Nothing is ever unknown: a character outside the alphabet costs its UTF-8 bytes. The ids are, in this order: the alphabet, the most
frequent character first; the bytes that are not characters of it, from 0x00 up; the beginnings of characters that the merges need.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from paznja.tokenizers import Ids


class CharacterTokenizer:
    """See `paznja.tokenizers.Tokenizer` for what each part does."""

    kind = "characters"

    def __init__(self, alphabet: Sequence[str]) -> None:
        """`alphabet`: single characters in Unicode's normal form C, each once, in the order of their ids."""
        self.alphabet = tuple(alphabet)
        pieces = [character.encode() for character in self.alphabet]
        known = set(pieces)
        pieces += [bytes([byte]) for byte in range(256) if bytes([byte]) not in known]
        known = set(pieces)
        for character in self.alphabet:
            encoded = character.encode()
            for end in range(2, len(encoded)):
                if encoded[:end] not in known:
                    pieces.append(encoded[:end])
                    known.add(encoded[:end])
        self.pieces = tuple(pieces)
        self._id_of = {piece: i for i, piece in enumerate(pieces)}

    @classmethod
    def learn(cls, texts: Iterable[str]) -> CharacterTokenizer:
        """A tokenizer whose alphabet is every character that occurs in these texts at least twice, and at least once in a million."""
        counts: NDArray[np.int64] = np.zeros(0x110000, dtype=np.int64)
        for text in texts:
            present, times = np.unique(_codepoints(text), return_counts=True)
            counts[present] += times
        enough = max(2, int(counts.sum()) // 1_000_000)
        by_frequency = sorted(np.flatnonzero(counts >= enough).tolist(), key=lambda codepoint: (-counts[codepoint], codepoint))
        alphabet = [chr(codepoint) for codepoint in by_frequency]
        # Every text begins after a line's end, so that has an id even where no book has two lines.
        return cls(alphabet if "\n" in alphabet else [*alphabet, "\n"])

    @classmethod
    def from_json(cls, text: str) -> CharacterTokenizer:
        """Read what `to_json` wrote; ValueError, KeyError or TypeError if the text is anything else."""
        vocabulary: dict[str, int] = json.loads(text)["model"]["vocab"]
        symbols = _byte_symbols()
        byte_of = {symbol: byte for byte, symbol in enumerate(symbols)}
        first_byte = vocabulary[symbols[0]]
        spelled = sorted((i, bytes(byte_of[symbol] for symbol in token)) for token, i in vocabulary.items())
        tokenizer = cls([piece.decode() for _, piece in spelled[:first_byte]])
        if tokenizer.pieces != tuple(piece for _, piece in spelled):
            raise ValueError("its tokens are not single characters")
        return tokenizer

    def to_json(self) -> str:
        from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
        from tokenizers.models import BPE

        symbols = _byte_symbols()

        def spell(piece: bytes) -> str:
            return "".join(symbols[byte] for byte in piece)

        merged = sorted((piece for piece in self.pieces if len(piece) > 1), key=len)
        library = Tokenizer(
            BPE(
                vocab={spell(piece): i for i, piece in enumerate(self.pieces)},
                merges=[(spell(piece[:-1]), spell(piece[-1:])) for piece in merged],
            )
        )
        library.normalizer = normalizers.NFC()
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        return library.to_str(pretty=True)

    @property
    def size(self) -> int:
        return len(self.pieces)

    @property
    def num_writable(self) -> int:
        return len(self.alphabet)

    @property
    def newline(self) -> int:
        return self._id_of[b"\n"]

    def encode(self, text: str) -> Ids:
        """Characters of the alphabet are looked up in one step; the few others are spelled byte by byte."""
        codepoints = _codepoints(text)
        ids = self._id_of_codepoint[codepoints]
        strange = np.flatnonzero(ids < 0)
        if not len(strange):
            return ids.astype(np.uint16)
        spelled = {int(codepoint): self._spell(chr(codepoint)) for codepoint in np.unique(codepoints[strange])}
        lengths = np.ones(len(ids), dtype=np.int64)
        for codepoint, piece_ids in spelled.items():
            lengths[strange[codepoints[strange] == codepoint]] = len(piece_ids)
        starts = np.cumsum(lengths) - lengths
        result = np.empty(int(lengths.sum()), dtype=np.uint16)
        known = ids >= 0
        result[starts[known]] = ids[known]
        for codepoint, piece_ids in spelled.items():
            where = starts[strange[codepoints[strange] == codepoint]]
            for offset, piece_id in enumerate(piece_ids):
                result[where + offset] = piece_id
        return result

    def decode(self, ids: Sequence[int] | Ids) -> str:
        return b"".join([self.pieces[i] for i in ids]).decode(errors="replace")

    def count_characters(self, ids: Ids) -> int:
        return int(self._begins_character[ids].sum())

    def unknown_characters(self, text: str) -> list[str]:
        alphabet = set(self.alphabet)
        return list(Counter(character for character in unicodedata.normalize("NFC", text) if character not in alphabet))

    def _spell(self, character: str) -> list[int]:
        """What the merges make of a character outside the alphabet: its longest known beginning, then single bytes."""
        encoded = character.encode()
        end = next(end for end in range(len(encoded), 0, -1) if encoded[:end] in self._id_of)
        return [self._id_of[encoded[:end]], *(self._id_of[bytes([byte])] for byte in encoded[end:])]

    @cached_property
    def _id_of_codepoint(self) -> NDArray[np.int32]:
        ids = np.full(0x110000, -1, dtype=np.int32)
        for i, character in enumerate(self.alphabet):
            ids[ord(character)] = i
        return ids

    @cached_property
    def _begins_character(self) -> NDArray[np.bool_]:
        return np.array([not 0x80 <= piece[0] < 0xC0 for piece in self.pieces])


def _codepoints(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(unicodedata.normalize("NFC", text).encode("utf-32-le"), dtype=np.uint32)


def _byte_symbols() -> list[str]:
    """The printable character that stands for each byte in files of byte-level BPE, as in GPT-2's."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]
