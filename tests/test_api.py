"""The Python API from end to end: real books in, a run that writes out, and a sentence for everything that is not possible."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

import paznja
from paznja.api import TrainedRun
from paznja.config import Stretch
from paznja.corpus.corpus import read_books
from paznja.corpus.scripts.transliteration import to_latin
from paznja.errors import NoBooks, RunError, TrainingFailed, WrongUse
from paznja.run import Run
from paznja.training.batches import Batch
from paznja.training.events import Evaluated, Finished, Progress, Sampled
from paznja.training.learner import Learner
from paznja.training.plan import Planned, Reading


def learn(books: Any, out: Path, **changes: Any) -> TrainedRun:
    """A very short training."""
    few = {"iterations": 3, "preset": "tiny", "threads": 1, "name": "most", "length": 20, "num_between": 0, "cache": out.parent / "cache"}
    return paznja.train(books, out=out, **{**few, **changes})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_a_run_without_a_memory_loads_in_transformers_as_its_folder_is(books: Path, out: Path):
    import torch
    from transformers import AutoModelForCausalLM

    run = learn(books, out, memory="none")
    theirs = AutoModelForCausalLM.from_pretrained(run.path).eval()
    ids = torch.arange(20)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, run.model(ids), rtol=0, atol=1e-4)
    assert not (learn(books, out, memory="learned", name="with").path / "config.json").exists()


# --- what training gives ------------------------------------------------------------------------------------------------------------


def test_training_gives_a_table_with_a_row_at_each_iteration_asked_for_and_at_the_end(trained: Path):
    run = paznja.open_run(trained)
    rows = run.table.splitlines()
    assert rows[:2] == ["| Generated text | iteration | time |", "|---|---:|---:|"]
    assert [row.split(" | ")[1] for row in rows[2:]] == ["5", "15", "40"]
    assert all(row.startswith("| Ово је мост ") for row in rows[2:])
    assert (trained / "samples.md").read_text(encoding="utf-8") == run.table
    assert run.state == "finished"


def test_training_learns_and_the_metrics_say_so(trained: Path):
    metrics = paznja.open_run(trained).metrics
    assert [line["iteration"] for line in metrics] == [5, 15, 40]
    assert metrics[0]["held_out"] > metrics[1]["held_out"] > metrics[2]["held_out"]
    assert metrics[-1]["held_out"] < 6 < 7 < metrics[0]["held_out"]
    assert 0.99 < metrics[-1]["characters_seen"] / (40 * 16 * 32) <= 1  # a rare character is several tokens
    assert [line["seconds"] for line in metrics] == sorted(line["seconds"] for line in metrics)


def test_between_the_rows_the_same_prompt_is_sampled_for_a_slider(trained: Path):
    samples = Run(trained).samples()
    between = [sample for sample in samples if not sample["row"]]
    assert between
    assert {sample["prompt"] for sample in samples} == {"Ово је мост "}
    assert {sample["seed"] for sample in samples} == {3}
    assert not {sample["iteration"] for sample in between} & {5, 15, 40}


def test_the_run_folder_holds_all_that_the_design_promises(trained: Path):
    files = {path.name for path in trained.iterdir()}
    promised = {
        "run.toml",
        "corpus.json",
        "tokenizer.json",
        "metrics.jsonl",
        "progress.jsonl",
        "surprise.jsonl",
        "samples.jsonl",
        "samples.md",
        "model.safetensors",
        "corpus.bin",
    }
    assert promised | {"checkpoint", "checkpoint-00000040"} <= files
    record = Run(trained).record()
    assert record.versions["torch"] == torch.__version__
    training = record.settings.training
    assert (training.device, training.threads, training.seed) == ("cpu", 1, 3)
    assert record.stretches == (Stretch(iterations=40),)
    assert record.settings.model.vocabulary > 256


def test_everything_that_happens_is_told_in_order(books: Path, out: Path):
    (books / "scan.txt").write_bytes(b"\x00" * 100)
    told: list[Any] = []
    learn(books, out, iterations=4, sample_at=[2], on_event=told.append)
    readings = [event for event in told if isinstance(event, Reading)]
    assert [(event.done, event.total) for event in readings] == [(i, 6) for i in range(1, 7)]
    (planned,) = [event for event in told if isinstance(event, Planned)]
    assert told.index(planned) == len(readings)
    assert [bad.path.name for bad in planned.unreadable] == ["scan.txt"]
    assert len(planned.books) == 5
    assert not planned.cached
    assert planned.matmul_peak > 0
    assert planned.parameters == sum(parameter.numel() for parameter in torch_network(out / "most").parameters())
    assert [event.iteration for event in told if isinstance(event, Progress)] == [1, 2, 3, 4]
    assert [event.iteration for event in told if isinstance(event, Sampled)] == [2, 4]
    assert [event.iteration for event in told if isinstance(event, Evaluated)] == [2, 4]
    assert isinstance(told[-1], Finished)
    assert told[-1].complete


def test_what_a_person_should_know_before_it_starts_is_remarked(books: Path, out: Path):
    told: list[Any] = []
    (books / "scan.djvu").write_bytes(b"AT&TFORM")
    learn(books, out, prompts=["Ovo je ☃"], on_event=told.append)
    (planned,) = [event for event in told if isinstance(event, Planned)]
    assert "1 .djvu" in "\n".join(planned.remarks)
    warnings = "\n".join(planned.warnings)
    assert "converted: 'Ово је ☃'" in warnings
    assert "hardly ever saw '☃'" in warnings


def torch_network(folder: Path) -> torch.nn.Module:
    from paznja.loading import load_model

    return load_model(Run(folder))


def test_second_training_on_the_same_books_reads_nothing_and_gives_the_same_weights(books: Path, out: Path):
    told: list[Any] = []
    learn(books, out, name="first")
    learn(books, out, name="second", on_event=told.append)
    assert not [event for event in told if isinstance(event, Reading)]
    assert next(event for event in told if isinstance(event, Planned)).cached
    assert (out / "first" / "model.safetensors").read_bytes() == (out / "second" / "model.safetensors").read_bytes()


def test_other_seed_gives_other_weights_and_other_samples(books: Path, out: Path):
    learn(books, out, name="first", seed=1)
    learn(books, out, name="second", seed=2)
    assert (out / "first" / "model.safetensors").read_bytes() != (out / "second" / "model.safetensors").read_bytes()
    assert Run(out / "first").samples()[-1]["text"] != Run(out / "second").samples()[-1]["text"]


def test_run_is_named_after_its_books_and_the_day_when_no_name_is_given(books: Path, out: Path):
    first, second = (learn(books, out, name=None, iterations=1) for _ in range(2))
    assert first.name.startswith("Књиге-20")
    assert first.name.endswith("-1")
    assert second.name == first.name.removesuffix("1") + "2"


def test_training_works_outside_the_main_thread(books: Path, out: Path):
    thread = threading.Thread(target=learn, args=(books, out))
    thread.start()
    thread.join()
    assert paznja.open_run("most", out=out).state == "finished"


def test_run_says_that_it_is_training_while_it_is(books: Path, out: Path):
    states: list[str] = []

    def look(event: Any) -> None:
        if isinstance(event, Progress):
            states.append(paznja.open_run("most", out=out).state)

    assert learn(books, out, on_event=look).state == "finished"
    assert states == ["training"] * 3


def test_held_out_books_can_be_chosen(books: Path, out: Path):
    chosen = sorted(books.iterdir())[1]
    run = learn(books, out, held_out=chosen)
    assert [book.file for book in run.run.books() if book.held_out] == [chosen.name]
    assert [book.file for book in run.evaluate().books] == [chosen.name]


# --- prompts ------------------------------------------------------------------------------------------------------------------------


def test_latin_books_get_the_latin_prompt(books: Path, out: Path):
    for book in books.iterdir():
        book.write_text(to_latin(book.read_text(encoding="utf-8")), encoding="utf-8")
    run = learn(books, out)
    assert run.script == "latin"
    assert {sample["prompt"] for sample in run.run.samples()} == {"Ovo je most "}
    assert run.generate("Ово је мост ", 5).startswith("Ovo je most ")


def test_prompt_of_the_other_script_is_converted_for_the_table(books: Path, out: Path):
    run = learn(books, out, prompts=["Njegov most "])
    assert {sample["prompt"] for sample in run.run.samples()} == {"Његов мост "}


def test_each_of_several_prompts_has_a_row_every_time(books: Path, out: Path):
    run = learn(books, out, prompts=["Ово је мост ", "Убица је "], sample_at=[2])
    rows = [(row["iteration"], row["prompt"]) for row in run.run.samples(rows_only=True)]
    assert rows == [(2, "Ово је мост "), (2, "Убица је "), (3, "Ово је мост "), (3, "Убица је ")]


# --- what a trained run can do ------------------------------------------------------------------------------------------------------


def test_generated_text_is_the_prompt_and_as_many_characters_as_asked_for(trained: Path):
    run = paznja.open_run("most", out=trained.parent)
    text = run.generate("Ово је мост ", 50, seed=4)
    assert text.startswith("Ово је мост ")
    assert len(text) == len("Ово је мост ") + 50
    assert run.generate("Ово је мост ", 50, seed=4) == text
    assert run.generate("Ово је мост ", 50, seed=5) != text
    assert "".join(grown[0] for grown in run.stream("Ово је мост ", 50, seed=4)) == text.removeprefix("Ово је мост ")


def test_prompt_in_the_other_script_or_with_unknown_characters_is_fitted_and_said(trained: Path):
    run = paznja.open_run(trained)
    assert run.generate("Ovo je ljubav", 3).startswith("Ово је љубав")
    prompt, remarks = run.fit_prompt("Ovo je ☃")
    assert prompt == "Ово је ☃"
    assert "Cyrillic" in remarks[0]
    assert "'☃'" in remarks[1]
    assert run.fit_prompt("Ово је")[1] == []
    assert len(run.generate("Ово је ☃", 10)) == len("Ово је ☃") + 10


def test_next_gives_the_likeliest_characters_with_their_probabilities(trained: Path):
    run = paznja.open_run(trained)
    expected = run.next("Ubica je ", top=5)
    assert expected == run.next("Убица је ", top=5)
    assert len(expected) == 5
    probabilities = [probability for _, probability in expected]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) < 1
    assert run.generate("Убица је ", 1, temperature=0)[-1] == expected[0][0]
    everything = run.next("Убица је ", top=10_000)
    assert 0.8 < sum(probability for _, probability in everything) < 1.0001  # the rest is for bytes that are not characters


def test_several_texts_at_once_differ_and_the_first_is_the_one_that_comes_alone(trained: Path):
    run = paznja.open_run(trained)
    pieces = list(run.stream("Ово ", 30, count=3, seed=9))
    texts = ["".join(grown[i] for grown in pieces) for i in range(3)]
    assert len(set(texts)) == 3
    assert texts[0] == run.generate("Ово ", 30, seed=9).removeprefix("Ово ")


@pytest.mark.parametrize(
    ("prompt", "choice"),
    [("", {}), ("а", {"temperature": -1.0}), ("а", {"top_k": -1}), ("а", {"top_p": 0.0}), ("а", {"min_p": 2.0}), ("а", {"count": 0})],
)
def test_what_cannot_be_generated_is_refused(trained: Path, prompt: str, choice: dict[str, Any]):
    with pytest.raises(WrongUse):
        paznja.open_run(trained).generate(prompt, 5, **choice)
    with pytest.raises(WrongUse):
        paznja.open_run(trained).generate("а", 0)


def test_evaluation_of_the_held_out_books_agrees_with_the_last_row_of_the_metrics(trained: Path):
    run = paznja.open_run(trained)
    told: list[tuple[int, int]] = []
    evaluation = run.evaluate(on_scored=lambda done, total: told.append((done, total)))
    assert evaluation.bits_per_character == pytest.approx(run.metrics[-1]["held_out_whole"], rel=1e-5)
    assert [book.file for book in evaluation.books] == [book.file for book in run.run.books() if book.held_out]
    assert told[-1] == (sum(map(len, run.run.held_out_ids())),) * 2


def test_evaluation_of_other_books_gives_a_figure_a_book_and_one_in_all(trained: Path, tmp_path: Path, stories_folder: Path):
    shelf = tmp_path / "other"
    shelf.mkdir()
    for story in sorted(stories_folder.glob("*.txt"))[-2:]:
        shutil.copy(story, shelf)
    (shelf / "scan.txt").write_bytes(b"\x00" * 100)
    (shelf / "noise.txt").write_text("zqxj wvkq " * 300, encoding="utf-8")
    evaluation = paznja.open_run(trained).evaluate(shelf)
    found, _ = read_books([shelf])
    assert [(book.file, book.characters) for book in evaluation.books] == [(book.path.name, len(book.text)) for book in found]
    assert [bad.path.name for bad in evaluation.unreadable] == ["scan.txt"]
    by_file = {book.file: book.bits_per_character for book in evaluation.books}
    assert by_file["noise.txt"] > 1.5 * max(bits for file, bits in by_file.items() if file != "noise.txt")
    bits = sum(book.bits_per_character * book.characters for book in evaluation.books)
    assert evaluation.bits_per_character == pytest.approx(bits / evaluation.characters)
    with pytest.raises(NoBooks):
        paznja.open_run(trained).evaluate(shelf / "scan.txt")


def test_evaluation_knows_the_books_that_were_learnt_by_their_content(trained: Path, tmp_path: Path, some_stories: list[Path]):
    run = paznja.open_run(trained)
    held_out = {book.file for book in run.run.books() if book.held_out}
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for story in some_stories:
        shutil.copy(story, shelf / f"renamed {story.name}")
    (shelf / "new.txt").write_text("Ово је нова књига. " * 100, encoding="utf-8")
    learnt = {book.file.removeprefix("renamed "): book.learnt for book in run.evaluate(shelf).books}
    assert learnt == {"new.txt": False, **{story.name: story.name not in held_out for story in some_stories}}
    assert not any(book.learnt for book in run.evaluate().books)


def test_run_folder_that_was_copied_elsewhere_works_without_its_books(trained: Path, tmp_path: Path):
    moved = Path(shutil.copytree(trained, tmp_path / "elsewhere" / "renamed"))
    before = paznja.open_run(trained).generate("Ово ", 20)
    shutil.rmtree(trained)
    run = paznja.open_run(moved)
    assert run.name == "renamed"
    assert run.generate("Ово ", 20) == before
    assert run.evaluate().bits_per_character > 0


def test_the_newest_weights_are_used_where_they_are_asked_for(trained: Path):
    (trained / "model.safetensors").write_bytes(b"not weights")
    assert paznja.open_run(trained, latest=True).generate("Ово ", 5)
    assert paznja.open_run(trained, latest=True).evaluate().bits_per_character > 0
    with pytest.raises(RunError, match=r"model\.safetensors is damaged"):
        paznja.open_run(trained).generate("Ово ", 5)


# --- what is refused ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_damaged_files_are_named_by_whoever_needs_them(trained: Path, file: str):
    whole = (trained / file).read_bytes()
    for end in (0, 5, 20, len(whole) // 2, len(whole) - 1):
        (trained / file).write_bytes(whole[:end])
        with pytest.raises(RunError, match=file):
            paznja.open_run(trained).generate("Ово ", 5)
        with pytest.raises(RunError, match=file):
            paznja.open_run(trained).evaluate()
        with pytest.raises(RunError, match=file):
            paznja.resume(trained, iterations=1)


@pytest.mark.parametrize("file", ["corpus.json", "run.toml", "checkpoint-00000040/model.safetensors"])
def test_damaged_files_keep_a_run_from_going_on_with_a_sentence(trained: Path, file: str):
    whole = (trained / file).read_bytes()
    for end in (0, 5, whole.find(b"[settings") if file == "run.toml" else len(whole) // 2):
        (trained / file).write_bytes(whole[:end])
        with pytest.raises(RunError, match=r"damaged|another version|format"):
            paznja.resume(trained, iterations=1)


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_run_without_its_small_file_checkpoint_goes_on_where_it_was(trained: Path, damage: str):
    metrics = paznja.open_run(trained).metrics
    if damage == "missing":
        (trained / "checkpoint").unlink()
    else:
        (trained / "checkpoint").write_bytes(b"")
    resumed = paznja.resume(trained, iterations=1)
    assert resumed.state == "finished"
    assert resumed.metrics[: len(metrics)] == metrics
    assert resumed.metrics[-1]["iteration"] == 41


def test_run_without_weights_yet_says_when_they_come(run: Run):
    opened = TrainedRun(run)
    with pytest.raises(RunError, match="no weights yet"):
        opened.generate("Ово ", 5)
    with pytest.raises(RunError, match="no weights yet"):
        opened.evaluate()
    assert opened.table == "| Generated text | iteration | time |\n|---|---:|---:|\n"
    assert opened.metrics == []


def test_name_in_use_is_refused_before_anything_is_read(books: Path, out: Path):
    learn(books, out, cache=out / "first cache")
    told: list[Any] = []
    with pytest.raises(WrongUse, match=r"'most' is in use.*'most-2'"):
        learn(books, out, on_event=told.append)
    with pytest.raises(WrongUse, match="cannot be called"):
        learn(books, out, name="a/b", on_event=told.append)
    assert told == []
    assert not (out.parent / "cache").exists()


@pytest.mark.parametrize(
    "wrong", [{"minutes": 1}, {"preset": "tinny"}, {"prompts": [""]}, {"batch": 0}, {"iterations": 0}, {"temperature": -1.0}]
)
def test_wrong_settings_are_refused_before_anything_is_read_or_made(books: Path, out: Path, wrong: dict[str, Any]):
    with pytest.raises(WrongUse):
        learn(books, out, **wrong)
    assert not out.exists()
    assert not (out.parent / "cache").exists()


def test_too_little_text_is_refused_with_how_much_is_enough(tmp_path: Path, out: Path):
    (tmp_path / "note.txt").write_text("Мало. " * 20, encoding="utf-8")
    with pytest.raises(NoBooks, match=r"at least 2,000 are needed.*20,000 are enough"):
        learn(tmp_path / "note.txt", out)
    with pytest.raises(NoBooks):
        learn([], out)
    assert not out.exists()


def test_context_longer_than_the_books_is_refused_and_the_name_stays_free(books: Path, out: Path):
    with pytest.raises(NoBooks, match="context"):
        learn(books, out, context=100_000)
    assert learn(books, out).state == "finished"


def test_folder_that_cannot_be_written_to_is_refused_with_what_to_do(books: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingFailed, match="--out"):
        learn(books, tmp_path / "file")
    with pytest.raises(TrainingFailed, match="--cache"):
        learn(books, tmp_path / "runs", cache=tmp_path / "file")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_out_of_memory_says_what_to_lower(books: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: Exception):
    def fail(self: Learner, batch: Batch, factor: float, began: float) -> float:
        raise error

    monkeypatch.setattr(Learner, "step", fail)
    with pytest.raises(TrainingFailed, match=r"not enough memory. Lower --batch \(now 16\) or --context \(now 32\)"):
        learn(books, out)


@pytest.mark.parametrize("too_much", [{"batch": 10**13}, {"width": 2**26}])
@pytest.mark.parametrize("threads", [0, 1])
def test_more_than_any_memory_is_refused_before_it_is_taken_and_the_name_stays_free(
    books: Path, out: Path, threads: int, too_much: dict[str, int]
):
    before = psutil.Process().memory_info().rss
    with pytest.raises(TrainingFailed, match="not enough memory"):
        learn(books, out, threads=threads, **too_much)
    assert psutil.Process().memory_info().rss < before + 10**9
    assert learn(books, out).state == "finished"


def test_errors_that_are_bugs_are_not_hidden(books: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(self: Learner, batch: Batch, factor: float, began: float) -> float:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Learner, "step", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        learn(books, out)
    assert Run(out / "most").state() == "stopped"


def test_disk_that_fills_up_is_said_with_how_to_go_on(books: Path, out: Path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def fill(event: Any) -> None:
        if isinstance(event, Progress) and event.iteration == 2:
            (out / "most" / "metrics.jsonl").unlink()
            (out / "most" / "metrics.jsonl").symlink_to("/dev/full")

    with pytest.raises(TrainingFailed, match=r"disk .* is full. Nothing was saved yet.*--out") as failed:
        learn(books, out, on_event=fill)
    assert isinstance(failed.value.__cause__, OSError)
    assert failed.value.__cause__.errno == errno.ENOSPC
    (out / "most" / "metrics.jsonl").unlink()
    assert paznja.resume("most", out=out).state == "finished"


def test_unknown_run_suggests_the_nearest(trained: Path):
    with pytest.raises(RunError, match="Did you mean most"):
        paznja.open_run("mst", out=trained.parent)
    with pytest.raises(paznja.PaznjaError, match="Did you mean most"):
        paznja.resume("mst", out=trained.parent)


# --- from Python --------------------------------------------------------------------------------------------------------------------


TINY: dict[str, Any] = {"preset": "tiny", "iterations": 20, "threads": 1, "checkpoint_seconds": 1000}


def test_a_text_stands_for_a_path_and_one_prompt_for_a_list(books: Path, tmp_path: Path):
    run = paznja.train(
        str(books), name="most", out=str(tmp_path / "runs"), cache=str(tmp_path / "cache"), prompts="Ово је мост ", sample_at=3, **TINY
    )
    assert {sample["prompt"] for sample in run.run.samples()} == {"Ово је мост "}
    assert [sample["iteration"] for sample in run.run.samples(rows_only=True)] == [3, 20]
    assert paznja.resume(run.path, iterations=1, cache=str(tmp_path / "cache")).state == "finished"


def test_an_unknown_setting_is_named_with_the_nearest(books: Path, tmp_path: Path):
    with pytest.raises(WrongUse, match=r"no setting 'leyers'.*'layers'"):
        paznja.train(books, out=tmp_path / "runs", cache=tmp_path / "cache", leyers=3)


def test_training_stops_and_saves_once_stop_says_so(books: Path, tmp_path: Path):
    asked: list[None] = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) >= 3

    run = paznja.train(
        books, name="most", out=tmp_path / "runs", cache=tmp_path / "cache", sample_at=(20,), stop=stop, scoring="none", **TINY
    )
    position = run.run.checkpoint()
    assert run.state == "stopped"
    assert position is not None
    assert position.iteration == 3
    assert paznja.resume(run.path, cache=tmp_path / "cache").state == "finished"


def test_an_error_in_on_event_leaves_a_checkpoint_behind(books: Path, tmp_path: Path):
    def fail(event: object) -> None:
        if isinstance(event, Progress) and event.iteration == 4:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        paznja.train(books, name="most", out=tmp_path / "runs", cache=tmp_path / "cache", on_event=fail, **TINY)
    position = paznja.open_run(tmp_path / "runs" / "most").run.checkpoint()
    assert position is not None
    assert (position.iteration, position.finished) == (4, False)


def test_a_run_whose_folder_is_deleted_while_it_trains_ends_with_a_sentence(books: Path, tmp_path: Path):
    def delete(event: object) -> None:
        if isinstance(event, Progress) and event.iteration == 4:
            shutil.rmtree(tmp_path / "runs" / "most")

    with pytest.raises(TrainingFailed, match="moved or deleted"):
        paznja.train(books, name="most", out=tmp_path / "runs", cache=tmp_path / "cache", on_event=delete, **TINY)


def test_history_has_every_progress_line_and_every_evaluation_in_order_as_flat_values(trained: Path):
    run = paznja.open_run(trained)
    history = run.history
    assert [line["iteration"] for line in history] == sorted(line["iteration"] for line in history)
    assert {tuple(line) for line in history} == {
        ("iteration", "seconds", "training", "held_out", "characters_seen", "characters_per_second")
    }
    assert [line["held_out"] for line in history if line["held_out"] is not None] == [line["held_out"] for line in run.metrics]
    progress = [line for line in history if line["held_out"] is None]
    assert [line["iteration"] for line in progress] == [line["iteration"] for line in run.run.progress()]
    assert (progress[0]["iteration"], progress[-1]["iteration"]) == (1, 40)
    assert progress[0]["training"] > progress[-1]["training"]
    assert all(line["characters_per_second"] > 0 for line in progress)


def test_a_run_of_an_older_version_has_its_evaluations_as_history(trained: Path):
    (trained / "progress.jsonl").unlink()
    assert [line["iteration"] for line in paznja.open_run(trained).history] == [5, 15, 40]


def test_the_model_of_a_run_is_a_torch_module_with_its_weights(trained: Path):
    model = paznja.open_run(trained).model
    ids = torch.from_numpy(Run(trained).held_out_ids()[0][:9].astype("int64"))[None]
    with torch.inference_mode():
        assert float(model.losses(ids[:, :-1], ids[:, 1:]).mean()) < 5.5  # nats; an untrained one guesses evenly
    assert isinstance(model, torch.nn.Module)


def test_all_the_runs_of_a_folder_are_given_oldest_first(trained: Path, tmp_path: Path):
    newer = Path(shutil.copytree(trained, trained.with_name("amost")))
    os.utime(trained / "run.toml", (1, 1))
    found = paznja.runs(trained.parent)
    assert [run.path for run in found] == [trained, newer]
    assert found[0].metrics == paznja.open_run(trained).metrics
    assert paznja.runs(tmp_path / "nowhere") == []
