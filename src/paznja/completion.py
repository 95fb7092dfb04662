"""What the Tab key offers in a shell: the values of options and the names of runs. Click writes the script for the shell.

This runs each time somebody presses Tab, so it loads little and reports no errors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

SHELLS = ("bash", "zsh", "fish")

VARIABLE = "_PAZNJA_COMPLETE"
"""The environment variable through which a shell asks; click expects this name."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Click's completion, made to work for names with spaces, and for values after "=", which bash treats as a word of its own."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        words, incomplete = super().get_completion_args()
        return [word for word in words if word != "="], incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        word = os.environ["COMP_WORDS"].split("\n")[int(os.environ["COMP_CWORD"])]
        return super().format_completion(item if word.startswith(('"', "'")) else CompletionItem(_escaped(item.value), item.type))


add_completion_class(Bash)


def script(shell: str, command: click.Command) -> str:
    """The script that a shell has to run so that Tab completes `command`, whose name is paznja."""
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    return shell_class(command, {}, "paznja", VARIABLE).source()


def one_of(values: Iterable[str] | Mapping[str, str]) -> Complete:
    """Offers these values, with the help that a mapping has for each."""
    helps = values if isinstance(values, Mapping) else dict.fromkeys(values)

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return [CompletionItem(value, help=text) for value, text in helps.items() if value.startswith(incomplete)]

    return complete


def run_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offers the runs in --out, newest first, or folders if no run begins like this."""
    from paznja.run import all_runs

    try:
        names = [run.name for run in reversed(all_runs(Path(context.params.get("out") or "runs").expanduser()))]
    except OSError:
        names = []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)] or [CompletionItem(incomplete, type="dir")]


def rule_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offers the cleaning rules."""
    from paznja.corpus.ledger import RULES

    return one_of(RULES)(context, parameter, incomplete)


def shelf_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offers the shelves that can be fetched."""
    from paznja.corpus.fetching import known_shelves

    return one_of(known_shelves())(context, parameter, incomplete)


def command_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offers the program's commands."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    return one_of({name: command.get_short_help_str() for name, command in sorted(root.command.commands.items())})(
        context, parameter, incomplete
    )


def files_or_fetch(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offers the word `fetch` if its beginning was typed and no file begins like this, and files otherwise."""
    first = not context.params.get("books")
    if first and incomplete and "fetch".startswith(incomplete) and not any(Path().glob(f"{incomplete}*")):
        return [CompletionItem("fetch", help="Download free books.")]
    return [CompletionItem(incomplete, type="file")]


def _escaped(value: str) -> str:
    """The value as one would type it in bash."""
    # Not `shlex.quote`: bash completes as far as the names agree, and "most" and "'most 2'" do not even begin alike.
    return "".join(letter if letter.isalnum() or letter in "-_./+,@%" else f"\\{letter}" for letter in value)
