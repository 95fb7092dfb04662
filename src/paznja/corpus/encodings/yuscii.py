"""YUSCII: Serbian in seven bits, as on teleprinters and early computers, distinguished from ASCII by whether it reads as Serbian.

Sources: JUS I.B1.002 (Latin; ISO-IR 141) and JUS I.B1.003 (Cyrillic; ISO-IR 146). Letters take the places of ASCII's
`@ [ \\ ] ^` and `` ` { | } ~``. In the Cyrillic version every Latin letter is also a Cyrillic one; q, w and x are љ, њ and џ.
"""

import math
import re
from itertools import product

_SIGNS = "@[\\]^`{|}~"
_LATIN = str.maketrans(_SIGNS, "ŽŠĐĆČžšđćč")
_CYRILLIC_SMALL = str.maketrans("abcdefghijklmnopqrstuvwxyz`{|}~", "абцдефгхијклмнопљрстувњџѕзжшђћч")
_CYRILLIC = str.maketrans(
    "abcdefghijklmnopqrstuvwxyz`{|}~ABCDEFGHIJKLMNOPQRSTUVWXYZ@[\\]^",
    "абцдефгхијклмнопљрстувњџѕзжшђћчАБЦДЕФГХИЈКЛМНОПЉРСТУВЊЏЅЗЖШЂЋЧ",
)
_LOWERED_SIGNS = str.maketrans("@[\\]^", "`{|}~")
_DIGRAPHS = (("lj", "q"), ("nj", "w"), ("d`", "x"))

_LETTERS = " абвгдђежзијклљмнњопрстћуфхцчџш"
_PAIRS = (
    "zb9aa8jhea888dg97d87b69e9ifgcnc3rf9d9fnebka99f98dad9a9gileedlbf6zmmjx6xk3ez9elfn5z6qxz8zusztva4zzpeq5xt5fhddxbp4x8inyazyfjuf"
    "74uizaqbzoaxz6hjcf4z7oxz8xzxrtx63fbezz6tm7engkd8f6r8fxz9xtsuzrd4vsvvv2vv7vvvvvqv7vvovv6vvsvvv2odbb8frfdmgaaea9fedba9bmmggcob"
    "c5diobi3xx4cuodh8dgxfxux9xxuxmx73a999z9vx7huaob6u9scvtzaxxvtxv3piaechqgat8a9g89gbgc99dtmbadpa75ifmfz2pi8qciphdo8hnegv7ttjiro"
    "84yczzz9zx9szbihch3z8hei7zwljuid4kmnjz5ut3uhzzmet5myijz8lxmqpra4mxxdx4xx6xcxxxaqdxxcqx4xxkpxp45irynz6vo6gjdexdi6jckkq8lzjjql"
    "74rrlcj5qm5wdptvyz6loefs8srfhkrc5xussx2xx5xixxoxx9xxexx7xxjmxu3pa798etddl8bae89hpb98belkhhcnbe5zzzyz8zz8jibfygp3y4ehl8wpjkvf"
    "94ecfeg5df6jcehgbi6frcdk7phdene96v7ywz5zy9f98qabsb9bt5u8smkqzz84zazqz6zz4jcfjkci5g7izz9yporzr66ykyyy3yy4tfyygbjctykyy6yysyyy"
    "2nbca9epbbpbachbbifaba9axnffboa85rrrrr6rr4ol9rolr7r5edrarrrnrr26s8xxxdxxausclfbq6xau9j7xuxsxx74udxqx5xx4kerxjdlbu8xrx7xutxxx"
    "c6tgzzz4zz4i9hpi8m9unwjz7zzmzzzg46pmpp5pp2ppmppppapppppappmppp67ujszz4zz7l9bcicdefsz4dbxxkgzz"
)
"""How rarely the second letter follows the first in Serbian, in half bits (-2 log2 p, in base 36): rows are first letters, columns are
second letters, both in the order of `_LETTERS`, where the space is the edge of a word. Counted in 46 novels of the test shelf."""
_COST = {first + second: int(bits, 36) / 2 for (first, second), bits in zip(product(_LETTERS, repeat=2), _PAIRS, strict=True)}
_IMPOSSIBLE = 18.0

_WORD = re.compile(r"[A-Za-z@\[\\\]^`{|}~]+")
_ONE_CASE = re.compile(r"[a-z`{|}~]+|[A-Z@\[\\\]^][a-z`{|}~]*|[A-Z@\[\\\]^]+")
_SAMPLE = 20_000
_FEWEST_LETTERS, _FEWEST_SIGNS = 40, 3
_LEAST_SHARE, _LARGEST_SHARE = 0.015, 0.13  # signs as a share of the letters; in novels it is 4 to 6 %
_MOST_MISFITS = 0.04
_WORST_WORDS, _WORST_TEXT = 5.0, 4.9  # bits a letter; in novels it is 3.9 to 4.3


def from_yuscii(text: str) -> str | None:
    """The text with its letters restored if it is YUSCII, Latin or Cyrillic; None if it is ASCII.

    It is YUSCII if the ten signs are as frequent as their letters are in Serbian, are inside words, have the case of the letters around
    them, and make Serbian words. Code, Markdown and other languages do not pass.
    """
    signs = sum(text.count(sign) for sign in _SIGNS)
    if signs < _FEWEST_SIGNS or signs < _LEAST_SHARE / 2 * len(text):
        return None
    words: list[str] = _WORD.findall(_sample(text))
    letters = "".join(words)
    signs = sum(letters.count(sign) for sign in _SIGNS)
    if len(letters) < _FEWEST_LETTERS or signs < _FEWEST_SIGNS or not _LEAST_SHARE <= signs / len(letters) <= _LARGEST_SHARE:
        return None
    telling = [word for word in words if not word.isalpha()]
    misfits = sum(_ONE_CASE.fullmatch(word) is None or len(word) == 1 for word in telling)
    if misfits > _MOST_MISFITS * len(telling):
        return None
    cyrillic = _cost(words, _CYRILLIC_SMALL) < _cost(words, None)
    table = _CYRILLIC_SMALL if cyrillic else None
    if _cost(telling, table) > _WORST_WORDS * len("".join(telling)) or _cost(words, table) > _WORST_TEXT * len(letters):
        return None
    return text.translate(_CYRILLIC if cyrillic else _LATIN)


def _sample(text: str) -> str:
    if len(text) <= _SAMPLE:
        return text
    part = _SAMPLE // 10
    step = (len(text) - part) // 9
    return " ".join(text[start : start + part] for start in range(0, 10 * step, step))


def _cost(words: list[str], table: dict[int, int] | None) -> float:
    """How many bits the words cost as Serbian; Cyrillic YUSCII is read with its table, Latin YUSCII with None."""
    line = f" {' '.join(words)} ".translate(_LOWERED_SIGNS).lower()
    if table is None:
        for digraph, sign in _DIGRAPHS:
            line = line.replace(sign, "?").replace(digraph, sign)
    line = line.translate(_CYRILLIC_SMALL)
    return math.fsum(_COST.get(line[i : i + 2], _IMPOSSIBLE) for i in range(len(line) - 1))
