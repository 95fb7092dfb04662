"""Serbian's two scripts."""

import pytest

from paznja.corpus.scripts.script import cyrillic_share, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Ово је мост, rekao je.", "cyrillic"),
        ("Ovo je most, рекао је.", "latin"),
        ("Αυτή είναι μια γέφυρα, most", "other"),
        ("12. 3. 1852 — ???", "other"),
        ("", "other"),
    ],
)
def test_the_script_is_the_one_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


def test_the_script_of_a_long_text_is_found_from_a_part_of_it_that_is_spread_over_the_whole() -> None:
    assert script_of("abc " * 300_000 + "мост " * 400_000) == "cyrillic"


@pytest.mark.parametrize(("text", "share"), [("мост most", 0.5), ("мост, река 12 most", 2 / 3), ("γέφυρα", 0.0), ("", 0.0), ("мост", 1.0)])
def test_the_share_of_cyrillic_is_of_the_letters_of_both_scripts(text: str, share: float) -> None:
    assert cyrillic_share(text) == pytest.approx(share)
