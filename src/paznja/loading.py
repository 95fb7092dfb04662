"""What a run has learnt, loaded from its folder: for writing, for scoring, as a torch module."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paznja.config import ReadingConfig
from paznja.errors import RunError
from paznja.memory.compiling import check_numba
from paznja.run import Run
from paznja.run.layout import MEMORY, TOKENIZER, WEIGHTS
from paznja.tokenizers import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory
    from paznja.model.decoder import Decoder
    from paznja.model.transformer import Transformer


def load_decoder(run: Run, *, latest: bool = False) -> tuple[Decoder, Tokenizer]:
    """The run's decoder, with its best weights or with `latest` the newest checkpoint's, and its tokenizer; needs no torch.

    RunError if there are no weights yet, or they are damaged.
    """
    import safetensors
    from safetensors.numpy import load

    from paznja.model.decoder import Decoder

    content = run.read_weights(latest=latest)
    try:
        return Decoder(run.settings().model, load(content), load_memory(run)), load_run_tokenizer(run)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"{run.path / WEIGHTS} is damaged or does not fit run.toml ({error}).") from None


def load_model(run: Run, *, latest: bool = False, device: str = "cpu") -> Transformer:
    """The run's network with its best weights, or with `latest` the newest checkpoint's; RunError if there are none yet."""
    from paznja.model.transformer import Transformer
    from paznja.model.weights import unpack

    model = Transformer(run.settings().model)
    name = str(run.path / WEIGHTS)
    state = unpack(run.read_weights(latest=latest), name)
    try:
        model.load_exported(state)
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{name} does not fit the model that run.toml describes ({error}).") from None
    return model.to(device).eval()


def reading_of(run: Run) -> ReadingConfig:
    """How other books are read for this run: in the script that it learnt, with the rules that it was made with."""
    reading, script = run.settings().reading, run.corpus().script
    return reading if reading.script != "auto" else replace(reading, script=script if script in ("cyrillic", "latin") else "keep")


def load_run_tokenizer(run: Run) -> Tokenizer:
    """The run's tokenizer; RunError if it is missing or damaged."""
    return load_tokenizer(run.path / TOKENIZER, run.settings().tokenizer)


def load_memory(run: Run) -> CountedMemory | None:
    """The run's counted memory; None for a run without one, RunError if it is missing or damaged, WrongUse without numba."""
    model = run.settings().model
    if model.memory != "counted":
        return None
    check_numba(model)
    from paznja.memory.storing import from_bytes

    path = run.path / MEMORY
    try:
        return from_bytes(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{path} is missing: without its memory the model cannot be used. Copy the whole run folder.") from None
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); copy the run folder again.") from None
