"""PDFs as printers and programs make them: the text that went in comes out, without what the printer added."""

import contextlib
import difflib
import io
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from tests.corpus.readers.pdf_maker import Layout, make_pdf

from paznja.corpus.cleaning.cleaning import clean_book
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers import pdf
from paznja.corpus.readers.pdf import read_pdf
from paznja.errors import UnreadableBook

NOTES = {
    "1": "Овде је реч о старој скели, која је пропала пре рата.",
    "2": "Народна песма, записана у Мачви.",
    "*": "Турска мера за дужину, око седамдесет сантиметара; мерила се на два начина, па се и рачуни разликују.",
}


@pytest.fixture(scope="module")
def book(stories_folder: Path) -> list[str]:
    """Six stories as a printer gets them: titles marked with "# "."""
    paragraphs: list[str] = []
    for path in sorted(stories_folder.glob("*.txt"))[:6]:
        title, *others = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        paragraphs += ["# " + title, *others]
    return paragraphs


def read(data: bytes) -> tuple[list[str], Ledger]:
    ledger = Ledger()
    return clean_book(read_pdf(data, ledger).text, ledger).rstrip("\n").split("\n"), ledger


def plain(book: list[str]) -> list[str]:
    return [re.sub(r"\{.*?\}", "", paragraph.removeprefix("# ")) for paragraph in book]


def letters_alike(expected: list[str], got: list[str]) -> float:
    """The share of characters that came out unchanged, not counting white space."""
    first, second = (re.sub(r"\s", "", "".join(paragraphs)) for paragraphs in (expected, got))
    if first == second:
        return 1.0
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / max(len(first), len(second))


def paragraphs_alike(expected: list[str], got: list[str]) -> float:
    same = difflib.SequenceMatcher(None, expected, got, autojunk=False).get_matching_blocks()
    return sum(block.size for block in same) / max(len(expected), len(got))


def reason(data: bytes) -> str:
    with pytest.raises(UnreadableBook) as caught:
        read_pdf(data, Ledger())
    return str(caught.value)


@pytest.mark.parametrize(
    "layout",
    [
        Layout(head="ПРИЧЕ С РЕКЕ — {n}", odd_head="{n}   ШЕСТ ПРИЧА"),
        Layout(head="Приче с реке", foot="– {n} –", first_number=117),
        Layout(columns=2, size=8, leading=10, foot="{n}"),
        Layout(columns=2, size=8, leading=10, head="Приче с реке", by_rows=True),
        Layout(columns=3, size=6, leading=8, margin=30, gutter=14, foot="{n}"),
        Layout(indent=0, gap=8, justified=False, hyphenated=False, foot="Страна {n}."),
        Layout(indent=0, foot="{n}"),
        Layout(turned=True, foot="{n}"),
        Layout(font="DejaVuSans", size=12, leading=14),
    ],
    ids=["heads-with-numbers", "head-and-foot", "columns", "columns-by-rows", "three-columns", "ragged", "flush", "turned", "bare"],
)
def test_what_was_printed_comes_out_as_it_went_in(book: list[str], layout: Layout) -> None:
    got, ledger = read(make_pdf(book, layout))
    assert letters_alike(plain(book), got) >= 0.9999
    assert paragraphs_alike(plain(book), got) >= (0.95 if layout.indent or layout.gap else 0.9)
    furniture = {"running-heads", "page-numbers"} & set(ledger.changes)
    assert bool(furniture) == bool(layout.head or layout.foot)
    if layout.hyphenated:
        assert ledger.changes["divided-words"].count > 20


def test_footnotes_and_their_marks_are_left_out(book: list[str]) -> None:
    marked = list(book)
    for place, (separator, mark) in {3: (" ", "1"), 20: (".", "2"), 30: (",", "*")}.items():
        before, found, after = marked[place].partition(separator)
        marked[place] = f"{before}{{{mark}}}{found}{after}" if found != "." else f"{before}.{{{mark}}}{after}"
    for layout in (Layout(footnotes=NOTES, foot="{n}"), Layout(footnotes=NOTES, rule=False, head="Приче с реке {n}")):
        got, ledger = read(make_pdf(marked, layout))
        assert letters_alike(plain(marked), got) == 1.0
        noted = [example.before for example in ledger.changes["notes"].examples]
        assert any("старој скели" in note for note in noted)
        assert {"1", "*"} <= set(noted)


def test_a_rule_that_is_off_leaves_what_it_is_about(book: list[str]) -> None:
    data = make_pdf(book[:40], Layout(head="Приче с реке", foot="{n}"))
    ledger = Ledger(off=["page-numbers", "running-heads", "divided-words"])
    text = read_pdf(data, ledger).text
    assert "Приче с реке" in text
    assert re.search(r"(^|\n| )2($|\n| )", text)
    assert not ledger.changes


def test_hyphens_of_the_author_stay_at_the_end_of_a_line() -> None:
    sentence = "Био је то црно-бели филм о Андрић-Станковићу који се даваше по варошима."
    walk = "Ишли смо полако уз реку и гледали како вода носи грање, лишће и понеку даску, па смо ћутали."
    words = walk.split()
    book = [" ".join([*words[: start % 17], sentence, *words[start % 11 :], sentence]) for start in range(40)]
    got, ledger = read(make_pdf(book, Layout(width=260)))
    assert got == book
    assert ledger.changes["divided-words"].count > 10


def test_title_and_author_come_from_the_document_where_they_make_sense(book: list[str]) -> None:
    contents = read_pdf(make_pdf(book[:5], title="На реци", author="Ана Анић"), Ledger())
    assert (contents.title, contents.author) == ("На реци", "Ана Анић")
    for title, author in {"Microsoft Word - kniga.doc": "user", "untitled": "anonymous", "Íà Äðèíè": "Èâî"}.items():
        contents = read_pdf(make_pdf(book[:5], title=title, author=author), Ledger())
        assert (contents.title, contents.author) == ("", "")


def test_a_table_of_contents_is_left_out(book: list[str]) -> None:
    def contents_page(canvas: Canvas, leaders: bool) -> None:
        canvas.setFont("DejaVuSerif", 10)
        canvas.drawString(55, 540, "САДРЖАЈ")
        for number in range(12):
            title = f"Прича {'абвгдђежзијк'[number]}"
            canvas.drawString(55, 500 - 14 * number, title + (" " + "." * 60 if leaders else ""))
            canvas.drawString(350, 500 - 14 * number, str(7 + 9 * number))

    for leaders in (True, False):
        out = io.BytesIO()
        canvas = Canvas(out, pagesize=(420, 595))
        contents_page(canvas, leaders)
        canvas.showPage()
        canvas.setFont("DejaVuSerif", 10)
        canvas.drawString(55, 540, "Једном је дошла вода и однела мост.")
        canvas.save()
        got, ledger = read(out.getvalue())
        assert got[-1] == "Једном је дошла вода и однела мост."
        assert not [line for line in got if "Прича" in line]
        assert ledger.changes["contents-pages"].count >= 12


def test_captions_and_a_large_first_letter_are_understood() -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(420, 595))
    lines = [
        "адисав је дуго гледао у воду, а вода",
        "је гледала у њега, и тако су стајали до мрака",
        "као два стара знанца који се не журе никуд.",
    ]
    canvas.setFont("DejaVuSerif", 34)
    canvas.drawString(55, 500, "Р")
    canvas.setFont("DejaVuSerif", 10)
    for number, line in enumerate(lines):
        canvas.drawString(82 if number < 2 else 55, 514 - 14 * number, line)
    canvas.drawString(69, 470, "А онда је и река отишла.")
    canvas.setFont("DejaVuSerif", 8)
    canvas.drawString(150, 300, "Слика 3. Мост на реци")
    canvas.setFont("DejaVuSerif", 10)
    canvas.drawString(69, 250, "Мост је остао.")
    canvas.save()
    got, ledger = read(out.getvalue())
    assert got == ["Р" + " ".join(lines), "А онда је и река отишла.", "Мост је остао."]
    assert ledger.changes["captions"].examples[0].before == "Слика 3. Мост на реци"


def test_a_heading_on_two_lines_is_one_and_two_headings_are_two() -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(420, 595))
    canvas.setFont("DejaVuSerif", 16)
    for y, line in ((540, "Глава прва"), (520, "О дугом путу у велики град и"), (500, "о повратку")):
        canvas.drawCentredString(210, y, line)
    canvas.setFont("DejaVuSerif", 10)
    for number in range(20):
        canvas.drawString(69 if number % 4 == 0 else 55, 460 - 14 * number, "Пошао је рано ујутру да стигне пре мрака, а стигао је ")
    canvas.save()
    got, _ = read(out.getvalue())
    assert got[:2] == ["Глава прва", "О дугом путу у велики град и о повратку"]
    assert len(got) == 7


def pictures(num_pages: int, text: str = "") -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(420, 595))
    for _ in range(num_pages):
        canvas.drawImage(ImageReader(Image.new("L", (60, 80), 200)), 20, 20, 380, 555)
        canvas.showPage()
    if text:
        canvas.drawString(50, 500, text)
    canvas.save()
    return out.getvalue()


def test_pictures_of_pages_need_text_recognition() -> None:
    message = reason(pictures(3))
    assert "pictures of pages and no text" in message
    assert "ocrmypdf" in message
    ledger = Ledger()
    assert read_pdf(pictures(1, "Most na Drini je stari most. " * 3), ledger).text.startswith("Most na Drini")
    assert ledger.notices == ["1 of its 2 pages are pictures without text; text recognition (OCRmyPDF) would add them."]


def test_a_password_is_asked_for_in_a_sentence(book: list[str]) -> None:
    assert reason(make_pdf(book[:5], password="tajna")).startswith("is protected by a password")


def test_what_is_no_pdf_or_half_of_one_is_called_so(book: list[str]) -> None:
    assert reason(b"PK\x03\x04" + b"x" * 3000) == "is not a PDF, whatever its name says"
    assert "damaged" in reason(b"%PDF-1.4\n" + b"x" * 3000)


@pytest.mark.parametrize("blank", ["\u2002\u2002", "\u2003\u2003\u2003"])
def test_lines_of_white_space_alone_are_no_lines(blank: str, book: list[str]) -> None:
    paragraphs = [it for paragraph in book[:12] for it in (paragraph, blank)]
    got, _ = read(make_pdf(paragraphs, Layout(justified=False, hyphenated=False)))
    assert letters_alike(plain(book[:12]), got) >= 0.999


BEGINS = 'import os\nprint(\'{"pages": 9, "title": "", "author": ""}\', flush=True)\n'
CHILDREN = {
    "endless": ("while True: pass", "never ends"),
    "endless-later": (BEGINS + "while True: pass", "never ends"),
    "crash": ("import os; os.abort()", "is damaged or cut short"),
    "crash-later": (BEGINS + "os.abort()", "PDFium crashed"),
    "crash-later-on-windows": (BEGINS + "os._exit(3)", "PDFium crashed"),
    "half-a-line": ("import os; print('{\"pages\"', end='', flush=True); os.abort()", "is damaged or cut short"),
}


@pytest.mark.parametrize("child", CHILDREN)
def test_a_library_that_hangs_or_crashes_costs_one_sentence(child: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = CHILDREN[child]
    (tmp_path / "child.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(pdf, "_CHILD", tmp_path / "child.py")
    monkeypatch.setattr(pdf, "MOST_SECONDS_A_PAGE", 0.5)
    assert said in reason(b"%PDF-1.4\n" + bytes(5_000_000))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_file_that_asks_for_all_memory_gets_a_gigabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = f"import sys; sys.path.insert(0, {str(pdf._CHILD.parent)!r})\nimport pdf_child\npdf_child._limit_resources()\n"
    child += BEGINS + "bytearray(2**31)"
    (tmp_path / "child.py").write_text(child, encoding="utf-8")
    monkeypatch.setattr(pdf, "_CHILD", tmp_path / "child.py")
    assert "it needs over 1 GB of memory" in reason(b"%PDF-1.4\n")


KINDS = st.sampled_from(["cut", "drop", "flip", "repeat", "zero"])
DAMAGE = st.lists(st.tuples(KINDS, st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6)


def damaged(data: bytes, damage: list[tuple[str, float, float]]) -> bytes:
    for kind, where, much in damage:
        start = int(where * len(data))
        end = min(start + 1 + int(much**4 * len(data)), len(data))
        match kind:
            case "cut":
                data = data[: max(start, 100)]
            case "drop":
                data = data[:start] + data[end:]
            case "flip":
                data = data[:start] + bytes(byte ^ 0x55 for byte in data[start : start + 8]) + data[start + 8 :]
            case "repeat":
                data = data[:end] + data[start:]
            case "zero":
                data = data[:start] + bytes(end - start) + data[end:]
    return data


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(damage=DAMAGE, packed=st.booleans())
def test_damaged_files_are_read_in_part_or_refused_with_a_sentence(
    book: list[str], damage: list[tuple[str, float, float]], packed: bool
) -> None:
    layout = Layout(head="Приче", foot="{n}", footnotes=NOTES, packed=packed)
    data = damaged(make_pdf([*book[:12], "Вода{1} је текла."], layout), damage)
    start = time.process_time()
    with contextlib.suppress(UnreadableBook):
        read_pdf(data, Ledger())
    assert time.process_time() - start < 10


FLAT_ODT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"
 office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.text">
<office:styles><style:style style:name="P" style:family="paragraph">
<style:paragraph-properties fo:text-align="justify" fo:text-indent="0.7cm"/>
<style:text-properties style:font-name="DejaVu Serif" fo:font-size="11pt"/></style:style>
<style:style style:name="F" style:family="paragraph"><style:text-properties fo:font-size="8pt"/></style:style></office:styles>
<office:automatic-styles><style:page-layout style:name="L"><style:page-layout-properties fo:page-width="14cm" fo:page-height="20cm"
 fo:margin-top="1.5cm" fo:margin-bottom="1.5cm" fo:margin-left="2cm" fo:margin-right="2cm"/><style:header-style/><style:footer-style/>
</style:page-layout></office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="L">
<style:header><text:p>Приче с реке</text:p></style:header>
<style:footer><text:p><text:page-number/></text:p></style:footer></style:master-page></office:master-styles>
<office:body><office:text>{}</office:text></office:body></office:document>"""
NOTE = (
    '<text:note text:id="n1" text:note-class="footnote"><text:note-citation>1</text:note-citation>'
    '<text:note-body><text:p text:style-name="F">{}</text:p></text:note-body></text:note>'
)


@pytest.mark.slow
@pytest.mark.needs_program
def test_a_book_printed_by_libreoffice_comes_out_as_it_went_in(
    book: list[str], tmp_path: Path, outside_program: Callable[[str], str]
) -> None:
    program = outside_program("soffice")
    paragraphs = [f'<text:p text:style-name="P">{paragraph}</text:p>' for paragraph in plain(book)]
    paragraphs[3] = paragraphs[3].replace(".", "." + NOTE.format(NOTES["1"]), 1)
    (tmp_path / "book.fodt").write_text(FLAT_ODT.replace("{}", "".join(paragraphs)), encoding="utf-8")
    command = [program, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to", "pdf", "book.fodt"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=900)
    got, ledger = read((tmp_path / "book.pdf").read_bytes())
    assert letters_alike(plain(book), got) >= 0.999
    assert paragraphs_alike(plain(book), got) >= 0.9
    assert {"running-heads", "page-numbers", "notes"} <= set(ledger.changes)
