"""``results.json``: what is written is read back, in one order, and what does not add up is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cologen.datagen.records import Reason, Rejection
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.means import figures_of
from cologen.evaluation.reporting.results import Results, Run, encoded, read_results, results_of
from tests.evaluation.reporting.made_up import benchmark, failed, item, metric, scored, table

ITEMS = [item("a"), item("b"), item("c")]
RUN = Run(model="tiny", seed=7, networks={"clip": "clip@1"}, generation={"num_inference_steps": 4, "a": None})


def made(folder: Path) -> Results:
    scores = [scored("a", clip_i=0.5), failed("b", reason="unreadable"), scored("c", clip_i=1.0)]
    figures = figures_of(table(folder, ITEMS, [metric()], scores), [metric()], Bootstrap(resamples=20))
    rejected = (Rejection(sample_id="x", stage="open", reason=Reason.NULL_CAPTION, detail="no caption"),)
    asked = benchmark(ITEMS, [metric()], rejected=rejected, protocol={"z": "1", "dataset": "abc"})
    return results_of(asked, RUN, Bootstrap(resamples=20), {"model": figures})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    results = made(tmp_path)
    (tmp_path / "results.json").write_bytes(encoded(results))
    assert read_results(tmp_path / "results.json") == results
    assert encoded(read_results(tmp_path / "results.json")) == encoded(results)


def test_it_names_everything_that_decides_a_figure(tmp_path: Path) -> None:
    content = json.loads(encoded(made(tmp_path)))
    assert list(content) == ["format", "benchmark", "run", "bootstrap", "candidates", "resized"]
    assert content["benchmark"]["fingerprint"] == "abc"
    assert list(content["benchmark"]["protocol"]) == ["dataset", "z"]
    assert content["benchmark"]["rejected"][0]["reason"] == "null_caption"
    assert content["run"]["seed"] == 7
    assert content["run"]["networks"] == {"clip": "clip@1"}
    assert list(content["run"]["generation"]) == ["a", "num_inference_steps"]
    assert {"cologen", "torch", "transformers", "numpy"} <= content["run"]["versions"].keys()
    (figure,) = content["candidates"]["model"]
    assert figure["figure"] == pytest.approx(0.5)
    assert figure["mean_of_scored"] == pytest.approx(0.75)
    assert figure["counts"] == {"expected": 3, "scored": 2, "not_applicable": 0, "problems": {"unreadable": 1}}
    assert figure["interval"].keys() == {"low", "high"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content | {"format": "cologen-results/9"}, "format: "),
        (lambda content: content | {"more": 1}, "more: "),
        (lambda content: {key: value for key, value in content.items() if key != "run"}, "run: "),
        (
            lambda content: _with_figure(content, counts={"expected": 3, "scored": 1, "not_applicable": 0}),
            "1 are counted",
        ),
        (lambda content: _with_figure(content, figure=None), "withheld exactly where the reason is given"),
        (lambda content: _with_figure(content, interval={"low": 1.0, "high": 0.0}), "from low to high"),
        (lambda content: _with_benchmark(content, num_outputs=4), "the benchmark has 4"),
    ],
)
def test_what_does_not_add_up_is_refused(tmp_path: Path, change, words: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(change(json.loads(encoded(made(tmp_path))))))
    with pytest.raises(ValueError, match=words) as raised:
        read_results(path)
    assert "\n" not in str(raised.value)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(encoded(made(tmp_path))[:100])
    with pytest.raises(ValueError, match="holds no results that can be read"):
        read_results(path)


def _with_figure(content: dict, **fields: object) -> dict:
    (figure,) = content["candidates"]["model"]
    return content | {"candidates": {"model": [figure | fields]}}


def _with_benchmark(content: dict, **fields: object) -> dict:
    return content | {"benchmark": content["benchmark"] | fields}
