"""The tables of a report say what the figures rest on, and stand beside the paper's rows in the paper's scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.grids import Grid
from cologen.evaluation.reporting.means import NO_SET_INTERVAL, figures_of
from cologen.evaluation.reporting.results import Results, Run, results_of
from cologen.evaluation.reporting.tables import alerts, beside_the_paper, by_group, headline, problems
from cologen.evaluation.scoring.log import OutputScore
from tests.evaluation.reporting.made_up import (
    benchmark,
    failed,
    item,
    metric,
    numbered,
    scored,
    set_metric,
    table,
)

ITEMS = [item("a", group="add"), item("b", group="add"), item("c", group="remove")]
FEW = Bootstrap(resamples=20)
WHOLE = [scored("a", clip_i=0.5), scored("b", clip_i=0.6), scored("c", clip_i=1.0)]
BROKEN = [scored("a", clip_i=0.5), failed("b", reason="unreadable"), scored("c", clip_i=1.0)]


def results(
    folder: Path,
    metrics: list[AnyMetric],
    unmeasured: dict[str, str] | None = None,
    /,
    facts: dict[str, Any] | None = None,
    **candidates: list[OutputScore],
) -> Results:
    figures = {
        name: figures_of(table(folder / name, ITEMS, metrics, lines), metrics, FEW)
        for name, lines in candidates.items()
    }
    run = Run(model="tiny", seed=0, unmeasured=unmeasured or {})
    return results_of(benchmark(ITEMS, metrics, **(facts or {})), run, FEW, figures)


def texts(grid: Grid) -> list[list[str]]:
    return [[cell.text for cell in row] for row in grid.rows]


def test_nothing_to_say_where_all_is_scored(tmp_path: Path) -> None:
    found = results(tmp_path, [metric()], model=WHOLE)
    assert alerts(found) == ()
    assert problems(found, {}) is None


def test_missing_outputs_are_said_first(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        [metric(), metric("mse", worst=None)],
        {"gedit_o": "no judge was given"},
        model=[replace(each, values={**each.values, **({"mse": 1.0} if each.values else {})}) for each in BROKEN],
    )
    pessimistic, withheld, unmeasured = alerts(found)
    assert pessimistic.startswith("tiny: 1 of 2 figures are pessimistic. Of 3 outputs up to 1 have problems")
    assert withheld.startswith("tiny: MSE is withheld: 1 output has a problem")
    assert unmeasured == "gedit_o was not measured: no judge was given."


def test_the_headline_has_a_column_for_each_candidate(tmp_path: Path) -> None:
    grid = headline(results(tmp_path, [metric()], model=BROKEN, oracle=WHOLE))
    assert grid.head == ("metric", "tiny", "mean of scored", "scored", "oracle")
    assert texts(grid) == [["CLIP_I ↑", "0.5000", "0.7500", "2 of 3", "0.7000"]]
    assert [cell.alert for cell in grid.rows[0]] == [False, True, False, True, False]
    assert any("a perfect answer" in note for note in grid.notes)


def test_a_figure_without_interval_says_why(tmp_path: Path) -> None:
    grid = headline(results(tmp_path, [set_metric()], model=[numbered(name, fid=2.0) for name in "abc"]))
    assert f"No interval of fid: {NO_SET_INTERVAL}." in grid.notes


def test_problems_are_counted_by_reason_with_the_first_of_them(tmp_path: Path) -> None:
    lines = [scored("a", clip_i=0.5, l1=0.1), failed("b", reason="long_text", of="clip_i", l1=0.1)]
    grid = problems(
        results(tmp_path, [metric(), metric("l1")], model=lines), {"model": {"long_text": ["output 0 of b: 80 tokens"]}}
    )
    assert grid is not None
    assert texts(grid) == [
        ["tiny", "missing", "all metrics", "1", ""],
        ["tiny", "long_text", "CLIP_I", "1", "output 0 of b: 80 tokens"],
    ]


def test_groups_have_rows(tmp_path: Path) -> None:
    grid = by_group(results(tmp_path, [metric(macro=True)], model=WHOLE))
    assert grid is not None
    assert texts(grid) == [["add", "2", "0.5500"], ["remove", "1", "1.0000"]]
    assert grid.notes == ("The figure of CLIP_I is the mean over groups.",)


def test_our_lines_stand_above_the_papers_in_its_scale(tmp_path: Path) -> None:
    lines = [scored(name, ms_ssim=0.7712, ms_ssim_wrapped=0.7) for name in "abc"]
    (grid,) = beside_the_paper(
        results(
            tmp_path,
            [metric("ms_ssim"), metric("ms_ssim_wrapped")],
            facts={"tables": ("table-3-lineart",)},
            model=lines,
        )
    )
    assert texts(grid) == [
        ["This run"],
        ["tiny", "77.12"],
        ["As printed in the paper: Specialist models"],
        ["T2I-Adapter-SD1.5", "63.94"],
        ["UniControl", "70.54"],
        ["As printed in the paper: Generalist models"],
        ["CoLoGen", "77.96"],
    ]
    assert grid.rows[1][1].note == "[77.12, 77.12] · ms_ssim_wrapped 70.00"
    assert any("wraps around" in note for note in grid.notes)
    assert "SSIM is 100 times the metric." in grid.notes


def test_a_column_that_this_benchmark_does_not_measure_is_said_to_be_so(tmp_path: Path) -> None:
    (grid,) = beside_the_paper(results(tmp_path, [metric()], facts={"tables": ("table-4-dreambench",)}, model=WHOLE))
    assert [(cell.text, cell.note) for cell in grid.rows[1][1:]] == [
        ("–", "not measured"),
        ("0.700", grid.rows[1][2].note),
        ("–", "not measured"),
    ]
