"""The page: everything from data is escaped, nothing runs and nothing is fetched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from markupsafe import Markup

from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.gallery import Gallery, shown
from cologen.evaluation.reporting.grids import Cell, Grid
from cologen.evaluation.reporting.means import figures_of
from cologen.evaluation.reporting.page import Sections, ShownGallery, histograms, html_report
from tests.evaluation.reporting.made_up import item, metric, scored, table

HOSTILE = '<script>alert("x")</script>'


def test_text_from_data_is_escaped_everywhere(tmp_path: Path) -> None:
    hostile = replace(item("a"), prompt=HOSTILE)
    made = table(tmp_path, [hostile], [metric()], [scored("a", clip_i=1.0)])
    gallery = Gallery(pictures=lambda item_id, output: {HOSTILE: np.zeros((4, 4, 3), dtype=np.uint8)})
    grid = Grid(
        title=HOSTILE, head=(HOSTILE,), rows=((Cell(text=HOSTILE, note=HOSTILE, strong=True),),), notes=(HOSTILE,)
    )
    written = html_report(
        Sections(
            title=HOSTILE,
            facts=HOSTILE,
            alerts=[HOSTILE],
            first=[grid],
            histograms=histograms({HOSTILE: made}, {HOSTILE: figures_of(made, [metric()], Bootstrap(resamples=2))}),
            pictures=ShownGallery(title=HOSTILE, outputs={HOSTILE: shown(gallery, metric(), made)["best"]}),
            last=[],
        )
    ).decode()
    assert "<script" not in written
    assert written.count("&lt;script&gt;") >= 9


def test_a_banner_only_where_there_is_something_to_say() -> None:
    empty = Sections(title="t", facts="", alerts=(), first=(), histograms=Markup(), pictures="no pictures", last=())
    assert b"role=alert" not in html_report(empty)
    assert b"no pictures" in html_report(empty)


def test_histograms_have_a_mark_for_each_candidate(tmp_path: Path) -> None:
    items = [item("a"), item("b"), item("c")]
    tables = {
        name: table(tmp_path / name, items, [metric()], [scored("a", clip_i=low), scored("b", clip_i=1.0)])
        for name, low in (("model", 0.5), ("oracle", 1.0))
    }
    figures = {name: figures_of(each, [metric()], Bootstrap(resamples=2)) for name, each in tables.items()}
    plotted = str(histograms(tables, figures))
    assert plotted.count("<svg") == 1
    assert plotted.count("stroke-dasharray") == 2
    assert ">oracle</text>" in plotted
