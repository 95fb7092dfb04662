"""A run with a learned memory from beginning to end: it learns faster; it writes, is scored and is resumed like any other."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import paznja

ITERATIONS = 60


@pytest.fixture(scope="module")
def trained_runs(tmp_path_factory: pytest.TempPathFactory, some_stories: list[Path]) -> dict[str, paznja.TrainedRun]:
    """One run with and one without, otherwise the same."""
    folder = tmp_path_factory.mktemp("memory")
    same: dict[str, Any] = {"preset": "tiny", "threads": 1, "iterations": ITERATIONS, "out": folder / "runs", "cache": folder / "cache"}
    return {memory: paznja.train(some_stories, name=memory, memory=memory, **same) for memory in ("none", "learned")}


def test_it_learns_more_in_as_many_iterations(trained_runs: dict[str, paznja.TrainedRun]) -> None:
    without, with_it = (trained_runs[memory].metrics[-1]["held_out"] for memory in ("none", "learned"))
    assert with_it < without - 0.05


def test_the_table_is_kept_with_the_weights_in_sixteen_bits_and_exactly_in_the_checkpoint(
    trained_runs: dict[str, paznja.TrainedRun],
) -> None:
    run = trained_runs["learned"].run
    model = run.settings().model
    assert model.memory == "learned"
    position = run.checkpoint()
    assert position is not None
    best, latest = (load_file(path / "model.safetensors")["memory.table"] for path in (run.path, run.path / position.folder))
    assert (best.dtype, latest.dtype) == (np.float16, np.float32)
    assert best.shape == latest.shape == (model.memory_rows, model.memory_width)
    assert latest.any()
    assert "memory.table" not in load_file(trained_runs["none"].path / "model.safetensors")


def test_it_is_scored_as_it_was_while_training(trained_runs: dict[str, paznja.TrainedRun]) -> None:
    evaluation = trained_runs["learned"].evaluate()
    assert evaluation.bits_per_character == pytest.approx(trained_runs["learned"].metrics[-1]["held_out_whole"], abs=1e-3)


def test_it_writes_without_torch_or_numba(trained_runs: dict[str, paznja.TrainedRun]) -> None:
    run = trained_runs["learned"]
    program = (
        "import sys, paznja\n"
        f"print(paznja.open_run({str(run.path)!r}).generate('Ово је ', 50, seed=3))\n"
        "sys.exit(not {'torch', 'numba'}.isdisjoint(sys.modules))"
    )
    written = subprocess.run([sys.executable, "-X", "utf8", "-c", program], check=True, capture_output=True, encoding="utf-8").stdout
    assert written == run.generate("Ово је ", 50, seed=3) + "\n"


def test_what_it_writes_depends_on_the_memory(trained_runs: dict[str, paznja.TrainedRun], tmp_path: Path) -> None:
    run = trained_runs["learned"]
    forgetful = Path(shutil.copytree(run.path, tmp_path / "forgetful"))
    state = load_file(forgetful / "model.safetensors")
    save_file({**state, "memory.table": np.zeros_like(state["memory.table"])}, forgetful / "model.safetensors")
    assert paznja.open_run(forgetful).next("Ово је ") != run.next("Ово је ")


def test_it_goes_on_for_more_iterations(trained_runs: dict[str, paznja.TrainedRun], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained_runs["learned"].path, tmp_path / "longer"))
    longer = paznja.resume(folder, iterations=5)
    assert longer.metrics[-1]["iteration"] == ITERATIONS + 5


def test_weights_without_the_table_are_refused_with_a_sentence(trained_runs: dict[str, paznja.TrainedRun], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained_runs["learned"].path, tmp_path / "damaged"))
    shutil.copy(trained_runs["none"].path / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(paznja.PaznjaError, match=r"does not fit run\.toml"):
        paznja.open_run(folder).next("Ово је ")
