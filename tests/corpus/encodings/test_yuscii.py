"""YUSCII: ten signs of ASCII that are letters in some old Serbian texts, and signs everywhere else."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paznja.corpus.encodings.encoding import decode
from paznja.corpus.encodings.yuscii import from_yuscii
from paznja.corpus.ledger import Ledger

LATIN = (
    "Star~eva ku}a stajala je na kraju sela. U woj niko nije `iveo, jer su ljudi odavno oti{li. \\aci su se igrali u dvori{tu, "
    "a wihovi o~evi pili su u kafani. ^eda je rekao da }e jednog dana sve to kupiti. [ta }e{, svako o ne~emu sanja."
).replace("w", "nj")
CYRILLIC = (
    "Star~eva ku}a stajala je na kraju sela. U woj niko nije `iveo, jer su qudi odavno oti{li. \\aci su se igrali u dvori{tu, "
    "a wihovi o~evi pili su u kafani. ^eda je rekao da }e jednog dana sve to kupiti. [ta }e{, svako o ne~emu sawa."
)


def test_the_latin_code_is_read_as_latin_letters() -> None:
    text = from_yuscii(LATIN)
    assert text is not None
    assert text.startswith("Starčeva kuća stajala je na kraju sela. U njoj niko nije živeo, jer su ljudi odavno otišli. Đaci su se igrali")
    assert text.endswith("Čeda je rekao da će jednog dana sve to kupiti. Šta ćeš, svako o nečemu sanja.")


def test_the_cyrillic_code_is_read_as_cyrillic_letters() -> None:
    text = from_yuscii(CYRILLIC)
    assert text is not None
    assert text.startswith("Старчева кућа стајала је на крају села. У њој нико није живео, јер су људи одавно отишли. Ђаци су се играли")
    assert text.endswith("Чеда је рекао да ће једног дана све то купити. Шта ћеш, свако о нечему сања.")


def test_every_capital_of_the_cyrillic_code_has_its_place() -> None:
    capitals = from_yuscii(CYRILLIC * 5 + " ABCDEFGHIJKLMNOPQRSTUVWXYZ @[\\]^")
    assert capitals is not None
    assert capitals.endswith("АБЦДЕФГХИЈКЛМНОПЉРСТУВЊЏЅЗ ЖШЂЋЧ")


def test_text_in_capitals_is_read_too() -> None:
    capitals = LATIN.upper().translate(str.maketrans("`{|}~", "@[\\]^"))
    read = from_yuscii(capitals)
    assert read is not None
    assert "NIKO NIJE ŽIVEO, JER SU LJUDI ODAVNO OTIŠLI. ĐACI" in read


def test_it_is_said_and_noted_and_can_be_switched_off() -> None:
    ledger = Ledger()
    assert decode(LATIN.encode("ascii"), ledger).startswith("Starčeva kuća")
    assert "YUSCII" in ledger.notices[0]
    assert ledger.changes["yuscii"].count == sum(LATIN.count(sign) for sign in "@[\\]^`{|}~")
    assert decode(LATIN.encode("ascii"), Ledger(off=["yuscii"])) == LATIN


PLAIN = LATIN.translate(str.maketrans("`{|}~@[\\]^", "zsdccZSDCC"))  # as people write without the letters


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "The old man sat by the window, and watched the children play in the yard until it was dark and cold. " * 5,
        PLAIN.replace(" je ", " [je](je.html) "),
        PLAIN.replace(" je ", " `je` ").replace(" su ", " `su` "),
        PLAIN.replace(" je ", " ~~je~~ ").replace(" su ", " ~su~ "),
        PLAIN.replace(" je ", " {je} ").replace(" su ", " {su} "),
        PLAIN.replace(" je ", " | je | ").replace(" su ", "|su|"),
        PLAIN.replace(" je ", " \\emph{je} ").replace(" su ", " \\textbf{su} "),
        PLAIN.replace("c", "\\v{c}").replace("s", "\\v{s}"),
        PLAIN.replace(" je ", " [1] je [2] "),
        "int main(int argc, char **argv) { for (int i = 0; i < argc; ++i) { s[i] |= ~t[i] ^ u[i]; } return s[0]; }\n" * 5,
        'def words(text):\n    return {word: text[i:] for i, word in enumerate(re.findall(r"[a-z]+|\\d{2}", text))}\n' * 5,
        '{"ime": ["Ana", "Marko"], "grad": {"naziv": "Nis", "ulica": ["Duga", "Kratka"]}}\n' * 5,
        "ana@example.org; marko@example.org; jovan@example.org; milica@example.org; petar@example.org\n" * 5,
        "  /\\_/\\  \n ( o.o ) \n  > ^ <  \n" * 10,
        "{ta", "`ena", "ku}a", "[", "", "@iv je!",
    ],
)  # fmt: skip
def test_signs_that_mean_themselves_stay(text: str) -> None:
    assert from_yuscii(text) is None
    assert decode(text.encode("ascii"), Ledger()) == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=400))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_ascii_that_does_not_read_as_serbian_stays(text: str) -> None:
    assert from_yuscii(text) is None
