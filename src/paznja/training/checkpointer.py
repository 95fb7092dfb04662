"""Saving a training, and going on from where it was saved: every part keeps its own state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from paznja.errors import RunError
from paznja.model.weights import pack, unpack
from paznja.run import CheckpointRecord, Run
from paznja.run.layout import MEMORY, OPTIMIZER, POSITION, WEIGHTS
from paznja.run.writing import RunWriter
from paznja.training.events import Saved
from paznja.training.learner import Learner
from paznja.training.schedule import Clock, Place

if TYPE_CHECKING:
    from paznja.memory.counted import CountedMemory


class Stateful(Protocol):
    """A part of a training that has to survive a restart."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class Checkpointer:
    """Saves one training, and restores it."""

    def __init__(
        self, writer: RunWriter, learner: Learner, parts: Mapping[str, Stateful], place: Place, clock: Clock, *, scored: bool
    ) -> None:
        """`parts`: everything with a state besides the network, by the name in the checkpoint; `scored`: whether anything is scored."""
        self.slowest = 0.0
        """Seconds that the slowest checkpoint took."""
        self.saved_at = 0.0
        """Seconds of training when the last one was written, or when this training began."""
        self._writer, self._learner, self._parts, self._place, self._clock, self._scored = writer, learner, parts, place, clock, scored

    def save(self, *, finished: bool = False) -> Saved:
        """Write a checkpoint."""
        start, seconds = self._clock.now(), self._clock.seconds()
        iteration = self._place.iteration
        about = {} if self._scored else {WEIGHTS: {"iteration": iteration}}
        files = {file: pack(tensors, about.get(file)) for file, tensors in self._learner.state_dict().items()}
        if not self._scored:  # nobody knows which weights are the best, so the run keeps the last ones
            self._writer.write_file(WEIGHTS, files[WEIGHTS])
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        self._writer.write_checkpoint(iteration, seconds, parts, files, finished=finished)
        self.slowest = max(self.slowest, self._clock.now() - start)
        self.saved_at = self._clock.seconds()
        return Saved(iteration, seconds)

    def save_if_sound(self) -> None:
        """Save before an error in the code that receives the events ends the training; called between two iterations."""
        if self._learner.sound and self._place.iteration:
            self.save()

    def restore(self, stored: CheckpointRecord, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put every part where this checkpoint, with this state of the learner, was; RunError if it does not fit."""
        folder = self._writer.run.path / stored.folder
        self._place.iteration, self._place.seconds = stored.iteration, stored.seconds
        try:
            for name, part in self._parts.items():
                part.load_state_dict(stored.parts[name])
        except (KeyError, TypeError) as error:
            raise RunError(f"{folder / POSITION} is damaged ({error}).") from None
        try:
            self._learner.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise RunError(f"{folder} does not fit the model that run.toml describes ({error}).") from None

    def keep(self, memory: CountedMemory | None) -> None:
        """Write a counted memory into the run's folder, where it stays as it is."""
        if memory is None or (self._writer.run.path / MEMORY).is_file():
            return
        from paznja.memory.storing import to_bytes

        self._writer.write_file(MEMORY, to_bytes(memory))


def newest_usable(run: Run) -> tuple[CheckpointRecord | None, dict[str, dict[str, Tensor]], list[str]]:
    """The newest readable checkpoint, its tensors by their file, and a remark on each newer one; None for a run without checkpoints.

    RunError, with the reasons, if there are checkpoints and none can be used.
    """
    remarks: list[str] = []
    for checkpoint in run.checkpoints():
        try:
            files = {file: str(run.path / checkpoint.folder / file) for file in (WEIGHTS, OPTIMIZER)}
            state = {file: unpack(run.read_checkpoint(file, checkpoint), name) for file, name in files.items()}
        except RunError as error:
            remarks.append(str(error))
            continue
        return checkpoint, state, [f"{remark} It goes on from iteration {checkpoint.iteration:,}." for remark in remarks]
    if not remarks:
        remarks = [f"{folder / POSITION} is missing or damaged." for folder in run.checkpoint_folders()]
    if remarks:
        raise RunError(f"No checkpoint of the run {run.name!r} can be used: {' '.join(remarks)}")
    run.checkpoint()  # an error if the file names a checkpoint that does not exist
    return None, {}, []
