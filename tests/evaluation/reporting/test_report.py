"""A report from logs: three files that agree, and a message where one cannot be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.gallery import Gallery
from cologen.evaluation.reporting.report import KEEP, NO_PICTURES, NOT_SHAREABLE, write_report
from cologen.evaluation.reporting.results import Run, read_results
from tests.evaluation.reporting.made_up import benchmark, failed, item, metric, scored, set_metric, table

ITEMS = [item("a"), item("b"), item("c")]
ASKED = benchmark(ITEMS, [metric(), set_metric()], tables=("table-2-magicbrush",))
RUN = Run(model="tiny", seed=0, unmeasured={"fid": "no network named inception was given"})
FEW = Bootstrap(resamples=20)


def logs(folder: Path, asked: Benchmark = ASKED) -> dict[str, Path]:
    lines = [scored("a", clip_i=0.5), failed("b"), scored("c", clip_i=0.9)]
    whole = [scored(name, clip_i=1.0) for name in "abc"]
    for name, each in (("model", lines), ("oracle", whole)):
        table(folder / name, ITEMS, [metric()], each)
    return {name: folder / name for name in ("model", "oracle")}


def test_how_many_outputs_were_resized_is_said(tmp_path: Path) -> None:
    lines = [scored("a", clip_i=0.5), replace(scored("b", clip_i=0.5), resized="8 x 8, compared with 16 x 16")]
    table(tmp_path / "model", ITEMS, [metric()], [*lines, scored("c", clip_i=0.9)])
    results = write_report(tmp_path / "out", ASKED, {"model": tmp_path / "model"}, RUN, gallery=None, bootstrap=FEW)
    assert results.resized == {"model": 1}
    for name in ("report.html", "report.md"):
        assert "tiny: 1 of 3 outputs are of another size" in (tmp_path / "out" / name).read_text()


def test_three_files_of_the_same_figures(tmp_path: Path) -> None:
    gallery = Gallery(pictures=lambda item_id, output: {"output": np.zeros((8, 8, 3), dtype=np.uint8)})
    results = write_report(tmp_path / "out", ASKED, logs(tmp_path), RUN, gallery=gallery, bootstrap=FEW)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.md", "results.json"]
    assert read_results(tmp_path / "out" / "results.json") == results
    html, text = ((tmp_path / "out" / name).read_text() for name in ("report.html", "report.md"))
    for said in ("0.4667", "2 of 3", "fid was not measured: no network named inception was given."):
        assert said in html
        assert said in text.replace("\\", "")
    assert html.count("data:image/jpeg") == 2
    assert html.index("Read this first") < html.index("Figures") < html.index("Table 2")


def test_the_same_logs_make_the_same_bytes(tmp_path: Path) -> None:
    made = logs(tmp_path)
    for name in ("one", "two"):
        write_report(tmp_path / name, ASKED, made, RUN, gallery=None, bootstrap=FEW)
    for name in ("report.html", "report.md", "results.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_report_without_pictures_says_so(tmp_path: Path) -> None:
    write_report(tmp_path / "out", ASKED, logs(tmp_path), RUN, gallery=None, bootstrap=FEW)
    html = (tmp_path / "out" / "report.html").read_text()
    assert "<img" not in html
    assert NO_PICTURES in html


def test_pictures_that_may_not_be_passed_on(tmp_path: Path) -> None:
    """None unless asked for; and then the page says that it has to stay here."""
    kept = replace(ASKED, shareable=False)
    gallery = Gallery(pictures=lambda item_id, output: {"output": np.zeros((8, 8, 3), dtype=np.uint8)})
    write_report(tmp_path / "with", kept, logs(tmp_path), RUN, gallery=gallery, bootstrap=FEW)
    write_report(tmp_path / "without", kept, logs(tmp_path), RUN, gallery=None, bootstrap=FEW)
    html = {name: (tmp_path / name / "report.html").read_text() for name in ("with", "without")}
    assert KEEP in html["with"]
    assert KEEP not in html["without"]
    assert NOT_SHAREABLE in html["without"]
    assert KEEP not in (tmp_path / "with" / "report.md").read_text()


def test_a_report_of_no_log_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one candidate"):
        write_report(tmp_path / "out", ASKED, {}, RUN, gallery=None)
    with pytest.raises(ValueError, match="of no item"):
        other = benchmark(ITEMS[:1], [metric()])
        write_report(tmp_path / "out", other, logs(tmp_path), Run(model="tiny", seed=0), gallery=None)
    assert not (tmp_path / "out").exists()


def test_an_empty_log_is_reported_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    gallery = Gallery(pictures=lambda item_id, output: {})
    results = write_report(tmp_path / "out", ASKED, {"model": tmp_path / "model"}, RUN, gallery=gallery, bootstrap=FEW)
    (figure,) = results.candidates["model"]
    assert (figure.figure, figure.mean_of_scored) == (0.0, None)
    assert "No output has a number to sort a gallery by." in (tmp_path / "out" / "report.html").read_text()
