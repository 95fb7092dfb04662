"""Weights and optimizer state as safetensors, written to a run's folder and read from it. No pickle anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from paznja.errors import RunError
from paznja.model.transformer import Transformer
from paznja.run import CheckpointRecord, Run
from paznja.run.layout import OPTIMIZER, POSITION, WEIGHTS


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


def newest_usable(run: Run) -> tuple[CheckpointRecord | None, list[str]]:
    """The newest readable checkpoint, and a remark on each newer one; None for a run without checkpoints.

    RunError, with the reasons, if there are checkpoints and none can be used.
    """
    remarks: list[str] = []
    for checkpoint in run.checkpoints():
        try:
            for file in (WEIGHTS, OPTIMIZER):
                unpack(run.read_checkpoint(file, checkpoint), str(run.path / checkpoint.folder / file))
        except RunError as error:
            remarks.append(str(error))
            continue
        return checkpoint, [f"{remark} It goes on from iteration {checkpoint.iteration:,}." for remark in remarks]
    if not remarks:
        remarks = [f"{folder / POSITION} is missing or damaged." for folder in run.checkpoint_folders()]
    if remarks:
        raise RunError(f"No checkpoint of the run {run.name!r} can be used: {' '.join(remarks)}")
    run.checkpoint()  # an error if the file names a checkpoint that does not exist
    return None, []


def header(content: bytes, name: str) -> dict[str, Any]:
    """The JSON values that `pack` put in the header; RunError, naming the file, if the content is damaged."""
    length = int.from_bytes(content[:8], "little")
    try:
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        return {key: json.loads(value) for key, value in metadata.items() if key != "format"}
    except ValueError as error:
        raise _damaged(name, error) from None


def load_model(run: Run, *, latest: bool = False, device: str = "cpu") -> Transformer:
    """The run's network with its best weights or, if `latest`, those of the newest checkpoint; RunError if there are none yet."""
    model = Transformer(run.settings().model)
    name = str(run.path / WEIGHTS)
    state = unpack(run.read_weights(latest=latest), name)
    try:
        model.load_exported(state)
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{name} does not fit the model that run.toml describes ({error}).") from None
    return model.to(device).eval()


def _damaged(name: str, error: Exception) -> RunError:
    return RunError(f"{name} is damaged ({error}); copy the run folder again, or resume from another copy.")
