"""What was left out of a book or repaired in it: every rule has a name, can be switched off, counts what it did and shows examples.

A `Ledger` is made for each book and handed to its reader and to the cleaning. A rule that is about to change something asks
`applies` first, and calls `note` for each change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from paznja.errors import WrongUse

RULES: Mapping[str, str] = {
    "broken-bytes": "repairs or leaves out the few wrong bytes in a file that is otherwise UTF-8",
    "mojibake": "restores letters that became unreadable when a file was read in the wrong encoding and saved again",
    "yuscii": "reads { | } ~ [ ] @ \\ ` ^ as letters in a file that uses the old seven-bit code",
    "notes": "leaves out footnotes, endnotes and the marks that point to them",
    "captions": "leaves out captions and descriptions of pictures and tables",
    "contents-pages": "leaves out tables of contents, lists of pictures and indexes",
    "title-pages": "leaves out covers and title pages",
    "copyright-pages": "leaves out the publisher's page (copyright, ISBN, printer)",
    "advertisements": "leaves out lists of the publisher's other books and invitations to buy",
    "library-notices": "leaves out licences and notices of digital libraries at the beginning and the end",
    "page-numbers": "leaves out page numbers",
    "running-heads": "leaves out lines that are repeated at the top or the bottom of many pages",
    "page-frames": "leaves out menus, headers and footers of web pages and documents",
    "apparatus": "leaves out comments, deleted and hidden text, and what editors wrote beside the text",
    "markdown-marks": "removes Markdown's marks (#, *, links, tables) and keeps the words",
    "divided-words": "joins words divided at the end of a line; hyphens that the book writes elsewhere stay",
    "broken-words": "joins words broken by a hyphen and a space within a line, if the whole word occurs in the book",
    "soft-hyphens": "removes invisible hyphens, which mark where a word may be divided",
    "ligatures": "splits joined letters that are one sign (fi, fl, ff, st)",
    "odd-spaces": "turns no-break, thin and other unusual spaces into plain ones",
    "invisible-characters": "removes control characters, zero-width marks and byte order marks",
    "misread-digits": "corrects digits that text recognition put in place of letters (3 in 3ато), if the word occurs in the book",
    "comma-quotes": "turns quotation marks made of two commas or apostrophes into real ones",
    "scan-noise": "removes runs of signs that no book prints (|¦^ ~_), and lines made of them",
    "homoglyphs": "corrects letters of the other script that look the same",
    "accents": "removes accent marks from letters",
    "archaic": "writes ѣ, ъ and ь as today's spelling does",
}
"""What each rule does, in half a sentence, by the rule's name."""

_EXAMPLES = 5
_LONGEST_EXAMPLE = 120


def check_rules(names: Iterable[str]) -> None:
    """Raise WrongUse, with a message that lists the rules, if a name is not that of a rule."""
    for name in names:
        if name not in RULES:
            raise WrongUse(f"There is no rule {name!r}; the rules are: {', '.join(sorted(RULES))}.")


@dataclass(frozen=True)
class Example:
    """One change, with a little of the text around it."""

    before: str
    after: str
    left: str = ""
    right: str = ""


@dataclass
class Change:
    """What one rule did to one book."""

    count: int = 0
    characters: int = 0
    """How many characters were left out, added or replaced."""
    examples: list[Example] = field(default_factory=list)
    """The first few changes, each different."""


class Ledger:
    """The changes that were made to one book."""

    def __init__(self, off: Iterable[str] = ()) -> None:
        """`off`: the names of the rules that are switched off."""
        self.off = frozenset(off)
        self.changes: dict[str, Change] = {}
        """What each rule did, by its name, in the order in which the rules first did something."""
        self.notices: list[str] = []
        """What the user should know about this book, in whole sentences, such as its encoding if it is not UTF-8."""

    def applies(self, rule: str) -> bool:
        """Whether the rule is switched on."""
        if rule not in RULES:
            raise KeyError(rule)
        return rule not in self.off

    def note(self, rule: str, before: str, after: str = "", *, left: str = "", right: str = "", count: int = 1) -> None:
        """Record that the rule put `after` in the place of `before`, `count` times; `left` and `right` are a little of the text around."""
        change = self.changes.setdefault(rule, Change())
        change.count += count
        change.characters += count * max(len(before), len(after))
        if len(change.examples) < _EXAMPLES:
            example = Example(before[:_LONGEST_EXAMPLE], after[:_LONGEST_EXAMPLE], left[-_LONGEST_EXAMPLE:], right[:_LONGEST_EXAMPLE])
            if example not in change.examples:
                change.examples.append(example)

    def note_in(
        self, rule: str, text: str, span: tuple[int, int], after: str = "", *, before: str | None = None, around: int = 30, count: int = 1
    ) -> None:
        """`note` for what is at `span` in the text, with `around` characters on either side; `before` replaces the text in the span."""
        start, end = span
        left, right = text[max(start - around, 0) : start], text[end : end + around]
        self.note(rule, text[start:end] if before is None else before, after, left=left, right=right, count=count)

    def say(self, notice: str) -> None:
        """Tell the user a sentence about this book."""
        if notice not in self.notices:
            self.notices.append(notice)
