"""Small files of each format, made without the programs that write them."""

import io
import zipfile

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def zipped(files: dict[str, str | bytes]) -> bytes:
    """A zip archive with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in files.items():
            archive.writestr(name, contents)
    return buffer.getvalue()


def docx(body: str, *, styles: str = "", core: str = "", files: dict[str, str | bytes] | None = None) -> bytes:
    """A Word document; `body` may use the prefixes w, mc and v, and `files` go into the folder word/."""
    spaces = (
        f'xmlns:w="{W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml" '
        'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    )
    return zipped(
        {
            "[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
            "_rels/.rels": "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'><Relationship Id='1' "
            "Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument' Target='word/document.xml'/>"
            "</Relationships>",
            "word/document.xml": f"<?xml version='1.0' encoding='UTF-8'?><w:document {spaces}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {spaces}>{styles}</w:styles>",
            "docProps/core.xml": "<cp:coreProperties xmlns:dc='http://purl.org/dc/elements/1.1/' "
            f"xmlns:cp='http://schemas.openxmlformats.org/package/2006/metadata/core-properties'>{core}</cp:coreProperties>",
            **{f"word/{name}": contents for name, contents in (files or {}).items()},
        }
    )


def p(text: str, style: str = "") -> str:
    """A paragraph of a Word document with one run of text."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def odt(body: str, *, styles: str = "", meta: str = "", files: dict[str, str | bytes] | None = None) -> bytes:
    """An OpenDocument text; `styles` are its automatic styles."""
    spaces = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in {
            "office": "office",
            "style": "style",
            "text": "text",
            "table": "table",
            "draw": "drawing",
            "svg": "svg-compatible",
            "fo": "xsl-fo-compatible",
            "meta": "meta",
        }.items()
    )
    spaces += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
            "meta.xml": f"<office:document-meta {spaces}><office:meta>{meta}</office:meta></office:document-meta>",
            **(files or {}),
        }
    )


def fb2(body: str, *, info: str = "", more: str = "") -> bytes:
    """A FictionBook."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" '
        'xmlns:l="http://www.w3.org/1999/xlink">'
        f"<description><title-info>{info}</title-info></description><body>{body}</body>{more}</FictionBook>"
    ).encode()
