"""A short story in three chapters, written for the tests, as blocks from which files of every format are made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, or verse; `*so*` is emphasis, and `^` is the mark of the note."""

    kind: str
    text: str
    note: str = ""

    @property
    def plain(self) -> str:
        """What a reader should find."""
        return self.text.replace("*", "").replace("^", "")


TITLE, AUTHOR = "Скела на Забрану", "Милева Ристић"

STORY = (
    Block("h", "Глава прва: Скелеџија"),
    Block("p", "Ово је прича о скелеџији Станоју, који је тридесет година превозио људе преко реке и *никада* није научио да плива."),
    Block(
        "p",
        "Зими је седео крај пећи и плео мреже, а с пролећа, чим лед крене низ воду,^ спуштао је скелу и чекао.",
        "Лед је кретао у марту.",
    ),
    Block("p", "— Јеси ли се уморио? — питала га је жена сваке вечери, а он је сваке вечери одговарао исто:"),
    Block("p", "— Река се не умара, па нећу ни ја."),
    Block("p", "Људи су говорили да је *тврдоглав као мазга*, али да се на његовој скели још нико није удавио."),
    Block("v", "Тече вода, тече,\nтрава зелена,\nа на води вече,\nмирна сенка њена."),
    Block("h", "Глава друга: Поплава"),
    Block("p", "Године 1910. падала је киша четрдесет дана; вода је однела два млина, петнаест пластова сена и звоник цркве у Малом Селу."),
    Block("p", "„Зар нећеш да одвежеш скелу?“ викао је поп са обале. „Однеће те!“", ""),
    Block("p", "Станоје је само одмахнуо руком^ и затегао уже. Црно-бели пас, кога је звао Гаров, лајао је на воду 3 < 4 пута.", "Десном."),
    Block("p", "1914. године, када је почео рат, та иста скела превезла је читав пук, коње и два топа — и вратила се празна."),
    Block("h", "Glava treća: Pismo"),
    Block("p", "Njegov sin Đorđe pisao je iz Chicaga latinicom, jer je ćirilicu zaboravio: „Dragi oče, živ sam i zdrav.“"),
    Block("p", "Otac nije umeo da pročita pismo, pa ga je odneo učitelju; učitelj je čitao polako, a čamac je škripao o pristan."),
    Block("p", "— Šta kaže? — pitao je Stanoje. — Kaže da ti šalje deset dolara & da će doći na leto, ako bog da."),
    Block("p", "Došao je tek kad skele više nije bilo: preko reke je stajao *gvozdeni most*, a niko nije znao ko ga je podigao."),
)


def plain_text(blocks: tuple[Block, ...] = STORY) -> str:
    """The story as a reader of any format should return it."""
    return "".join(block.plain + "\n" for block in blocks)


def markdown(blocks: tuple[Block, ...] = STORY) -> str:
    """The story as Pandoc's Markdown."""
    parts = [f"---\ntitle: {TITLE}\nauthor: {AUTHOR}\nlang: sr\n---\n"]
    notes = []
    for block in blocks:
        text = block.text.replace("<", "\\<").replace("&", "\\&")
        if text[:4].isdigit():
            text = text.replace(".", "\\.", 1)
        if block.note:
            notes.append(f"[^{len(notes) + 1}]: {block.note}\n")
            text = text.replace("^", f"[^{len(notes)}]")
        if block.kind == "v":
            text = text.replace("\n", "\\\n")
        parts.append(("# " if block.kind == "h" else "") + text + "\n")
    return "\n".join(parts + notes)


def flat_odt(blocks: tuple[Block, ...] = STORY, *, proofs: bool = True) -> str:
    """The story as a flat OpenDocument file, with a header, page numbers, notes, contents.

    `proofs`: also a comment, a deleted sentence and a caption, which LibreOffice makes plain text of when it writes HTML and EPUB.
    """
    body = []
    for number, block in enumerate(blocks):
        text = block.text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<text:line-break/>")
        for index, part in enumerate(text.split("*")):
            text = part if index == 0 else text + (f'<text:span text:style-name="E">{part}</text:span>' if index % 2 else part)
        note = (
            f'<text:note text:id="n{number}" text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
            f"<text:p>{block.note}</text:p></text:note-body></text:note>"
        )
        text = text.replace("^", note)
        if number == 4 and proofs:
            text += "<office:annotation><dc:creator>Лектор</dc:creator><text:p>Проверити!</text:p></office:annotation>"
        if number == 5 and proofs:
            text += '<text:change text:change-id="c1"/>'
        if block.kind == "h":
            body.append(f'<text:h text:style-name="Heading_20_1" text:outline-level="1">{text}</text:h>')
        else:
            body.append(f'<text:p text:style-name="Standard">{text}</text:p>')
    caption = '<text:p text:style-name="Illustration">Слика <text:sequence text:name="Illustration">1</text:sequence>: Скела</text:p>'
    changes = """<text:tracked-changes><text:changed-region text:id="c1"><text:deletion><office:change-info>
<dc:creator>Лектор</dc:creator><dc:date>2020-01-01T00:00:00</dc:date></office:change-info>
<text:p> Ова реченица је избрисана.</text:p></text:deletion></text:changed-region>
</text:tracked-changes>"""
    contents = "".join(
        f'<text:p text:style-name="Contents_20_1">{block.plain}<text:tab/>{3 + n}</text:p>'
        for n, block in enumerate(block for block in blocks if block.kind == "h")
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.text">
<office:meta><dc:title>{TITLE}</dc:title><meta:initial-creator>{AUTHOR}</meta:initial-creator><dc:language>sr-RS</dc:language></office:meta>
<office:styles><style:style style:name="Standard" style:family="paragraph"/>
<style:style style:name="Heading_20_1" style:display-name="Heading 1" style:family="paragraph" style:parent-style-name="Standard"
 style:default-outline-level="1"/>
<style:style style:name="Contents_20_1" style:display-name="Contents 1" style:family="paragraph"/>
<style:style style:name="Header" style:family="paragraph"/><style:style style:name="Footer" style:family="paragraph"/>
<style:style style:name="Title" style:family="paragraph"/>
<style:style style:name="Caption" style:family="paragraph"/>
<style:style style:name="Illustration" style:family="paragraph" style:parent-style-name="Caption"/></office:styles>
<office:automatic-styles><style:style style:name="E" style:family="text"><style:text-properties fo:font-style="italic"/></style:style>
<style:page-layout style:name="L"><style:page-layout-properties fo:page-width="14cm" fo:page-height="20cm"/>
<style:header-style/><style:footer-style/></style:page-layout></office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="L">
<style:header><text:p text:style-name="Header">{AUTHOR}: {TITLE}</text:p></style:header>
<style:footer><text:p text:style-name="Footer"><text:page-number text:select-page="current">7</text:page-number></text:p></style:footer>
</style:master-page></office:master-styles>
<office:body><office:text>
{changes if proofs else ""}
<text:p text:style-name="Title">{TITLE}</text:p>
<text:table-of-content text:name="Садржај1"><text:table-of-content-source text:outline-level="1"/><text:index-body>
<text:index-title text:name="T"><text:p>Садржај</text:p></text:index-title>{contents}</text:index-body></text:table-of-content>
{"".join(body)}
{caption if proofs else ""}
</office:text></office:body></office:document>"""
