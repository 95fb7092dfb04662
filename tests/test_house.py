"""What keeps the house liveable: imports point one way, and nobody but the writer writes in a run's folder."""

from __future__ import annotations

import ast
import graphlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SOURCE / "paznja").rglob("*.py"))
}


def imported(path: Path, *, late: bool) -> Iterator[str]:
    """The modules of paznja that this one imports when it is loaded or, if `late`, at any time; what only type checkers see is left out."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not late:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("paznja"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        waiting.extend(ast.iter_child_nodes(node))


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: {other for other in imported(path, late=False) if other != name} for name, path in MODULES.items()}
    # A package's own modules may use each other's names through it: what counts is which module is loaded before which.
    apart = {name: {other for other in others if not name.startswith(f"{other}.")} for name, others in graph.items()}
    assert list(graphlib.TopologicalSorter(apart).static_order())


@pytest.mark.parametrize(
    ("room", "above"),
    [
        ("paznja.config", {"run", "corpus", "tokenizers", "model", "training", "generation", "evaluation", "api", "cli", "terminal"}),
        ("paznja.corpus", {"run", "tokenizers", "model", "training", "generation", "evaluation", "api", "cli", "terminal"}),
        ("paznja.tokenizers", {"run", "corpus", "model", "training", "generation", "evaluation", "api", "cli", "terminal"}),
        ("paznja.run", {"corpus", "tokenizers", "model", "training", "generation", "evaluation", "api", "cli", "terminal"}),
        ("paznja.model", {"run", "corpus", "training", "generation", "evaluation", "api", "cli", "terminal"}),
        ("paznja.memory", {"run", "training", "generation", "evaluation", "api", "cli", "terminal"}),
        ("paznja.training", {"api", "cli", "terminal"}),
        ("paznja.api", {"cli", "terminal"}),
    ],
)
def test_imports_point_one_way(room: str, above: set[str]):
    own = {name: path for name, path in MODULES.items() if name == room or name.startswith(f"{room}.")}
    found = {(name, other) for name, path in own.items() for other in imported(path, late=True) if other.split(".")[1:2][0] in above}
    assert not found


WATCHED = """
import json, os, sys, traceback
from pathlib import Path

books, out, cache = sys.argv[1:]
folder = os.path.join(os.path.realpath(out), "most")
changes = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod", "os.utime", "shutil.move"}
seen = {}

def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        paths = [path] if written else []
    elif event in changes:
        paths = list(arguments[:2])
    else:
        return
    for path in paths:
        if isinstance(path, bytes | str | os.PathLike) and os.path.abspath(os.fsdecode(path)).startswith(folder + os.sep):
            frame, rooms = sys._getframe(1), []
            while frame is not None:
                rooms.append(frame.f_code.co_filename)
                frame = frame.f_back
            writers = [room for room in rooms if room.endswith(("paznja/run/writing.py", "paznja/run/requests.py"))]
            name = os.path.relpath(os.fsdecode(path), folder)
            seen.setdefault(f"{event} {name}", set()).add(Path(writers[0]).name if writers else "nobody known: " + rooms[0])

sys.addaudithook(watch)
import paznja
from paznja.cli import main
from paznja.run import Run, send
from paznja.training.events import Progress

def ask(event):
    if isinstance(event, Progress) and event.iteration == 2:
        send(Run(Path(folder)), "sample")

few = dict(iterations=6, preset="tiny", memory="none", threads=1, sample_at=[3], length=10, out=out, cache=cache, checkpoint_seconds=0.0)
paznja.train(books, name="most", on_event=ask, **few)
paznja.resume("most", out=out, iterations=2, cache=cache)
for command in (["generate", "most", "Ово", "--length", "5"], ["next", "most", "Ово"], ["evaluate", "most"], ["curve", "most"], ["runs"]):
    try:
        main([*command, "--out", out])
    except SystemExit as left:
        assert not left.code, command
print()
print(json.dumps({name: sorted(who) for name, who in seen.items()}))
"""


def test_nobody_but_the_writer_writes_in_a_runs_folder(books: Path, tmp_path: Path, cache: Path):
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, books, tmp_path / "runs", cache],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert {name: who for name, who in seen.items() if who not in (["writing.py"], ["requests.py"])} == {}
    asked = {name for name, who in seen.items() if who == ["requests.py"]}
    assert {name.split("/")[0] for name in asked} <= {"open commands", "os.mkdir commands"}
    assert len(seen) > 10
