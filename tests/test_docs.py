"""The documentation is true: the manual is the help, links lead somewhere, quoted commands parse, the Python page runs, the
design names what there is.

A quoted command is a line that begins with `paznja` in a code block, or such words between backticks. Code blocks marked
`text` are what the program prints, and are left alone.
"""

from __future__ import annotations

import dataclasses
import re
import runpy
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from paznja.cli.group import commands
from paznja.config import preset
from paznja.corpus.ledger import RULES
from paznja.run import BookRecord, CheckpointRecord, RunRecord
from paznja.run.records import PARTS_OF_1, NowRecord, ShelfRecord

ROOT = Path(__file__).parents[1]
WITH_COMMANDS = [*(ROOT / name for name in ("README.md", "README.sr.md", "CONTRIBUTING.md")), *sorted((ROOT / "docs").glob("*.md"))]
PAGES = sorted(
    path for folder in (".", "docs", "benchmarks", "src", "tests") for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
)

FENCED = re.compile(r"^ *(```+|~~~+) *(\S*).*?\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
PROGRAM = re.compile(r"(?:\S*/)?paznja")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*=.*", re.DOTALL)


def test_manual_is_the_commands_own_help() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_commands.py"))
    assert made["FILE"].read_text(encoding="utf-8") == made["manual"](), "run: python docs/make_commands.py"


def test_manual_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    manual = runpy.run_path(str(ROOT / "docs" / "make_commands.py"))["manual"]
    whole = manual()
    for columns in ("30", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        assert manual() == whole


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page.read_text(encoding="utf-8")) if not leads_somewhere(page, link)] == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = (
        '# One word\n[a](page.md#one-word) [b](#one-word) [c](missing.md) [d](page.md#two) `[e](code.md)`\n[f]: other.md\n<img src="g.png">'
    )
    page.write_text(text, encoding="utf-8")
    assert [link for link in links(text) if not leads_somewhere(page, link)] == ["missing.md", "page.md#two", "other.md", "g.png"]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_quoted_commands_parse(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {}
    for arguments in quoted_commands(page.read_text(encoding="utf-8")):
        try:
            parse(arguments, monkeypatch)
        except Exception as error:
            wrong[shlex.join(arguments)] = str(error)
    assert wrong == {}


def test_every_command_is_quoted_somewhere() -> None:
    quoted = [arguments for page in WITH_COMMANDS for arguments in quoted_commands(page.read_text(encoding="utf-8"))]
    assert {name for arguments in quoted for name in arguments[:1]} >= {*commands.commands}


@pytest.mark.parametrize(
    "quoted",
    [
        "`paznja train ~/Books --minuts 60`",
        "`paznja trane ~/Books`",
        "    paznja train ~/Books --minutes ten\n",
        "```\n$ PYTHONUTF8=1 .venv/bin/paznja train ~/Books \\\n    --preset pokcet  # ten minutes\n```\n",
        "```sh\ncat prompt.txt | paznja generate --prompt - > text.txt\n```\n",
    ],
)
def test_a_wrong_command_is_found(quoted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (arguments,) = quoted_commands(f"Some words.\n\n{quoted}")
    with pytest.raises(Exception, match=r"minuts|trane|ten|pokcet|NAME"):
        parse(arguments, monkeypatch)


def test_design_names_every_module_and_everything_that_a_run_stores() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    modules = {path.name for path in (ROOT / "src").rglob("*.py")}
    kinds = (CheckpointRecord, BookRecord, NowRecord, RunRecord, ShelfRecord)
    fields = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    fields |= {name for names in PARTS_OF_1.values() for name in names}
    assert {module for module in modules if not re.search(rf"[ (]{re.escape(module)}[ ,\n]", design)} == set()
    assert {field for field in fields if not re.search(rf"`\[*{field}\]*`", design)} == set()


def test_books_page_says_what_each_rule_does() -> None:
    page = (ROOT / "docs" / "books.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", page, re.MULTILINE)
    assert {rule: text.replace("\\|", "|") for rule, text in rows} == RULES


def test_contributing_names_files_and_functions_that_there_are() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = [path for folder in ("src", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
    words = {word for path in code for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    quoted = {span[2] for span in SPAN.finditer(page)}
    files = {name for name in quoted if re.fullmatch(r"[\w/]+\.py", name)}
    names = {name for name in quoted if re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)*", name)} - files
    assert {"src/paznja/corpus/formats.py", "src/paznja/config/sections.py"} <= files
    assert {"READERS", "ledger.note", "Settings.tokenizer"} <= names
    assert {file for file in files if not any(path.as_posix().endswith(f"/{file}") for path in code)} == set()
    assert {name for name in names if name.rpartition(".")[2] not in words} == set()


@pytest.mark.slow
def test_python_page_runs(tmp_path: Path, some_stories: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Books").mkdir()
    for story in some_stories:
        shutil.copy(story, tmp_path / "Books")
    monkeypatch.chdir(tmp_path)
    for variable in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    namespace: dict[str, object] = {}
    for block in FENCED.finditer(page):
        exec(compile(block[3], f"docs/python.md: {block[3][:40]!r}", "exec"), namespace)
    assert (tmp_path / "runs" / "most" / "model.safetensors").is_file()


def quoted_commands(text: str) -> Iterator[list[str]]:
    """The arguments of every quoted `paznja` command; those of a bare name between backticks are only that name."""
    for block in FENCED.finditer(text):
        if block[2] != "text":
            yield from _in_code(block[3].splitlines(), bare=False)
    prose = FENCED.sub("", text)
    yield from _in_code([line for line in prose.splitlines() if line.startswith(("    ", "\t"))], bare=False)
    yield from _in_code([span[2].replace("\n", " ") for span in SPAN.finditer(prose)], bare=True)


def _in_code(lines: list[str], *, bare: bool) -> Iterator[list[str]]:
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).split("\n"):
        if not re.search(r"(^|[\s/])paznja(\s|$)", line):
            continue
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for words in _one_by_one(lexer):
            while words and VARIABLE.fullmatch(words[0]):
                words = words[1:]
            if words and PROGRAM.fullmatch(words[0]):
                arguments = ["train" if word == "COMMAND" else word for word in words[1:]]
                # A command's bare name in running text names the command.
                yield [*arguments, "--help"] if bare and len(arguments) == 1 and not arguments[0].startswith("-") else arguments


def _one_by_one(words: Iterator[str]) -> Iterator[list[str]]:
    """The commands of a line that a shell would run one after the other, without what they are redirected to."""
    command: list[str] = []
    redirected = False
    for word in words:
        if set(word) <= set("|&;()"):
            yield command
            command = []
        elif set(word) <= set("<>"):
            redirected = True
        elif redirected:
            redirected = False
        else:
            command.append(word)
    yield command


def parse(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let click parse the arguments as the program would, and run nothing."""

    def instead(**options: object) -> None:
        if isinstance(name := options.get("preset"), str):
            preset(name)

    with monkeypatch.context() as patch:
        for command in every_command(commands):
            patch.setattr(command, "callback", instead)
        try:
            commands.main(arguments, prog_name="paznja", standalone_mode=False)
        except click.UsageError as error:
            raise ValueError(error.format_message()) from None


def every_command(group: click.Group) -> Iterator[click.Command]:
    """The commands in it, and in the groups in it."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from every_command(command)
        else:
            yield command


def links(text: str) -> list[str]:
    """Where the page's relative links lead; text in code is not a link."""
    prose = SPAN.sub("", FENCED.sub("", text))
    found = [next(group for group in link.groups() if group) for link in LINK.finditer(prose)]
    return [link for link in found if not re.match(r"[a-z][a-z+.-]*:|//", link, re.IGNORECASE)]


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether there is such a file, and in it the heading, if one is named."""
    place, _, anchor = unquote(link).partition("#")
    target = page.parent / place if place else page
    if not target.exists() or not anchor or target.suffix != ".md":
        return target.exists()
    return anchor in {slug(heading[1]) for heading in HEADING.finditer(FENCED.sub("", target.read_text(encoding="utf-8")))}


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
