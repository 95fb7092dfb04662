"""The test shelf, and small books made on the spot."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

SHELF = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "eltec-srp"

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""


@pytest.fixture(scope="session")
def shelf() -> Path:
    """The folder with the 92 Serbian novels."""
    if not SHELF.is_dir():
        reason = f"the test shelf is not at {SHELF}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHELF


@pytest.fixture
def tei(tmp_path: Path) -> Callable[..., Path]:
    """Writes a TEI file with the given body."""

    def write(body: str, *, head: str = "", front: str = "", back: str = "", name: str = "book.xml", doctype: str = "") -> Path:
        path = tmp_path / name
        path.write_text(
            f"""<?xml version="1.0" encoding="UTF-8"?>{doctype}
<TEI xmlns="http://www.tei-c.org/ns/1.0" xml:lang="sr">
<teiHeader><fileDesc><titleStmt>{head or "<title>Књига</title>"}</titleStmt></fileDesc></teiHeader>
<text><front>{front}</front><body><div>{body}</div></body><back>{back}</back></text></TEI>""",
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture
def epub(tmp_path: Path) -> Callable[..., Path]:
    """Writes an EPUB whose pages are the given bodies, in that order in the archive and in the manifest.

    `spine` orders them otherwise; `items`, `refs`, `guide`, `metadata` and `files` add to the package and the archive.
    """

    def write(
        *bodies: str,
        spine: list[int] | None = None,
        items: str = "",
        refs: str = "",
        guide: str = "",
        metadata: str = "<dc:title>Мост</dc:title><dc:creator>Ана Анић</dc:creator><dc:language>sr</dc:language>",
        files: dict[str, str | bytes] | None = None,
        name: str = "book.epub",
    ) -> Path:
        manifest = "".join(
            f'<item id="p{number}" href="text/page%20{number}.xhtml" media-type="application/xhtml+xml"/>' for number in range(len(bodies))
        )
        order = "".join(f'<itemref idref="p{number}"/>' for number in (range(len(bodies)) if spine is None else spine))
        package = f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"
            xmlns:opf="http://www.idpf.org/2007/opf">
            <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>
            <manifest>{manifest}{items}</manifest><spine>{order}{refs}</spine><guide>{guide}</guide></package>"""
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/epub+zip")
            archive.writestr("META-INF/container.xml", CONTAINER)
            archive.writestr("OEBPS/content.opf", package)
            for number, body in enumerate(bodies):
                archive.writestr(f"OEBPS/text/page {number}.xhtml", page(body))
            for file, contents in (files or {}).items():
                archive.writestr(file, contents)
        return path

    return write


def page(body: str) -> str:
    """An XHTML page."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title>Наслов стране</title><style>p {{ margin: 0 }}</style></head><body>{body}</body></html>"
    )
