"""Two results: differences of what is the same, and intervals from clusters drawn once for both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen.randomness import generator
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.comparing import compare, paired_interval
from cologen.evaluation.reporting.means import figures_of
from cologen.evaluation.reporting.results import Results, Run, results_of
from cologen.evaluation.reporting.table import ScoreTable
from tests.evaluation.reporting.made_up import benchmark, item, metric, scored, table

ITEMS = [item(f"i{number:02d}", group="xy"[number % 2]) for number in range(40)]
NOISE = generator(0, "noise").normal(size=40)
FEW = Bootstrap(resamples=200)
RUN = Run(model="tiny", seed=0, networks={"clip": "clip@1"})


def scores(folder: Path, shift: float) -> ScoreTable:
    return table(
        folder,
        ITEMS,
        [metric()],
        [scored(each.item_id, clip_i=float(NOISE[n] + shift)) for n, each in enumerate(ITEMS)],
    )


def results(folder: Path, shift: float = 0.0, run: Run = RUN, **facts: object) -> Results:
    figures = figures_of(scores(folder, shift), [metric()], FEW)
    return results_of(benchmark(ITEMS, [metric()], **facts), run, FEW, {"model": figures})


def test_the_difference_is_the_second_less_the_first(tmp_path: Path) -> None:
    (found,) = compare(results(tmp_path / "1"), results(tmp_path / "2", 0.25))
    assert found.difference == pytest.approx(0.25)
    assert found.improved is True
    assert not found.incomparable


def test_figures_of_other_networks_do_not_compare(tmp_path: Path) -> None:
    other = replace(RUN, networks={"clip": "clip@2"})
    (found,) = compare(results(tmp_path / "1"), results(tmp_path / "2", 0.25, run=other))
    assert found.incomparable == "other networks: clip"
    assert found.improved is None


def test_results_of_another_protocol_are_refused(tmp_path: Path) -> None:
    other = results(tmp_path / "2", protocol={"reference": "target", "dataset": "abc"})
    with pytest.raises(ValueError, match=r"do not compare: protocol is .*source.* in the first and .*target"):
        compare(results(tmp_path / "1"), other)


def test_noise_that_both_share_cancels(tmp_path: Path) -> None:
    first, second = scores(tmp_path / "1", 0.0), scores(tmp_path / "2", 0.25)
    for each in (metric(), metric(macro=True)):
        found = paired_interval(each, first, second, FEW)
        assert found is not None
        assert (found.low, found.high) == (pytest.approx(0.25), pytest.approx(0.25))


def test_the_paired_interval_is_that_of_the_differences(tmp_path: Path) -> None:
    """Against a loop that draws the same items for both."""
    first = scores(tmp_path / "1", 0.0)
    other = generator(1, "noise").normal(size=40)
    lines = [scored(each.item_id, clip_i=float(value)) for each, value in zip(ITEMS, other, strict=True)]
    second = table(tmp_path / "2", ITEMS, [metric()], lines)
    found = paired_interval(metric(), first, second, FEW)
    drawn = generator(0, "bootstrap", "clip_i").integers(40, size=(200, 40))
    differences = [other[rows].mean() - NOISE[rows].mean() for rows in drawn]
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_a_withheld_figure_has_no_paired_interval(tmp_path: Path) -> None:
    short = table(tmp_path / "2", ITEMS, [metric()], [scored("i00", clip_i=1.0)])
    assert paired_interval(metric(worst=None), scores(tmp_path / "1", 0.0), short, FEW) is None


def test_logs_of_other_items_are_refused(tmp_path: Path) -> None:
    other = table(tmp_path / "2", ITEMS[:3], [metric()], [])
    with pytest.raises(ValueError, match="different items"):
        paired_interval(metric(), scores(tmp_path / "1", 0.0), other, FEW)
