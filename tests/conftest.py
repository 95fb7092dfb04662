"""Small real books, and runs made from them, for all tests."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from paznja.config import Settings, Stretch
from paznja.corpus import stories
from paznja.preparing import prepare
from paznja.run import Run, RunRecord
from paznja.run.records import ShelfRecord
from paznja.run.writing import RunWriter


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--start-method spawn` starts processes on Linux too as they start on Windows and macOS."""
    parser.addoption("--start-method", choices=("fork", "spawn"), help="how the tests start processes; the default is the program's own")


hypothesis.settings.register_profile("without deadlines", deadline=None)  # how long an example takes depends on what else runs
hypothesis.settings.load_profile("without deadlines")


def pytest_configure(config: pytest.Config) -> None:
    """Where tests run side by side, each worker keeps to one core: threads that wait for each other's cores are slow."""
    multiprocessing.set_start_method(config.getoption("--start-method"), force=True)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture(scope="session")
def outside_program() -> Callable[[str], str]:
    """The path of a program outside Python. Without it a test is skipped, with the reason; in CI, which installs it, the test fails."""

    def find(name: str) -> str:
        program = shutil.which(name)
        if program is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{name} is missing: .ci/run installs it")
            pytest.skip(f"{name} is not installed")
        return program

    return find


@pytest.fixture(scope="session")
def stories_folder() -> Iterator[Path]:
    """The folder with the stories that come with the program."""
    with stories.folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def some_stories(stories_folder: Path) -> list[Path]:
    """Five of them: enough to learn from and to hold one out."""
    return sorted(stories_folder.glob("*.txt"))[:5]


@pytest.fixture
def books(tmp_path: Path, some_stories: list[Path]) -> Path:
    """The test's own folder with five books."""
    folder = tmp_path / "Књиге"
    folder.mkdir()
    for story in some_stories:
        shutil.copy(story, folder)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache for prepared books that nobody else uses."""
    return tmp_path / "cache"


@pytest.fixture
def new_run(books: Path, cache: Path, tmp_path: Path) -> Callable[..., Run]:
    """Makes a run of the five books, in which nothing has been trained yet."""

    def make(name: str = "most", *, with_corpus: bool = True) -> Run:
        prepared = prepare([books], cache=cache)
        record = RunRecord(Settings(), (Stretch(iterations=100),), ShelfRecord(places=(str(books),), script=prepared.script))
        with RunWriter.create(tmp_path / "runs", name, record, prepared.folder, with_corpus=with_corpus) as writer:
            return writer.run

    return make


@pytest.fixture
def run(new_run: Callable[..., Run]) -> Run:
    """A new run."""
    return new_run()


@pytest.fixture
def writer(run: Run) -> Iterator[RunWriter]:
    """The writer of that run."""
    with RunWriter.open(run) as writer:
        yield writer


@pytest.fixture
def killed_everywhere(tmp_path: Path) -> Callable[..., list[Path]]:
    """Copies of a folder. In each, the same code ran and was killed just before or after another of its file operations; in the last
    one it ran to its end.

    The code finds the copy as `folder` (a Path). If `every` is more than 1, it is killed only before and after some of the operations.
    """
    if not hasattr(os, "fork"):
        pytest.skip("the code runs in forked processes")
    script = """
import json, os, shutil, sys
from pathlib import Path
import paznja.disk, paznja.run.writing, paznja.preparing
source, copies, code = Path(sys.argv[1]), Path(sys.argv[2]), compile(sys.argv[3], "code", "exec")
made = []
WRITING = {"open", "write", "tofile", "fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir", "truncate", "ftruncate", "sendfile"}
while True:
    folder = copies / str(len(made)) / source.name
    shutil.copytree(source, folder)
    made.append(str(folder))
    child = os.fork()
    if child == 0:
        left = [1 + int(sys.argv[4]) * (len(made) - 1)]
        def die_in_time(frame, event, called):
            if event in ("c_call", "c_return") and called.__name__ in WRITING:
                left[0] -= 1
                if not left[0]:
                    os._exit(9)
        sys.setprofile(die_in_time)
        exec(code, {"folder": folder, "paznja": paznja})
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        break
    if status != 9:
        sys.exit(1)
print(json.dumps(made))
"""

    def kill(folder: Path, code: str, every: int = 1) -> list[Path]:
        copies = tmp_path / f"killed-{len(list(tmp_path.iterdir()))}"
        done = subprocess.run([sys.executable, "-c", script, folder, copies, code, str(every)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [Path(copy) for copy in json.loads(done.stdout)]

    return kill


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, some_stories: list[Path]) -> Path:
    """The folder of a finished run; copied before use."""
    import paznja

    folder = tmp_path_factory.mktemp("trained")
    paznja.train(
        some_stories,
        iterations=40,
        preset="tiny",
        seed=3,
        threads=1,
        sample_at=[5, 15],
        name="most",
        out=folder / "runs",
        cache=folder / "cache",
    )
    return folder / "runs" / "most"


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """The folder of a finished run of forty iterations on five stories, with rows at 5, 15 and 40: the test's own copy, in `runs`."""
    return Path(shutil.copytree(trained_once, tmp_path / "runs" / "most"))


@pytest.fixture
def command_line(cache: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python -m paznja` with these arguments, in a process of its own that does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "paznja", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PAZNJA_CACHE": str(cache), "PYTHONUTF8": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool], subprocess.Popen[str]], None]:
    """Waits for a condition that a process fulfils; fails if the process ends before that."""

    def wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            ended = process.poll() is not None and not condition()
            if ended or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"it did not come to that: {process.communicate()[0]}")
            time.sleep(0.01)

    return wait
