"""The run folder: readers see only whole files, and a writer that is killed leaves a run that can be resumed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from paznja.config import Settings, Stretch
from paznja.disk import link_or_copy, write_atomically
from paznja.errors import PaznjaError, RunError, WrongUse
from paznja.preparing import prepare
from paznja.run import Run, RunRecord, all_runs, check_name, free_name, send
from paznja.run.layout import KINDS_OF_REQUESTS
from paznja.run.lines import MetricsLine, ProgressLine, SampleLine
from paznja.run.requests import answer_to, waiting
from paznja.run.writing import RunWriter, remove_run
from paznja.training.session import _create

MakeRun = Callable[..., Run]
Killed = Callable[..., list[Path]]


def save(writer: RunWriter, iteration: int, *, finished: bool = False) -> None:
    """A checkpoint whose files say which iteration they are from."""
    files = {"model.safetensors": f"weights {iteration}".encode(), "optimizer.safetensors": f"moments {iteration}".encode()}
    writer.write_checkpoint(iteration, iteration / 10, {"meter": {"characters_seen": iteration}}, files, finished=finished)


def assert_checkpoint_is_whole(run: Run) -> int:
    position = run.checkpoint()
    assert position is not None
    iteration = position.iteration
    assert position.folder == f"checkpoint-{iteration:08d}"
    assert run.read_checkpoint("model.safetensors") == f"weights {iteration}".encode()
    assert run.read_checkpoint("optimizer.safetensors") == f"moments {iteration}".encode()
    return iteration


def checkpoints(run: Run) -> list[str]:
    return sorted(path.name for path in run.path.glob("checkpoint-*"))


def litter(folder: Path) -> list[str]:
    """What a crash left behind: files and folders whose names nothing looks for."""
    return [path.name for path in folder.iterdir() if path.name.endswith((".part", ".new"))]


@contextmanager
def second_trainer(run: Run) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the run's lock."""
    code = """
import sys
from pathlib import Path
from paznja.run import Run
from paznja.run.writing import RunWriter
with RunWriter.open(Run(Path(sys.argv[1]))):
    print("in", flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", code, run.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "in\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


# --- making and finding -------------------------------------------------------------------------------------------------------------


def test_created_run_is_found_by_its_name_and_by_its_folder(run: Run):
    for found in (Run.open("most", run.path.parent), Run.open(run.path), Run.open(str(run.path), Path("elsewhere"))):
        assert found.name == "most"
        assert found.settings() == Settings()
        assert len(found.books()) == 5
        assert sum(book.held_out for book in found.books()) == 1
        assert found.metrics() == []
        assert found.samples() == []
        assert found.checkpoint() is None
        assert found.now() is None
        assert found.state() == "stopped"


def test_name_in_use_is_refused_and_the_next_free_one_named(run: Run, new_run: MakeRun):
    before = sorted(run.path.iterdir())
    (run.path.parent / "most-2").mkdir()
    with pytest.raises(WrongUse, match=r"'most' is in use.*'most-3'"):
        new_run("most")
    assert sorted(run.path.iterdir()) == before
    assert free_name(run.path.parent, "most") == "most-3"
    assert free_name(run.path.parent, "new") == "new-2"


def test_run_that_cannot_be_made_leaves_nothing_behind(books: Path, cache: Path, tmp_path: Path):
    prepared = prepare([books], cache=cache)
    (prepared.folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError):
        RunWriter.create(tmp_path / "runs", "most", RunRecord(Settings(), (Stretch(iterations=1),)), prepared.folder)
    assert not list((tmp_path / "runs").iterdir())


def test_an_empty_folder_that_appears_meanwhile_is_not_taken_for_a_new_run(run: Run, new_run: MakeRun, monkeypatch: pytest.MonkeyPatch):
    folder = run.path.parent / "new"

    def is_free_but_then_appears(out: Path, name: str) -> None:
        monkeypatch.undo()
        folder.mkdir()

    monkeypatch.setattr("paznja.run.writing.check_free", is_free_but_then_appears)
    with pytest.raises(WrongUse, match="'new' is in use"):
        new_run("new")
    assert list(folder.iterdir()) == []


def test_trainings_without_a_name_that_begin_at_once_all_get_one(run: Run, books: Path):
    together = threading.Barrier(8)
    made: list[Run] = []

    def begin() -> None:
        together.wait()
        with _create(run.path.parent, None, [books], run.record(), run.path, with_corpus=True) as writer:
            made.append(writer.run)

    beginning = [threading.Thread(target=begin) for _ in range(8)]
    for thread in beginning:
        thread.start()
    for thread in beginning:
        thread.join()
    assert len({one.name for one in made}) == 8
    assert {one.name for one in all_runs(run.path.parent)} == {run.name, *(one.name for one in made)}


def test_run_that_is_killed_while_it_is_made_is_there_whole_or_not_at_all(run: Run, killed_everywhere: Killed):
    code = "paznja.run.writing.RunWriter.create(folder.parent, 'new', paznja.run.Run(folder).record(), folder)"
    copies = killed_everywhere(run.path, code)
    assert len(copies) > 8
    made = [all_runs(copy.parent) for copy in copies]
    assert [len(runs) for runs in made] == sorted(len(runs) for runs in made)
    assert len(made[0]) == 1
    for runs in made:
        for found in runs:
            assert found.settings() == run.settings()
            assert found.training_ids().tolist() == run.training_ids().tolist()


@pytest.mark.parametrize("name", ["", ".", "..", ".most", "a/b", "a\\b", "a:b", "a\nb", "a\0b", "a*", "ж" * 101, "\udcff"])
def test_name_that_no_folder_can_have_is_refused(name: str):
    with pytest.raises(WrongUse):
        check_name(name)


@given(st.text(alphabet=st.characters()))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_name_that_is_allowed_can_be_a_folder(tmp_path: Path, name: str):
    try:
        check_name(name)
    except WrongUse:
        return
    (tmp_path / name).mkdir(exist_ok=True)
    assert (tmp_path / name).parent == tmp_path
    assert (tmp_path / name).is_dir()


@pytest.mark.parametrize("name", ["most", "Мост на Дрини", "Books-2026-11-22-1", "šuma_2"])
def test_ordinary_names_are_allowed(name: str):
    check_name(name)


def test_unknown_run_is_refused_with_the_nearest_name(run: Run, new_run: MakeRun):
    new_run("reka")
    with pytest.raises(RunError, match=r"Did you mean most\?"):
        Run.open("mots", run.path.parent)
    with pytest.raises(RunError, match="There are: most, reka"):
        Run.open("xyzzy", run.path.parent)
    with pytest.raises(RunError, match="There are none yet"):
        Run.open("most", run.path / "commands")


def test_all_runs_are_listed_oldest_first_and_nothing_else(new_run: MakeRun):
    newer, older = new_run("a"), new_run("b")
    out = newer.path.parent
    os.utime(older.path / "run.toml", (1_000, 1_000))
    (out / "not a run").mkdir()
    shutil.copytree(newer.path, out / ".a.1.new")
    (out / "file").touch()
    assert [run.name for run in all_runs(out)] == ["b", "a"]
    assert all_runs(out / "nowhere") == []


# --- what is damaged, or of another version -----------------------------------------------------------------------------------------


def test_format_of_another_version_is_refused_with_a_sentence(run: Run):
    whole = (run.path / "run.toml").read_text()
    assert "format = 2\n" in whole
    for other in ("format = 3\n", 'format = "2"\n', ""):
        (run.path / "run.toml").write_text(whole.replace("format = 2\n", other))
        with pytest.raises(RunError, match="use the version that made it"):
            Run.open("most", run.path.parent)


@pytest.mark.parametrize("file", ["checkpoint", "corpus.json"])
def test_other_files_of_another_version_are_refused_too(run: Run, writer: RunWriter, file: str):
    save(writer, 1)
    content = json.loads((run.path / file).read_text())
    (run.path / file).write_text(json.dumps({**content, "format": 9}))
    (run.path / "checkpoint-00000001" / "position.json").unlink()
    with pytest.raises(RunError, match="another version of paznja"):
        run.checkpoint() if file == "checkpoint" else run.books()


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"format": 1}', b"\0" * 300])
def test_without_the_small_file_checkpoint_the_newest_folder_says_where_the_run_is(run: Run, writer: RunWriter, content: bytes | None):
    save(writer, 1)
    save(writer, 2)
    if content is None:
        (run.path / "checkpoint").unlink()
    else:
        (run.path / "checkpoint").write_bytes(content)
    position = run.checkpoint()
    assert position is not None
    assert position.folder == "checkpoint-00000002"
    assert [it.iteration for it in run.checkpoints()] == [2, 1]


def test_a_persons_copies_of_checkpoints_stay(run: Run, writer: RunWriter):
    save(writer, 1)
    copies = ("checkpoint-00000001 copy", "checkpoint-best", "checkpoint-1", ".notes.new", ".notes.1.part")
    for name in copies:
        shutil.copytree(run.path / "checkpoint-00000001", run.path / name)
    for iteration in (2, 3, 4):
        save(writer, iteration)
    writer.cut_back(run.checkpoint())
    assert all((run.path / name / "position.json").is_file() for name in copies)


def test_what_a_run_without_a_checkpoint_had_is_kept_aside(run: Run, writer: RunWriter):
    writer.append_metrics(measured(1))
    writer.append_sample(sample(1))
    writer.write_file("model.safetensors", b"the best weights")
    assert "before-1" in writer.cut_back(None)
    assert run.metrics() == run.samples() == []
    assert (run.path / "before-1" / "model.safetensors").read_bytes() == b"the best weights"
    assert b"1" in (run.path / "before-1" / "metrics.jsonl").read_bytes()


def test_a_damaged_line_in_a_log_is_left_out(run: Run, writer: RunWriter):
    writer.append_metrics(measured(1))
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"iteration": 2, "he\n[1]\nnull\n{"no": 1}\n')
    writer.append_metrics(measured(3))
    assert [line["iteration"] for line in run.metrics()] == [1, 3]


def test_a_run_with_a_damaged_run_toml_is_damaged(run: Run):
    with RunWriter.open(run) as writer:
        save(writer, 1)
    (run.path / "run.toml").write_bytes(b"\0\0")
    assert run.state() == "damaged"


READERS: dict[str, Callable[[Run], Any]] = {
    "run.toml": Run.record,
    "corpus.json": Run.books,
}


@pytest.mark.parametrize("file", READERS)
def test_file_that_was_cut_short_anywhere_is_refused_with_a_sentence_that_names_it(run: Run, writer: RunWriter, file: str):
    save(writer, 1)
    whole = (run.path / file).read_bytes()
    refused = 0
    ends = range(0, len(whole), 7)
    for end in ends:
        (run.path / file).write_bytes(whole[:end])
        try:
            READERS[file](run)
        except RunError as error:
            refused += file in str(error) or "format" in str(error)
    # It is not noticed if only the rest of run.toml's last section, or a file's last spaces, are missing.
    assert refused > 0.3 * len(ends)


@pytest.mark.parametrize("file", READERS)
@pytest.mark.parametrize("content", [b"\0" * 300, b"", b"[]", b"3", b"null", b'"\xff"', b"{", b"format = 1\nsettings = 3\ncorpus = []\n"])
def test_file_full_of_something_else_is_refused_with_a_sentence(run: Run, writer: RunWriter, file: str, content: bytes):
    save(writer, 1)
    (run.path / file).write_bytes(content)
    with pytest.raises(RunError):
        READERS[file](run)


def test_missing_files_are_named(run: Run):
    (run.path / "corpus.json").unlink()
    with pytest.raises(RunError, match=r"corpus\.json is missing"):
        run.books()
    (run.path / "run.toml").unlink()
    with pytest.raises(RunError, match=r"has no run\.toml"):
        run.record()


def test_missing_or_shortened_books_are_refused(run: Run, new_run: MakeRun):
    ids = (run.path / "corpus.bin").read_bytes()
    (run.path / "corpus.bin").unlink()
    (run.path / "corpus.bin").write_bytes(ids[:-2])
    with pytest.raises(RunError, match=r"corpus\.bin is damaged"):
        run.training_ids()
    with pytest.raises(RunError, match="without its books' text"):
        new_run("without", with_corpus=False).held_out_ids()


def test_missing_checkpoint_files_are_named(run: Run, writer: RunWriter):
    with pytest.raises(RunError, match="no checkpoint yet"):
        run.read_checkpoint("model.safetensors")
    save(writer, 1)
    with pytest.raises(RunError, match=r"scaler\.safetensors is missing"):
        run.read_checkpoint("scaler.safetensors")
    shutil.rmtree(run.path / "checkpoint-00000001")
    with pytest.raises(RunError, match=r"checkpoint-00000001.* is missing"):
        run.read_checkpoint("model.safetensors")


# --- logs ---------------------------------------------------------------------------------------------------------------------------


def sample(iteration: int, *, row: bool = True) -> SampleLine:
    return {
        "iteration": iteration,
        "seconds": 1.0,
        "prompt": "Ово је мост ",
        "text": f"преко {iteration} река",
        "row": row,
        "seed": 1,
        "temperature": 0.8,
    }


def measured(iteration: int) -> MetricsLine:
    return {
        "iteration": iteration,
        "seconds": iteration / 10,
        "characters_seen": 100 * iteration,
        "training": 3.0,
        "held_out": 3.5,
        "held_out_whole": None,
        "peak_memory_bytes": 1,
    }


def progress(iteration: int) -> ProgressLine:
    return {
        "iteration": iteration,
        "seconds": iteration / 10,
        "training_bits": 4.0,
        "characters_seen": 100 * iteration,
        "characters_per_second": 1000,
    }


def test_samples_and_metrics_come_back_as_they_were_written(run: Run, writer: RunWriter):
    for iteration in (1, 2, 3):
        writer.append_sample(sample(iteration, row=iteration != 2))
        writer.append_metrics({**measured(iteration), "held_out": 1 / iteration})
    assert run.samples() == [sample(1), sample(2, row=False), sample(3)]
    assert run.samples(rows_only=True) == [sample(1), sample(3)]
    assert run.metrics() == [{**measured(i), "held_out": 1 / i} for i in (1, 2, 3)]
    assert "Ово је мост преко 3 река ... | 3 |" in (run.path / "samples.md").read_text()
    assert "преко 2 река" not in (run.path / "samples.md").read_text()


def test_half_a_last_line_is_ignored_and_cut_back(run: Run, writer: RunWriter):
    writer.append_metrics(measured(1))
    writer.append_sample(sample(1))
    save(writer, 1)
    writer.append_metrics(measured(2))
    writer.append_sample(sample(2))
    for file in ("metrics.jsonl", "samples.jsonl"):
        with open(run.path / file, "ab") as lines:
            lines.write('{"iteration": 3, "text": "мо'.encode()[:-1])
    assert [line["iteration"] for line in run.metrics()] == [line["iteration"] for line in run.samples()] == [1, 2]
    writer.cut_back(run.checkpoint())
    assert [line["iteration"] for line in run.metrics()] == [line["iteration"] for line in run.samples()] == [1]
    writer.append_metrics(measured(2))
    writer.append_sample(sample(2))
    assert [line["iteration"] for line in run.metrics()] == [line["iteration"] for line in run.samples()] == [1, 2]
    assert "2 река" in (run.path / "samples.md").read_text()


def test_half_a_line_that_a_power_cut_left_before_the_checkpoints_end_is_cut_back(run: Run, writer: RunWriter):
    for iteration in (1, 2):
        writer.append_metrics(measured(iteration))
    save(writer, 2)
    os.truncate(run.path / "metrics.jsonl", (run.path / "metrics.jsonl").stat().st_size - 3)
    writer.cut_back(run.checkpoint())
    writer.append_metrics(measured(3))
    assert [line["iteration"] for line in run.metrics()] == [1, 3]


def test_without_a_checkpoint_everything_is_cut_back(run: Run, writer: RunWriter):
    writer.append_metrics(measured(1))
    writer.append_sample(sample(1))
    writer.cut_back(None)
    assert run.metrics() == run.samples() == []
    assert "река" not in (run.path / "samples.md").read_text()


def test_progress_after_the_checkpoint_is_cut_back_by_its_iteration(run: Run, writer: RunWriter):
    for iteration in (1, 2):
        writer.append_progress(progress(iteration))
    save(writer, 2)
    writer.append_progress(progress(3))
    with open(run.path / "progress.jsonl", "ab") as file:
        file.write(b'{"iteration": 4, "sec')
    writer.cut_back(run.checkpoint())
    writer.append_progress(progress(3))
    assert [line["iteration"] for line in run.progress()] == [1, 2, 3]


def test_progress_is_kept_aside_with_the_other_logs(run: Run, writer: RunWriter):
    for iteration in (1, 2):
        writer.append_progress(progress(iteration))
        save(writer, iteration)
    writer.cut_back(run.checkpoints()[1])
    assert [line["iteration"] for line in run.progress()] == [1]
    assert b'"iteration": 2' in (run.path / "before-1" / "progress.jsonl").read_bytes()
    writer.cut_back(None)
    assert run.progress() == []
    assert b'"iteration": 1' in (run.path / "before-2" / "progress.jsonl").read_bytes()


def test_thinned_progress_has_its_beginning_and_its_newest_line(run: Run, writer: RunWriter):
    for iteration in range(1, 8):
        writer.append_progress(progress(iteration))
    assert writer.thin_progress() == 4
    assert [line["iteration"] for line in run.progress()] == [1, 3, 5, 7]
    writer.append_progress(progress(8))
    assert writer.thin_progress() == 3
    assert [line["iteration"] for line in run.progress()] == [1, 5, 8]


# --- checkpoints --------------------------------------------------------------------------------------------------------------------


def test_only_the_last_two_checkpoints_are_kept_and_the_last_is_valid(run: Run, writer: RunWriter):
    for iteration in (5, 10, 15, 100):
        save(writer, iteration)
        assert assert_checkpoint_is_whole(run) == iteration
    assert checkpoints(run) == ["checkpoint-00000015", "checkpoint-00000100"]
    assert json.loads((run.path / "checkpoint-00000015" / "position.json").read_text())["iteration"] == 15


def test_checkpoint_saved_again_at_its_iteration_only_takes_the_new_record(run: Run):
    with RunWriter.open(run) as writer:
        save(writer, 5)
        save(writer, 5, finished=True)
    assert assert_checkpoint_is_whole(run) == 5
    assert run.state() == "finished"


def test_killed_at_any_moment_of_saving_a_whole_checkpoint_is_valid_and_training_goes_on(
    run: Run, writer: RunWriter, killed_everywhere: Killed
):
    for iteration in (5, 10):
        writer.append_metrics(measured(iteration))
        save(writer, iteration)
    code = """
files = {"model.safetensors": b"weights 15", "optimizer.safetensors": b"moments 15"}
writer = paznja.run.writing.RunWriter.open(paznja.run.Run(folder))
writer.append_metrics({"iteration": 15, "training": 3.0, "held_out": 3.5})
writer.write_checkpoint(15, 1.5, {}, files, finished=False)
"""
    copies = [Run(copy) for copy in killed_everywhere(run.path, code)]
    assert len(copies) > 15
    valid = [assert_checkpoint_is_whole(copy) for copy in copies]
    assert valid == sorted(valid)
    assert set(valid) == {10, 15}
    for copy in copies:
        newest = copy.checkpoints()[0]
        iteration = newest.iteration
        with RunWriter.open(copy) as going_on:
            going_on.cut_back(newest)
            assert copy.metrics()[-1]["iteration"] == iteration
            save(going_on, 12 if iteration == 10 else 17)
        assert assert_checkpoint_is_whole(copy) == (12 if iteration == 10 else 17)
        assert checkpoints(copy) == [f"checkpoint-{i:08d}" for i in ((10, 12) if iteration == 10 else (15, 17))]
        assert not litter(copy.path)


def test_disk_that_fills_up_while_saving_leaves_the_last_checkpoint_valid(run: Run, writer: RunWriter, monkeypatch: pytest.MonkeyPatch):
    save(writer, 5)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            save(writer, 10)
    assert assert_checkpoint_is_whole(run) == 5
    assert checkpoints(run) == ["checkpoint-00000005"]
    assert not litter(run.path)


def test_finished_run_that_is_given_more_is_not_finished_any_more(run: Run):
    with RunWriter.open(run) as writer:
        save(writer, 5, finished=True)
    assert run.state() == "finished"
    with RunWriter.open(run) as writer:
        writer.begin_stretch(Stretch(iterations=3, from_iteration=5))
    assert run.state() == "stopped"
    assert run.record().stretches == (Stretch(iterations=100), Stretch(iterations=3, from_iteration=5))
    assert assert_checkpoint_is_whole(run) == 5


# --- living with others -------------------------------------------------------------------------------------------------------------


def test_second_trainer_is_kept_out_until_the_first_is_killed(run: Run):
    with second_trainer(run) as first:
        assert run.state() == "training"
        with pytest.raises(RunError, match="Another paznja is training"):
            RunWriter.open(run)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert run.state() == "stopped"
        with RunWriter.open(run):
            assert run.state() == "training"
        assert run.state() == "stopped"


def test_lock_is_given_back_when_training_fails(run: Run):
    with pytest.raises(ZeroDivisionError), RunWriter.open(run):
        raise ZeroDivisionError
    with RunWriter.open(run):
        pass


def test_a_reader_never_keeps_a_trainer_out_and_leaves_the_folder_as_it_is(run: Run):
    before = {path: path.stat().st_mtime_ns for path in (run.path, *run.path.rglob("*"))}
    asking = threading.Event()

    def ask() -> None:
        while not asking.wait(0.001):
            run.state()

    ask_all(run)
    assert {path: path.stat().st_mtime_ns for path in (run.path, *run.path.rglob("*"))} == before
    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(30):
            with RunWriter.open(run, patience=0):
                pass
    finally:
        asking.set()
        asker.join()


def ask_all(run: Run) -> None:
    """Everything that a reader can be asked for, except what is only there after a checkpoint."""
    for question in (
        Run.record,
        Run.settings,
        Run.corpus,
        Run.books,
        Run.files,
        Run.state,
        Run.now,
        Run.metrics,
        Run.progress,
        Run.samples,
    ):
        question(run)
    for question in (Run.samples, Run.checkpoint, Run.checkpoints, Run.checkpoint_folders, Run.training_ids, Run.held_out_ids):
        question(run)
    waiting(run)
    answer_to(run, 1)


def test_what_a_living_training_is_doing_can_be_seen(run: Run):
    assert run.now() is None
    with RunWriter.open(run) as writer:
        now = run.now()
        assert now is not None
        assert (now.phase, now.process, now.iteration) == ("preparing", os.getpid(), 0)
        time.sleep(0.11)
        writer.show("paused", iteration=7, seconds=1.5)
        now = run.now()
        assert now is not None
        assert (now.phase, now.iteration, now.seconds) == ("paused", 7, 1.5)
        assert run.state() == "paused"
    assert run.now() is None


def test_what_a_training_does_is_written_rarely(run: Run, writer: RunWriter, monkeypatch: pytest.MonkeyPatch):
    written: list[bytes] = []
    monkeypatch.setattr("paznja.run.writing.write_atomically", lambda path, content, **_: written.append(content))
    for iteration in range(1000):
        writer.show("learning", iteration=iteration)
    assert len(written) <= 3


def test_a_training_that_cannot_be_watched_goes_on(run: Run, writer: RunWriter, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("paznja.run.writing.write_atomically", refuse)
    time.sleep(0.11)
    writer.show("learning")


def test_a_strangers_file_with_the_name_of_the_word_about_a_training_stays(run: Run):
    (run.path / "now.json").write_text("[1, 2]")
    with RunWriter.open(run) as writer:
        time.sleep(0.11)
        writer.show("paused")
    assert (run.path / "now.json").read_text() == "[1, 2]"
    assert [path.name for path in remove_run(run)] == ["now.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"phase": 3}', b'{"phase": "learning", "process": "me", "host": ""}'])
def test_a_damaged_word_about_a_training_is_taken_for_none(run: Run, content: bytes):
    (run.path / "now.json").write_bytes(content)
    assert run.state() == "stopped"


def test_removed_run_is_gone_but_not_while_it_is_being_trained(run: Run):
    with second_trainer(run):
        with pytest.raises(RunError, match="being trained right now"):
            remove_run(run)
        assert run.books()
    remove_run(run)
    assert not run.path.exists()


def test_removing_a_run_leaves_what_the_program_did_not_make(run: Run, writer: RunWriter):
    save(writer, 1)
    save(writer, 2)
    send(run, "pause")
    writer.append_metrics(measured(1))
    writer.write_file("model.safetensors", b"weights")
    writer.cut_back(run.checkpoints()[1])
    shutil.copytree(run.path / "checkpoint-00000002", run.path / "checkpoint-00000003.damaged-1")
    strangers = [
        "notes.txt",
        "metrics.jsonl copy",
        "Slike/a.jpg",
        "checkpoint-best/model.safetensors",
        "checkpoint-00000001/my.txt",
        "before-1/my.txt",
        "commands/notes",
        ".git/HEAD",
    ]
    for name in strangers:
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_text("mine")
    (run.path / "link").symlink_to("notes.txt")
    writer.close()
    stays = remove_run(run)
    left = sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if not path.is_dir())
    assert left == sorted([*strangers, "link"])
    assert {path.name for path in stays} == {name.split("/")[0] for name in left}


def test_a_removal_that_was_cut_off_can_be_done_again(run: Run, writer: RunWriter, monkeypatch: pytest.MonkeyPatch):
    save(writer, 1)

    def fail(*_: object) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    writer.close()
    monkeypatch.setattr("paznja.run.writing.remove_known", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        remove_run(run)
    monkeypatch.undo()
    again = Run.open(run.path)
    assert remove_run(again) == []
    assert not run.path.exists()


def test_requests_are_obeyed_in_order_and_answered(run: Run, writer: RunWriter):
    assert writer.requests() == []
    sent = [*reversed(KINDS_OF_REQUESTS), "stop", "pause"]
    numbers = [send(run, request) for request in sent]
    assert numbers == sorted(set(numbers))
    (run.path / "commands" / "notes").touch()
    assert writer.requests() == list(zip(numbers, sent, strict=True))
    assert answer_to(run, numbers[0]) is None
    for number, request in writer.requests():
        writer.answer(number, request, 12)
        answer = answer_to(run, number)
        assert answer is not None
        assert (answer.number, answer.request, answer.iteration) == (number, request, 12)
    assert writer.requests() == []
    assert send(run, "stop") == numbers[-1] + 1, "a number is never used twice, so an answer is never that to another request"


def test_unknown_request_is_refused_and_those_there_are_named(run: Run):
    with pytest.raises(WrongUse, match="stop, pause, go-on, sample"):
        send(run, "explode")
    assert waiting(run) == []


# --- whole files --------------------------------------------------------------------------------------------------------------------


def test_books_are_linked_into_the_run_or_copied_where_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = tmp_path / "source"
    source.write_bytes(b"ids")
    link_or_copy(source, tmp_path / "linked")
    assert (tmp_path / "linked").samefile(source)

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(source, tmp_path / "copied")
    assert not (tmp_path / "copied").samefile(source)
    assert (tmp_path / "copied").read_bytes() == b"ids"


def test_file_written_atomically_is_the_old_or_the_new_one_wherever_the_writer_is_killed(tmp_path: Path, killed_everywhere: Killed):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "file").write_bytes(b"old")
    copies = killed_everywhere(folder, "paznja.disk.write_atomically(folder / 'file', b'new' * 100_000)")
    contents = [(copy / "file").read_bytes() for copy in copies]
    assert len(contents) >= 3
    assert contents[0] == b"old"
    assert contents[-1] == b"new" * 100_000
    assert set(contents) == {contents[0], contents[-1]}


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_atomically(tmp_path / "file", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            write_atomically(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the largest size of a file can be limited on Unix alone")
def test_disk_that_fills_up_leaves_whole_lines_and_the_old_files(run: Run):
    """The operating system really stops the writing in the middle of a line: in this process no file may exceed 2,000 bytes."""
    script = """
import resource, sys
from pathlib import Path
from paznja.run import Run
from paznja.run.writing import RunWriter
writer = RunWriter.open(Run(Path(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
written = 0
try:
    while True:
        writer.append_metrics({"iteration": written, "training": 3.0, "held_out": 3.5, "text": "мост" * 30})
        written += 1
except OSError as error:
    print(error.errno)
for write in (lambda: writer.write_file("model.safetensors", b"new" * 1000), lambda: writer.write_file("config.json", b"new")):
    try:
        write()
        print("written")
    except OSError:
        print("refused")
"""
    (run.path / "model.safetensors").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", script, run.path], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(errno.ENOSPC), "refused", "written"], done.stderr
    assert (run.path / "metrics.jsonl").read_bytes().endswith(b"\n")
    assert [line["iteration"] for line in run.metrics()] == list(range(len(run.metrics())))
    assert 3 <= len(run.metrics()) <= 12
    assert (run.path / "model.safetensors").read_bytes() == b"old"
    assert not litter(run.path)


# --- the books as ids ---------------------------------------------------------------------------------------------------------------


def test_training_and_held_out_ids_are_the_books_one_after_the_other(run: Run):
    whole = np.fromfile(run.path / "corpus.bin", dtype=np.uint16)
    assert np.array_equal(np.concatenate([run.training_ids(), *run.held_out_ids()]), whole)
    books = run.books()
    assert [book.held_out for book in books] == sorted(book.held_out for book in books)
    assert len(run.training_ids()) == sum(book.tokens for book in books if not book.held_out)
    assert [len(ids) for ids in run.held_out_ids()] == [book.tokens for book in books if book.held_out]


def test_every_refusal_is_an_error_that_a_person_can_act_on():
    assert issubclass(RunError, PaznjaError)
    assert (RunError.exit_code, WrongUse.exit_code) == (1, 2)
