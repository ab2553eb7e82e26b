"""The Markdown file: whole tables, and nothing from data that acts as markup."""

from __future__ import annotations

from cologen.evaluation.reporting.grids import Cell, Grid, text_row
from cologen.evaluation.reporting.text import markdown_report


def test_tables_and_alerts() -> None:
    grid = Grid(
        title="Figures",
        head=("metric", "tiny"),
        rows=(
            (Cell(text="This run"),),
            (Cell(text="L1", note="l1"), Cell(text="0.1", strong=True, alert=True, number=True)),
        ),
        notes=("read with care",),
    )
    assert markdown_report("Made up", ["one is missing"], [grid]).decode() == (
        "# Made up\n\n> [!WARNING]\n> - one is missing\n\n## Figures\n\n| metric | tiny |\n| --- | ---: |\n"
        "| *This run* |  |\n| L1 l1 | **0.1** ⚠ |\n\n- read with care\n"
    )


def test_text_from_data_is_no_markup() -> None:
    written = markdown_report(
        "*x*", ["<b>"], [Grid(title="a|b", head=(), rows=(text_row("[x](y)", "a\nb | c"),))]
    ).decode()
    assert "*x*" not in written.replace("\\*", "")
    assert "<b>" not in written
    assert "| \\[x\\](y) | a b \\| c |" in written
