"""Tensors as the content of a safetensors file, and back. No pickle anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from paznja.errors import RunError


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> bytes:
    """The content of a safetensors file with these tensors, and JSON values in its header; the same input gives the same bytes."""
    plain = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    # Tensors that share memory (views of fused matrices) have to be copied.
    apart = {name: tensor.clone() if tensor.untyped_storage().nbytes() != tensor.nbytes else tensor for name, tensor in plain.items()}
    content = save(apart, {"format": "pt", **{name: json.dumps(value) for name, value in (about or {}).items()}})
    # The library orders the header differently from time to time; sorted, the same weights give the same bytes.
    length = int.from_bytes(content[:8], "little")
    ordered = json.dumps(json.loads(content[8 : 8 + length]), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ordered += b" " * (-len(ordered) % 8)
    return len(ordered).to_bytes(8, "little") + ordered + content[8 + length :]


def unpack(content: bytes, name: str) -> dict[str, Tensor]:
    """The tensors that `pack` packed; RunError, naming the file, if the content is damaged."""
    try:
        return load(content)
    except (SafetensorError, ValueError) as error:
        raise _damaged(name, error) from None


def header(content: bytes, name: str) -> dict[str, Any]:
    """The JSON values that `pack` put in the header; RunError, naming the file, if the content is damaged."""
    length = int.from_bytes(content[:8], "little")
    try:
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        return {key: json.loads(value) for key, value in metadata.items() if key != "format"}
    except ValueError as error:
        raise _damaged(name, error) from None


def _damaged(name: str, error: Exception) -> RunError:
    return RunError(f"{name} is damaged ({error}); copy the run folder again, or resume from another copy.")
