"""Options made from the settings: type, help, choices for the Tab key and the default are those of the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from paznja.cli.options import DECIMAL
from paznja.completion import one_of, rule_names
from paznja.config.sections import SETTINGS
from paznja.errors import WrongUse


class Iterations(click.ParamType):
    """Whole numbers with commas between them."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            return tuple(sorted({int(part.replace("_", "")) for part in value.split(",")}))
        except ValueError:
            raise WrongUse(
                f"--sample-at takes iterations with commas between them, like 10,100,1000, and {value!r} is something else."
            ) from None


_TYPES: dict[Any, dict[str, Any]] = {
    int: {"type": int},
    float: {"type": DECIMAL},
    str: {"type": str},
    bool: {"is_flag": True, "default": None},
    tuple[str, ...]: {"multiple": True},
    tuple[int, ...]: {"type": Iterations()},
}

_MORE: dict[str, dict[str, Any]] = {"without": {"metavar": "RULE", "shell_complete": rule_names}}
"""What a field cannot say, because only the command line knows it."""


def option_of(name: str) -> Callable[..., Any]:
    """The option of the setting with this name. A setting whose option is left out is None, or an empty tuple."""
    known = SETTINGS[name]
    shown = known.default_in_words
    if shown is None:
        shown = "" if isinstance(known.default, bool | tuple) else f"{known.default:g}" if known.kind is float else str(known.default)
    help = f"{known.help}  [default: {shown}]" if shown else known.help
    extra = {"shell_complete": one_of(known.choices)} if known.choices else {}
    return click.option(known.option, name, help=help, **_TYPES[known.kind], **extra, **_MORE.get(name, {}))


def setting_options() -> list[Callable[..., Any]]:
    """The options of all settings that have one."""
    return [option_of(name) for name, known in SETTINGS.items() if known.help]
