"""What is known about a setting beside its docstring: its bounds, its choices, its help. It is written where the field is.

The checks, the options of the command line and what may be picked automatically follow from it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from paznja.errors import WrongUse

T = TypeVar("T")

_OPEN = ("auto", 0)
"""Values that ask for nothing where something may be picked."""


@dataclass(frozen=True)
class Setting:
    """A setting: the field of a section and what is known about it."""

    name: str
    kind: Any
    """The type of its values."""
    default: Any
    least: float | None
    """The smallest value that makes sense."""
    above: float | None
    """A value that is already too small, though everything larger makes sense."""
    most: float | None
    """The largest value that makes sense."""
    choices: tuple[str, ...]
    """All values that there are; empty if they cannot be listed."""
    picked: bool
    """Whether it is picked automatically if nobody asks for a value."""
    help: str
    """What the command line says about it; empty if it can be given from Python alone."""
    option: str
    """How it is spelled on the command line; empty if it has no option."""
    default_in_words: str | None
    """The default as the help shows it; None if the value says it, empty if it differs too much to be shown."""

    def check(self, value: Any) -> None:
        """Raise WrongUse if this value, or one of its items, makes no sense."""
        called = self.option or self.name
        for item in value if isinstance(value, tuple) else (value,):
            if self.choices and item not in self.choices:
                raise WrongUse(f"There is no {self.name} {item!r}; there are {', '.join(map(repr, self.choices))}.")
            if isinstance(item, float) and not math.isfinite(item):
                raise WrongUse(f"{called} must be a finite number, and {item:g} is not.")
            if self.least is not None and item < self.least:
                raise WrongUse(f"{called} must be {_number(self.least)} or more, and {_number(item)} is not.")
            if self.above is not None and item <= self.above:
                raise WrongUse(f"{called} must be above {_number(self.above)}, and {_number(item)} is not.")
            if self.most is not None and item > self.most:
                raise WrongUse(f"{called} must be at most {_number(self.most)}, and {_number(item)} is not.")

    def asks(self, value: Any) -> bool:
        """Whether a person who gives this value asks for it: an empty list asks for nothing, nor do "auto" and 0 where one is picked."""
        return value != () and not (self.picked and value in _OPEN)


def setting(
    default: T,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
    picked: bool = False,
    help: str = "",
    option: str = "",
    default_in_words: str | None = None,
) -> T:
    """A field that people may set; `Setting` says what the arguments mean.

    With a help it has an option, of the same name unless one is given.
    """
    known = {
        "least": least,
        "above": above,
        "most": most,
        "choices": choices,
        "picked": picked,
        "help": help,
        "option": option,
        "default_in_words": default_in_words,
    }
    return dataclasses.field(default=default, metadata=known)


@functools.cache
def settings_of(section: type) -> tuple[Setting, ...]:
    """The settings in a section, in its order. A field without `setting` is none: nobody but the program changes it."""
    kinds = typing.get_type_hints(section)
    return tuple(_setting_of(field, kinds[field.name]) for field in dataclasses.fields(section) if field.metadata)


def _setting_of(field: dataclasses.Field[Any], kind: Any) -> Setting:
    known = dict(field.metadata)
    if known["help"] and not known["option"]:
        known["option"] = f"--{field.name.replace('_', '-')}"
    return Setting(field.name, kind, field.default, **known)


def of_kind(value: Any, kind: Any) -> Any:
    """The value as a field of this type holds it, a list as a tuple and a whole number as a fraction; TypeError if it is something else."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else of_kind(value, inner[0])
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(of_kind(item, inner[0]) for item in typing.cast("list[Any]", value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is tuple or not isinstance(value, origin or kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError
    return value


def plain(value: Any) -> Any:
    """The value as TOML holds it: tuples as lists, and no fields that are None. The way back from `of_kind`."""
    if isinstance(value, dict):
        fields = typing.cast("dict[str, Any]", value)
        return {name: plain(inner) for name, inner in fields.items() if inner is not None}
    return [plain(item) for item in typing.cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
