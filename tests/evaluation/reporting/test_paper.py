"""The paper's tables as data: as many rows and figures as are printed, and single figures copied by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from cologen.evaluation.reporting.paper import all_paper_tables, paper_rows, paper_tables


def test_each_table_has_the_figures_that_are_printed() -> None:
    """Counted in the paper: figures, then dashes."""
    figures, dashes = Counter[int](), Counter[int]()
    for table in all_paper_tables().values():
        for row in table.rows:
            figures[table.number] += sum(value is not None for value in row.values.values())
            dashes[table.number] += sum(value is None for value in row.values.values())
    assert figures == {2: 82, 3: 26, 4: 27, 5: 30, 6: 16, 7: 18, 8: 15}
    assert dashes == {2: 6, 3: 19, 4: 0, 5: 0, 6: 4, 7: 0, 8: 0}


def test_each_table_has_its_methods() -> None:
    methods = {
        number: {row.method for table in all_paper_tables().values() if table.number == number for row in table.rows}
        for number in range(2, 9)
    }
    assert {number: len(names) for number, names in methods.items()} == {2: 11, 3: 9, 4: 9, 5: 5, 6: 5, 7: 6, 8: 5}
    assert all(any("CoLoGen" in name for name in names) for names in methods.values())


def test_every_row_has_every_column_of_its_table() -> None:
    for table in all_paper_tables().values():
        for row in table.rows:
            assert list(row.values) == [column.metric for column in table.columns], (table.key, row.method)


@pytest.mark.parametrize(
    ("key", "method", "metric", "value"),
    [
        ("table-2-emu-edit", "InstructPix2Pix", "clip_i", 0.834),
        ("table-2-emu-edit", "PnP", "dino", 0.153),
        ("table-2-emu-edit", "OmniGen", "l1", None),
        ("table-2-emu-edit", "CoLoGen", "l1", 0.111),
        ("table-2-magicbrush", "UltraEdit", "clip_t", None),
        ("table-2-magicbrush", "Emu Edit", "l1", 0.052),
        ("table-2-magicbrush", "CoLoGen", "dino", 0.932),
        ("table-3-canny", "CoLoGen", "clip_score", 33.31),
        ("table-3-depth", "OmniGen", "depth_rmse", 28.54),
        ("table-3-lineart", "UniControl", "ms_ssim", 70.54),
        ("table-3-coco-stuff", "CoLoGen", "miou", 29.43),
        ("table-3-ade20k", "T2I-Adapter-SD1.5", "miou", 12.61),
        ("table-4-dreambench", "BootPIG", "clip_t", 0.311),
        ("table-5-magicbrush", "w R_c", "clip_i", 0.881),
        ("table-5-dreambench", "w R_c & R_l (Co-training)", "dino", 0.679),
        ("table-6-canny", "RealGen", "fid", 17.50),
        ("table-6-depth", "OmniControl", "ssim", 39.0),
        ("table-7-dreambench", "BAGEL", "dino", 0.797),
        ("table-8-gedit", "Qwen-Image", "gedit_pq", 7.86),
    ],
)
def test_figures_are_the_printed_ones(key: str, method: str, metric: str, value: float | None) -> None:
    (row,) = [row for _, row in paper_rows([key]) if row.method == method]
    assert row.values[metric] == value


def test_rows_that_may_not_compare_say_why() -> None:
    doubts = {(table.key, row.method): row.doubt for table, row in paper_rows(all_paper_tables()) if row.doubt}
    assert "7.497" in doubts["table-8-gedit", "Step1X-Edit"]
    assert "wraps" in doubts["table-3-lineart", "UniControl"]
    assert all(table.notes for table in all_paper_tables().values())


def test_a_table_that_the_paper_has_not_is_named() -> None:
    with pytest.raises(ValueError, match=r"no table 'table-9'.*table-2-emu-edit"):
        paper_tables(["table-9"])
