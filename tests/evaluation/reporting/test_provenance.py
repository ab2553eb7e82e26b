"""Everything that decides a figure is in a table."""

from __future__ import annotations

from pathlib import Path

from cologen.datagen.records import Reason, Rejection
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.means import figures_of
from cologen.evaluation.reporting.provenance import how_measured, protocol
from cologen.evaluation.reporting.results import Run, results_of
from tests.evaluation.reporting.made_up import benchmark, item, metric, scored, table

FEW = Bootstrap(seed=5, resamples=20)


def test_protocol_settings_networks_versions_and_rejected_rows(tmp_path: Path) -> None:
    items = [item("a"), item("b", cluster="a")]
    figures = figures_of(table(tmp_path, items, [metric()], [scored("a", clip_i=1.0)]), [metric()], FEW)
    rejected = tuple(
        Rejection(sample_id=f"r{number}", stage="open", reason=Reason.NULL_CAPTION, detail="null")
        for number in range(30)
    )
    asked = benchmark(
        items,
        [metric()],
        rejected=rejected,
        sampling={"true_cfg_scale": 7.5},
        notes=("captions are partly wrong",),
        networks={"clip": "ViT-B/32", "dino": "ViT-S/16"},
    )
    run = Run(model="tiny", seed=42, networks={"clip": "clip@1"}, generation={"dtype": "bfloat16"})
    results = results_of(asked, run, FEW, {"model": figures})
    by_title = {grid.title: grid for grid in protocol(results)}
    pairs = {row[0].text: row[1].text for title in list(by_title)[:-1] for row in by_title[title].rows}
    assert (
        pairs.items()
        >= {
            "reference": "source",
            "dataset": "abc",
            "items": "2",
            "clusters": "1",
            "seed of the outputs": "42",
            "seed of the bootstrap": "5",
            "true_cfg_scale": "7.5",
            "dtype": "bfloat16",
        }.items()
    )
    assert [[cell.text for cell in row] for row in by_title["Networks"].rows] == [
        ["clip", "clip@1", "ViT-B/32"],
        ["dino", "not used", "ViT-S/16"],
    ]
    assert by_title["Protocol"].notes == ("captions are partly wrong",)
    rows = by_title["30 rows of the dataset that are no items"]
    assert len(rows.rows) == 20
    assert rows.notes == ("null_caption 30. All of them are in results.json.",)
    (measured,) = how_measured(results).rows
    assert [cell.text for cell in measured] == ["CLIP_I", "made up", "clip", "output", "1", "0"]
