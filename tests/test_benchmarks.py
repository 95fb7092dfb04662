"""Each benchmark runs end to end at a tiny size and prints its tables; the figures themselves mean nothing then."""

from __future__ import annotations

import importlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paznja.preparing import prepare
from paznja.run import Run
from paznja.tokenizers import load_tokenizer
from paznja.training.dial import Law

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

    def forward(self, ids, targets=None):
        assert ids.shape[1] <= self.config.block_size
        logits = self.embedding(ids) @ self.embedding.weight.T
        return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.view(-1))

    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        return torch.optim.SGD(self.parameters(), lr=0.0)

    def generate(self, ids, number, temperature):
        assert int(ids.max()) < self.config.vocab_size
        return torch.cat((ids, torch.zeros(1, number, dtype=ids.dtype)), dim=1)
"""
"""What the benchmarks use of nanoGPT's model.py, in a few lines of our own."""

NANOGPT_TRAIN_STAND_IN = """
import os, pickle, sys
import numpy as np
import torch
from model import GPT, GPTConfig

options = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[2:])
assert sys.argv[1] == "config/train_shakespeare_char.py"
assert options["device"] == "cpu" and options["compile"] == "False"
torch.manual_seed(1337)
vocabulary = pickle.load(open(os.path.join(options["dataset"], "meta.pkl"), "rb"))["vocab_size"]
lengths = [len(np.fromfile(os.path.join(options["dataset"], name), dtype=np.uint16)) for name in ("train.bin", "val.bin")]
assert lengths[0] > lengths[1] > 0
sizes = {name: int(options[name]) for name in ("block_size", "n_layer", "n_head", "n_embd")}
settings = {**sizes, "vocab_size": vocabulary, "dropout": float(options["dropout"]), "bias": False}
model = GPT(GPTConfig(**settings))
torch.nn.init.zeros_(model.embedding.weight)
iterations, interval = int(options["max_iters"]), int(options["eval_interval"])
for iteration in range(iterations + 1):
    evaluated = iteration % interval == 0
    if evaluated and iteration:
        os.makedirs(options["out_dir"], exist_ok=True)
        torch.save({"model": model.state_dict(), "model_args": settings, "iter_num": iteration}, options["out_dir"] + "/ckpt.pt")
    print(f"iter {iteration}: loss 5.0, time {1000.0 if evaluated else 20.0:.2f}ms, mfu 1.00%")
"""
"""Stands for its train.py: says that an iteration takes 20 ms and an evaluation about a second; learns nothing."""


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


@pytest.mark.needs_program
def test_make_bench_measures_on_the_stories_unless_books_are_named(outside_program, stories_folder: Path):
    make = outside_program("make")

    def measured_on(*variables: str) -> list[str]:
        command = [make, "--dry-run", "bench", *variables]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=BENCHMARKS.parent)
        return re.findall(r"benchmarks/(?:reading|training)\.py (\S+)", printed.stdout)

    assert [(BENCHMARKS.parent / books).resolve() for books in measured_on()] == [stories_folder.resolve()] * 2
    assert measured_on("BOOKS=novels") == ["novels", "novels"]


def test_reading_shows_both_caches_and_finds_the_same_ids_as_the_tokenizers_library(benchmark_output, stories_folder: Path):
    rows = rows_of(benchmark_output("reading.py", stories_folder, "--rounds", 1, "--characters", 20_000))
    assert number(rows["empty"][4]) > 0
    assert rows["full"][2] == "-", "with a full cache no book is read"
    assert number(rows["tokenizers, one core"][2]) > 1, "our table look-up is faster than general byte-pair encoding"


def test_training_shows_time_share_and_memory_of_an_iteration(benchmark_output, books: Path):
    row = rows_of(benchmark_output("training.py", books, "--preset", "tiny", "--iterations", 3))["tiny"]
    parameters, batch, iterations, _, parts, speed, _, share, _, together, memory = row
    assert number(parameters) > 30_000
    assert (batch, iterations) == ("16 x 32", "3")
    assert len(parts.split("+")) == 3
    assert number(speed) > 0
    assert 0 <= number(share) <= 100
    assert together == "-" or number(together) > 0
    assert number(memory) > 100


def test_training_is_compared_with_a_checkout_of_nanogpt(benchmark_output, books: Path, nanogpt: Path):
    output = benchmark_output("training.py", books, "--preset", "tiny", "--iterations", 2, "--precision", "float32", "--nanogpt", nanogpt)
    assert "said aloud" not in output
    assert "float32" in output
    row = next(line for line in reversed(output.splitlines()) if line.startswith("| tiny |"))
    _, ours, theirs, times = (cell.strip() for cell in row.strip("|").split("|"))
    assert number(ours) > 0
    assert number(theirs) > 0
    assert float(times) > 0


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

    # If the run scored only a part of the held-out books, the script has all of them scored afterwards, with the same figure.
    unscored = [json.dumps({**line, "held_out_whole": None}) + "\n" for line in run.metrics()]
    (run.path / "metrics.jsonl").write_text("".join(unscored), encoding="utf-8")
    monkeypatch.syspath_prepend(BENCHMARKS)
    again, scored_by = importlib.import_module("shelf").bits_of_all_held_out(run)
    assert (f"{again:.3f}", scored_by) == (bits, "by `paznja evaluate --json`")


@pytest.fixture
def nanogpt(tmp_path: Path) -> Path:
    """A checkout of our stand-in for nanoGPT."""
    checkout = tmp_path / "nanoGPT"
    (checkout / "config").mkdir(parents=True)
    (checkout / "config" / "train_shakespeare_char.py").touch()
    (checkout / "model.py").write_text(NANOGPT_STAND_IN, encoding="utf-8")
    (checkout / "train.py").write_text(NANOGPT_TRAIN_STAND_IN, encoding="utf-8")
    return checkout


@pytest.fixture
def from_benchmarks(monkeypatch: pytest.MonkeyPatch):
    """Imports one of the scripts."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


def test_race_lets_all_learn_for_the_asked_time_and_scores_them_alike(
    benchmark_output, stories_folder: Path, nanogpt: Path, cache: Path, tmp_path: Path
):
    results = tmp_path / "race" / "results.jsonl"
    options = ["stories", "--seconds", 4, "--seeds", 1, "--runners", "tiny/none", "--results", results]
    benchmark_output("learning.py", *options)
    before = results.read_bytes()
    options += ["--nanogpt", nanogpt]
    printed = benchmark_output("learning.py", *options)
    assert results.read_bytes().startswith(before), "what is there is not run again"
    assert "said aloud" not in printed
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [(line["learner"], line["budget"], line["seed"]) for line in lines] == [("tiny", 4.0, 1), ("nanoGPT", 4.0, 1)]
    ours, theirs = lines

    held_out = sorted(stories_folder.glob("*.txt"))[5::12]
    prepared = prepare([stories_folder], held_out=held_out, cache=cache)
    assert prepared.cached, "both learnt from these very books"
    assert ours["iterations"] >= 1
    assert 1 < ours["bits_per_character"] < 10
    assert 0 < ours["share_of_peak"] < 1
    assert ours["characters_per_second"] > 0
    # A network of zeros finds every token equally likely.
    tokens = sum(book.tokens for book in prepared.books if book.held_out)
    vocabulary = load_tokenizer(prepared.folder / "tokenizer.json", "characters").size
    assert theirs["bits_per_character"] == pytest.approx(math.log2(vocabulary) * tokens / prepared.held_out_characters, rel=1e-5)
    assert all(len(line["text"]) == 2500 and line["memory_bytes"] > 1e8 and line["seconds"] > 0 for line in lines)
    assert (theirs["real_words"], 0 <= ours["real_words"] <= 1) == (None, True), "a text of one letter has no words"

    rows = rows_of(printed)
    assert {"tiny", "nanoGPT"} <= set(rows)
    assert number(rows["tiny"][2]) == pytest.approx(ours["bits_per_character"], abs=0.001)
    assert ours["text"][:20].split("\n")[0] in printed
    assert results.with_suffix(".svg").read_text(encoding="utf-8").count("nanoGPT") >= 1

    before = results.read_bytes()
    assert benchmark_output("learning.py", *options) == printed
    assert benchmark_output("learning.py", "--report", "--results", results) == printed
    assert results.read_bytes() == before


def test_nanogpt_gets_as_many_iterations_as_fit_and_evaluates_no_more_often_than_its_recipe(from_benchmarks, nanogpt: Path, tmp_path: Path):
    learners = from_benchmarks("learners")
    made: list[tuple[int, int]] = []

    class Counted(learners.NanoGPT):
        def _prepare(self, shelf) -> None:
            pass

        def _train(self, shelf, folder, iterations: int, interval: int, seed: int):
            made.append((iterations, interval))
            log = learners.NanoGPTsLog()
            log.times = [0.02 + (iteration % interval == 0) for iteration in range(iterations + 1)]
            log.seconds = 3 + sum(log.times)
            return log

        def _learnt(self, shelf, log):
            return log.seconds

    for budget in (20.0, 60.0, 200.0, 600.0):
        took = Counted(nanogpt, tmp_path / "data").learn(None, tmp_path, budget, 1)
        assert budget - 1 < took < budget + 0.001
        iterations, interval = made[-1]
        assert iterations % interval == 0, "its last weights would not be saved"
        assert interval >= 250


def test_its_own_recipe_takes_part_where_its_time_is_among_the_numbers(from_benchmarks, nanogpt: Path, tmp_path: Path):
    learners = from_benchmarks("learners").learners_of("pocket/none", nanogpt, tmp_path / "data")
    assert [learner.turns([60.0, 200.0]) for learner in learners] == [[60.0, 200.0], [60.0, 200.0], [None]]
    assert [learner.turns([60.0]) for learner in learners] == [[60.0], [60.0], []]


@pytest.mark.parametrize(
    ("runners", "said"),
    [
        ("pocket/elephant", r"pocket\+elephant cannot race"),
        ("pokcet/none", "Did you mean 'pocket'"),
        ("alone/none", "nothing at all"),
        ("tiny/none,tiny", "named twice"),
    ],
)
def test_runners_that_cannot_be_are_refused_with_a_sentence(from_benchmarks, tmp_path: Path, runners: str, said: str):
    with pytest.raises(SystemExit, match=said):
        from_benchmarks("learners").learners_of(runners, None, tmp_path)


def test_folder_that_is_no_nanogpt_is_refused_with_a_sentence(from_benchmarks, tmp_path: Path):
    with pytest.raises(SystemExit, match=r"no checkout of nanoGPT: it has no train\.py"):
        from_benchmarks("learners").learners_of("tiny/none", tmp_path, tmp_path / "data")


def test_real_words_are_those_of_four_letters_and_more_that_stand_in_the_books(from_benchmarks, tmp_path: Path):
    share = from_benchmarks("learners").share_of_real_words
    words = tmp_path / "words.txt"
    words.write_text("врата\nмост\nнебо", encoding="utf-8")
    assert share("Мост је врата, небос! и НЕБО — а12вода", words) == 3 / 4, "the last one breaks off; the third is none"
    assert share("а ја ти и не мо", words) is None


def test_report_gives_medians_and_spread_of_the_seeds(from_benchmarks, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    learning = from_benchmarks("learning")
    same = {"books": "", "about": "92 books", "machine": "A machine.", "iterations": 9, "parameters": 5, "memory_bytes": 3e8, "peak": 1.0}
    results = [
        {**same, "learner": name, "budget": budget, "seed": seed, "bits_per_character": bits, "seconds": (budget or 9) + bits / 10}
        | {
            "real_words": 0.5,
            "characters_per_second": 1e4,
            "share_of_peak": 0.25,
            "prompt": "Ово је ",
            "text": f"мост {seed} | <крај>\nи још",
        }
        for name, budget, seed, bits in (
            *(("pocket", 60.0, seed, bits) for seed, bits in ((3, 2.5), (1, 2.7), (2, 2.9))),
            *(("pocket", 20.0, seed, bits) for seed, bits in ((1, 3.0),)),
            ("counted alone", None, 1, 2.8),
        )
    ]
    results[-1] |= {"characters_per_second": None, "share_of_peak": None}
    learning.report(results, tmp_path / "plot.svg")
    printed = capsys.readouterr().out
    first, second = printed.split("| learner |")
    assert rows_of(first) == {
        "bits per character": ["20 s", "60 s", "its own time"],
        "---": ["---:"] * 3,
        "pocket": ["3.000", "2.700 (2.500 to 2.900)", "-"],
        "counted alone": ["-", "-", "2.800, 9.3 s"],
    }
    rows = rows_of("| learner |" + second)
    assert rows["pocket"] == ["60 s", "60.3 s", "2.700 (2.500 to 2.900)", "50%", "9", "10,000", "25%", "300 MB", "5", "3"]
    assert rows["counted alone"][5:7] == ["-", "-"]
    assert "> Ово је мост 1 | &lt;крај> / и још ..." in printed
    assert "мост 2" not in printed, "the first seed's sample is shown"
    assert "pocket" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_results_of_other_books_are_not_added_to(from_benchmarks, tmp_path: Path):
    learning = from_benchmarks("learning")
    results = tmp_path / "results.jsonl"
    results.write_text(json.dumps({"books": "others", "learner": "tiny", "budget": 4.0, "seed": 1}) + "\n", encoding="utf-8")
    shelf = from_benchmarks("learners").Shelf((tmp_path,), None, tmp_path, "these", "cyrillic", "")
    with pytest.raises(SystemExit, match="a race on other books"):
        learning.race(shelf, "tiny/none", None, [4.0], 1, results)
    results.write_text('{"books": "these", "lea', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"line 1 of .* is no whole result"):
        learning.read_results(results)


# --- the dial ---------------------------------------------------------------------------------------------------------------------------


def test_dial_trains_every_shape_once_and_prints_its_table(benchmark_output, stories_folder: Path, tmp_path: Path):
    results = tmp_path / "dial.jsonl"
    options = [stories_folder, "--memories", "learned", "--shapes", "1x64,1x128", "--millions", "0.004,0.008", "--results", results]
    printed = benchmark_output("dial.py", *options)
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [(line["width"], line["iterations"]) for line in lines] == [(64, 2), (64, 4), (128, 2), (128, 4)]
    assert all(1 < line["held_out"] < 9 and line["characters"] > 3000 for line in lines)
    assert lines[0]["weights"] < lines[2]["weights"]
    assert rows_of(printed)["learned, 1 x 64"][0] == f"{lines[0]['weights'] / 1e6:.2f}"
    before = results.read_bytes()
    assert benchmark_output("dial.py", *options) == printed
    assert results.read_bytes() == before


def test_script_counts_the_words_that_survive_and_lists_those_that_do_not(benchmark_output, tmp_path: Path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "novel.txt").write_text("Његова лјубав и инјекција, врѣме и Was wollen.\n" * 100, encoding="utf-8")
    (shelf / "latin.txt").write_text("Nije važno.\n" * 100, encoding="utf-8")
    printed = benchmark_output("script.py", shelf)
    rows = rows_of(printed)
    assert rows["the modern alphabet"] == ["500", "100", "20000.00"]
    assert rows["old letters or accents"][:2] == ["100", "0"]
    assert rows["Latin script"][:2] == ["200", "0"]
    assert "1 books in Cyrillic" in printed
    assert "лјубав → љубав (100)" in printed
    assert "инјекција (100)" in printed


def test_large_shelf_prepares_made_up_books_and_watches_the_memory(benchmark_output):
    printed = benchmark_output("large_shelf.py", "--gigabytes", "0.0004", "--book-megabytes", "0.02")
    rows = rows_of(printed)
    assert "20 files" in printed
    assert rows["empty"][0] == rows["full"][0] == "20"
    assert rows["empty"][1] == rows["full"][1] != "0"


def dial_results(
    law: tuple[float, float, float, float, float], memory: str = "learned", seconds: float = 0.1
) -> list[dict[str, float | str]]:
    """What runs of four sizes and three lengths would give according to this law."""
    return [
        {
            "weights": 1e6 * size,
            "characters": 1e6 * millions,
            "held_out": Law(*law).loss(1e6 * size, 1e6 * millions),
        }
        for size in (0.5, 0.8, 1.7, 5.0)
        for millions in (0.5, 2.0, 8.0)
    ]


def test_dial_finds_the_law_that_the_results_follow(from_benchmarks):
    dial = from_benchmarks("dial")
    law, missed = dial.fit_losses(dial_results((1.2, 0.9, 0.25, 0.3, 0.4)))
    assert law == pytest.approx([1.2, 0.9, 0.25, 0.3, 0.4], rel=0.05)
    assert missed == pytest.approx(0, abs=1e-4)


def test_dial_refuses_results_that_no_law_fits(from_benchmarks):
    with pytest.raises(SystemExit, match="more runs"):
        from_benchmarks("dial").fit_losses(dial_results((5, -0.9, 0.25, 0.3, 0.4)))


# --- cleaning ---------------------------------------------------------------------------------------------------------------------------


def test_cleaning_counts_what_each_rule_changes_and_leaves_good_stories_alone(benchmark_output, stories_folder: Path, tmp_path: Path):
    printed = benchmark_output("cleaning.py", stories_folder)
    assert rows_of(printed)["all"][:3] == ["0", "0", "0.00000 %"]

    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.txt").write_text("Мост је пао. Зар је мост пао?\n,,3ар је пао?“\noﬁcir\n", encoding="utf-8")
    printed = benchmark_output("cleaning.py", folder, "--examples", 1)
    rows = rows_of(printed)
    assert {rule: row[0] for rule, row in rows.items() if rule in ("misread-digits", "comma-quotes", "ligatures", "all")} == {
        "misread-digits": "1",
        "comma-quotes": "1",
        "ligatures": "1",
        "all": "3",
    }
    assert "[3ар -> Зар]" in printed


def test_busy_shows_every_way_of_waiting_alone_and_beside_a_busy_program(benchmark_output):
    output = benchmark_output("busy.py", "--programs", "0,1", "--rounds", "1", "--seconds", "0.2")
    lines = [line for line in output.splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["0"] * 4 + ["1"] * 4
    assert all("%" in line for line in lines[2:])


def test_network_says_what_a_model_expects_of_more_cores(benchmark_output):
    output = benchmark_output("network.py", "--predict", "--shapes", "1x64", "--batch", 16)
    lines = [line for line in output.splitlines() if line.startswith("| 1x64")]
    assert [line.split("|")[2].strip() for line in lines] == ["2 cores", "4 cores", "8 cores", "16 cores"]
    assert all(float(line.split("|")[5]) > 0 for line in lines)
    cards = [float(line.split("|")[5]) for line in output.splitlines() if "H100" in line]
    assert cards == sorted(cards)


def test_processes_compares_both_ways_for_every_network_alone_and_beside_a_busy_program(benchmark_output):
    options = ("--shapes", "1x64", "--precisions", "float32", "--batch", "4", "--programs", "0,1", "--rounds", "1", "--seconds", "0.1")
    lines = [line for line in benchmark_output("processes.py", *options).splitlines() if line.startswith("| 1 x 64, float32")]
    assert [line.split("|")[2].strip() for line in lines] == ["0", "1"]
    assert all(float(line.split("|")[5]) > 0 for line in lines)


def test_announced_holds_what_was_said_against_what_came_of_it(benchmark_output, stories_folder: Path, tmp_path: Path):
    output = benchmark_output("announced.py", stories_folder, "--memories", "learned", "--minutes", "0.05", "--cache", tmp_path / "cache")
    (line,) = [line for line in output.splitlines() if line.startswith("| learned")]
    announced, done = (int(line.split("|")[column].strip().replace(",", "")) for column in (4, 5))
    assert announced > 0
    assert done > 0
