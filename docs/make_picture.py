"""Draw a run's table as it stands in the terminal, as an SVG: `python docs/make_picture.py runs/most docs/images/learning.svg`.

The picture in the README is made with it; what it shows is the run's own samples and figures.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from paznja.run import Run
from paznja.table import counted, duration
from paznja.terminal.rows import prompt_and_text, table_row

WIDTH = 112

# rich's own frame names a font on another site; this one asks for nothing from anywhere.
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
  font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(run: Run, target: Path) -> None:
    """The rows of the run's table and its last evaluation, as one picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    inside = WIDTH - 2

    def line(row: Table) -> None:
        console.print(Padding(row, (0, 1)))
        console.print()

    line(table_row(Text("Generated text", style="bold"), "iteration", "time", inside))
    for row in run.samples(rows_only=True):
        line(table_row(prompt_and_text(row["prompt"], row["text"]), f"{row['iteration']:,}", duration(row["seconds"]), inside))
    last = [*run.samples(rows_only=True), *run.metrics()][-1]
    whole = last.get("held_out_whole")
    score, what = (whole, "the held-out books") if whole else (last.get("held_out"), "a fixed part of the held-out books")
    took = f"{counted(last['iteration'], 'iteration')} in {duration(last['seconds'])}"
    console.print(Text(f" Finished: {took}." + (f" {score:.3f} bits per character on {what}." if score else "")))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(console.export_svg(title="paznja train ~/Books", code_format=FRAME), encoding="utf-8")


if __name__ == "__main__":
    draw(Run(Path(sys.argv[1])), Path(sys.argv[2]))
