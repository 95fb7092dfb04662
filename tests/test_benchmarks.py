"""Each benchmark runs end to end at a tiny size and prints its tables. What it measures then means nothing; that it measures does."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paznja.run import Run

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow

NANOGPT_STAND_IN = """
from dataclasses import dataclass
import torch

@dataclass
class GPTConfig:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    bias: bool

class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = torch.nn.Embedding(config.vocab_size, config.n_embd)
        print("number of parameters: said aloud")

    def generate(self, ids, number, temperature):
        assert int(ids.max()) < self.config.vocab_size
        return torch.cat((ids, torch.zeros(1, number, dtype=ids.dtype)), dim=1)
"""
"""What the benchmark uses of nanoGPT's model.py, in a few lines of our own."""


@pytest.fixture
def benchmark_output(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs one of the scripts in a folder of its own and gives what it printed."""
    monkeypatch.setenv("PAZNJA_CACHE", str(cache))

    def output(script: str, *arguments: object) -> str:
        command = [sys.executable, BENCHMARKS / script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return output


def rows_of(markdown: str) -> dict[str, list[str]]:
    """The rows of all tables, by their first cell; every row has to have as many cells as its header."""
    rows: dict[str, list[str]] = {}
    width = None
    for line in markdown.splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert width in (None, len(cells)), line
        width = len(cells)
        rows[cells[0]] = cells[1:]
    return rows


def number(cell: str) -> float:
    """The number that a cell begins with."""
    found = re.match(r"[\d,.]+(e[+-]\d+)?", cell)
    assert found, cell
    return float(found[0].replace(",", ""))


def test_reading_shows_both_caches_and_finds_the_same_ids_as_the_tokenizers_library(benchmark_output, stories_folder: Path):
    rows = rows_of(benchmark_output("reading.py", stories_folder, "--rounds", 1, "--characters", 20_000))
    assert number(rows["empty"][4]) > 0
    assert rows["full"][2] == "-", "with a full cache no book is read"
    assert number(rows["tokenizers, one core"][2]) > 1, "our table look-up is faster than general byte-pair encoding"


def test_training_shows_time_share_and_memory_of_an_iteration(benchmark_output, books: Path):
    row = rows_of(benchmark_output("training.py", books, "--preset", "tiny", "--iterations", 3))["tiny"]
    parameters, batch, iterations, _, parts, speed, _, share, _, memory = row
    assert number(parameters) > 30_000
    assert (batch, iterations) == ("16 x 32", "3")
    assert len(parts.split("+")) == 3
    assert number(speed) > 0
    assert 0 <= number(share) <= 100
    assert number(memory) > 100


def test_generation_compares_with_the_loop_and_with_a_checkout_of_nanogpt(benchmark_output, tmp_path: Path):
    (tmp_path / "model.py").write_text(NANOGPT_STAND_IN, encoding="utf-8")
    options = ["--preset", "tiny", "--turns", 1, "--trial", 0.01, "--rounds", 1, "--nanogpt", tmp_path]
    output = benchmark_output("generation.py", *options)
    assert "said aloud" not in output
    contenders = re.findall(r"^\| tiny: 2 x 32, context 32 \| (\w+) \| ([\d,]+) \| [12] \| ([\d,.]+) \| ([\d.]+) \|$", output, re.MULTILINE)
    assert [name for name, *_ in contenders] == ["paznja", "loop", "nanoGPT"]
    assert contenders[0][1] == contenders[1][1], "the loop writes with the same network"
    assert float(contenders[0][3]) == 1.0
    assert number(rows_of(output)["`paznja generate`, pocket, to the first character"][0]) > 0


def test_shelf_prints_the_command_the_figures_and_the_whole_table(
    benchmark_output, stories_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    output = benchmark_output("shelf.py", stories_folder, "--minutes", 0.05, "--out", tmp_path / "runs", "--", "--preset", "tiny")
    held_out = sorted(stories_folder.glob("*.txt"))[5::12]
    (command,) = re.findall(r"^    (paznja train .+)$", output, re.MULTILINE)
    assert re.findall(r"--held-out (\S+)", command) == list(map(str, held_out))
    rows = rows_of(output)
    assert rows["held out"][0].startswith(f"{len(held_out)} books")
    bits = next(cells[0] for name, cells in rows.items() if name.startswith("bits per character on all held-out books"))
    assert 1 < number(bits) < 9
    run = Run(tmp_path / "runs" / "shelf")
    assert output.endswith((run.path / "samples.md").read_text(encoding="utf-8"))

    # Where the run scored only a part of the held-out books, the script has them all scored afterwards: to the same figure.
    unscored = [json.dumps({**line, "held_out_whole": None}) + "\n" for line in run.metrics()]
    (run.path / "metrics.jsonl").write_text("".join(unscored), encoding="utf-8")
    monkeypatch.syspath_prepend(BENCHMARKS)
    again, scored_by = importlib.import_module("shelf").bits_of_all_held_out(run)
    assert (f"{again:.3f}", scored_by) == (bits, "by `paznja evaluate --json`")
