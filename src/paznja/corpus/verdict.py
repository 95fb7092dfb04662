"""Is it enough? What to expect of this much text, in a sentence or two."""

from paznja.corpus.corpus import MINIMUM_CHARACTERS

WORDS, PHRASES, SENTENCES, BLOG = 20_000, 300_000, 1_000_000, 16_000_000
"""How many characters a run needs to show words, pieces of sentences, and sentences; and how many the run of 2023 had (`blog`)."""


def verdict(characters: int) -> str:
    """What this many characters are enough for, and which preset and how many minutes to begin with."""
    if characters < MINIMUM_CHARACTERS:
        return f"Too little to learn from: at least {MINIMUM_CHARACTERS:,} characters are needed, and about {WORDS:,} show words."
    if characters < WORDS:
        return "Very little: enough to see word shapes. Begin with paznja train --minutes 1; more books would help most."
    if characters < PHRASES:
        return (
            "Little: enough to see words. The default preset, auto, ends its run before the model knows the books by heart; "
            "more books would help more than more minutes."
        )
    if characters < SENTENCES:
        return "Enough for words and pieces of sentences, with the default preset, auto, in ten minutes; more books would still help."
    if characters < BLOG:
        return (
            "Enough for sentences, with the default preset, auto, from ten minutes to an hour; blog, for days or a GPU, needs more books."
        )
    return (
        "Plenty: the default preset, auto, learns from it for as many minutes as you give it, and blog, for days or a GPU, has enough too."
    )
