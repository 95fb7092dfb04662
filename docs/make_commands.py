"""Writes docs/commands.md, the manual of the command line, from the commands' own help: python docs/make_commands.py

`tests/test_docs.py` fails while the file is out of date.
"""

from __future__ import annotations

from pathlib import Path

import click

from paznja.cli.group import WELCOME, commands
from paznja.config import PRESETS, Settings
from paznja.training.dial import SHAPES

FILE = Path(__file__).with_name("commands.md")
WIDTH = 96
"""Of the help, in characters, however wide the terminal is that this script runs in."""

ORDER = ("demo", "books", "train", "resume", "generate", "next", "evaluate", "curve", "runs", "cache", "completion")
"""The commands as somebody new meets them; one that is missing here comes last."""

OPENING = """\
# The commands

This page is made from the program's own help by `docs/make_commands.py`; change the help, not the page.
The same text appears in a terminal with `--help` after any command, for example `paznja train --help`.

A command is typed in a terminal and ended with Enter. What stands in capitals is yours to fill in: NAME is the name of a run,
BOOKS are files or folders. A text with spaces goes between quotation marks: `paznja generate NAME "Ово је мост "`.
"""

EXIT_CODES = """\
## Exit codes

What a command leaves behind for a script; in a Unix shell `echo $?` shows it.

| Code | Meaning |
|---:|---|
| 0 | done |
| 1 | failed; a sentence says why |
| 2 | wrong use: an option that does not exist, a value that cannot be |
| 3 | done, but some of the files could not be read; each is named with the reason |
| 130 | interrupted; a training that had begun has saved first, unless it was interrupted a second time |
"""

COMPLETION = """\
## Completion

After this, the Tab key completes commands, options, their values and the names of runs. For bash:

```sh
echo 'eval "$(paznja completion bash)"' >> ~/.bashrc
```

The same line with `paznja completion zsh` goes into `~/.zshrc`, after `compinit`; for fish, what `paznja completion fish` prints goes into
the file `~/.config/fish/completions/paznja.fish`. It begins to work in the next terminal.
"""

ENVIRONMENT = """\
## Environment variables

| Variable | Meaning |
|---|---|
| `PAZNJA_CACHE` | the folder for prepared books, as `--cache`; the option wins |
| `PYTHONUTF8=1` | read and write UTF-8 whatever the terminal says; Python's own variable |
"""


def manual() -> str:
    """The whole page."""
    group = click.Context(commands, info_name="paznja", terminal_width=WIDTH, **commands.context_settings)
    names = sorted(commands.commands, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    parts = [OPENING, "## paznja\n", _block(WELCOME), _block(commands.get_help(group))]
    for name in names:
        parts += _sections(commands.commands[name], name, group)
    return "\n".join([*parts, _presets(), COMPLETION, EXIT_CODES, ENVIRONMENT])


def _sections(command: click.Command, name: str, parent: click.Context) -> list[str]:
    """Of a command; of a group, its nameless command's and then its others'."""
    context = click.Context(command, info_name=name, parent=parent)
    if isinstance(command, click.Group):
        return [part for inner in sorted(command.commands) for part in _sections(command.commands[inner], inner, context)]
    return [f"## {context.command_path.strip()}\n", _block(command.get_help(context))]


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


def _presets() -> str:
    rows = [
        "## Presets\n",
        "What `--preset` chooses. A single number is changed with the option of its name. `auto` takes one of these shapes for a "
        "budget of minutes on a CPU, by rules fitted to measurements (`training/dial.py`), and says which and why: "
        f"{', '.join(f'{layers} x {width}' for layers, width in SHAPES)}; for a budget of iterations, the shape of `pocket`.\n",
        "| Preset | layers | width | heads | context | batch | optimizer | parameters, the alphabet's not counted |",
        "|---|---:|---:|---:|---:|---:|---|---:|",
    ]
    for name, settings in PRESETS.items():
        if name == "auto":
            continue
        rows.append(f"| `{name}` | {' | '.join(_numbers(settings))} |")
    return "\n".join(rows) + "\n"


def _numbers(settings: Settings) -> list[str]:
    model, training = settings.model, settings.training
    numbers = [model.layers, model.width, model.heads, model.context, training.batch]
    return [*map(str, numbers), training.optimizer, f"{model.num_parameters():,}"]


if __name__ == "__main__":
    FILE.write_text(manual(), encoding="utf-8", newline="\n")
    print(f"{FILE} is written.")
