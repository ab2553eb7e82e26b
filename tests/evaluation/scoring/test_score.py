"""Scores: known answers, one read per picture, the same log by any number of workers and after a stop."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cologen.datagen.engine.actors import WorkerSize
from cologen.evaluation.generating.generate import Workers, generate
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.scoring.log import OutputScore, Problem, read_log, read_part, write_part
from cologen.evaluation.scoring.score import score, unscored_parts
from tests.datagen.engine.test_actors import on_ray
from tests.evaluation import toy

CANDIDATES = ("model", "oracle", "identity")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    OutputFolder(folder).begin({})
    generate(toy.benchmark(), OutputFolder(folder), toy.load_generator, seed=0, workers=Workers())
    return folder


def _score(
    outputs: Path, folder: Path, *, num_workers: int = 1, stop_after: int | None = None, protocol: str = ""
) -> int:
    done: list[int] = []

    def progress(number: int) -> None:
        done.append(number)
        if stop_after is not None and len(done) >= stop_after:
            raise KeyboardInterrupt

    return score(
        toy.benchmark(), OutputFolder(outputs), folder, toy.scorer_of(outputs), candidates=CANDIDATES,
        settings={"protocol": protocol}, size=WorkerSize(num_workers=num_workers), progress=progress,
    )  # fmt: skip


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("part-*.jsonl")}


def _log(folder: Path, candidate: str) -> dict[tuple[str, int], OutputScore]:
    return {(each.item_id, each.output): each for each in read_log(folder / candidate, statistics=True)}


def test_known_answers(outputs: Path, tmp_path: Path) -> None:
    assert _score(outputs, tmp_path) == 3  # 70 items in parts of 32
    model, oracle, identity = (_log(tmp_path, candidate) for candidate in CANDIDATES)
    assert len(model) == len(oracle) == len(identity) == toy.NUM_ITEMS * toy.NUM_OUTPUTS
    assert oracle["i3", 1].values == {"l1": 0.0, "level": 0.0}
    source = toy.picture("i3").astype(float)
    assert identity["i3", 0].values["l1"] == pytest.approx(np.abs(255 - 2 * source).mean() / 255)
    assert 0 < (model["i3", 0].values["l1"] or 0) < 0.01  # one pixel differs
    assert int(oracle["i3", 0].statistics["total"]["sum"]) == int((255 - source).sum())
    assert oracle["i7", 0].values["level"] is None


def test_every_problem_is_in_the_log(outputs: Path, tmp_path: Path) -> None:
    _score(outputs, tmp_path)
    model = _log(tmp_path, "model")
    assert model["i9", 0].problem("l1") == Problem(reason="bad_input", detail="item 9 is refused")
    assert model["i5", 1].problem("level") == Problem(reason="bad_input", detail="i5: the source is damaged")
    assert model["i5", 1].values == {}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [("missing", "missing"), ("truncated", "unreadable"), ("text", "unreadable"), ("black", "not_finite")],
)
def test_bad_outputs_are_counted_problems(damage: str, reason: str, outputs: Path, tmp_path: Path) -> None:
    copied = tmp_path / "outputs"
    copied.mkdir()
    for path in outputs.glob("*"):
        (copied / path.name).write_bytes(path.read_bytes())
    victim = copied / "i0-0.png"
    if damage == "missing":
        victim.unlink()
    elif damage == "truncated":
        victim.write_bytes(victim.read_bytes()[:300])
    elif damage == "text":
        victim.write_text("no picture")
    else:
        Image.new("RGB", (16, 16)).save(victim)
    _score(copied, tmp_path / "scores")
    model = _log(tmp_path / "scores", "model")
    problem = model["i0", 0].problem("level")
    assert problem is not None
    assert problem.reason == reason
    assert model["i0", 1].problems == {}
    if damage == "black":
        assert model["i0", 0].values["l1"] is not None  # the network's NaN concerns its own metric alone


class TestOnRay:
    pytestmark = on_ray

    def test_two_workers_write_the_same_log(self, outputs: Path, tmp_path: Path) -> None:
        _score(outputs, tmp_path / "one")
        _score(outputs, tmp_path / "two", num_workers=2)
        assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two") != {}


def test_a_stopped_run_goes_on_with_what_is_missing(outputs: Path, tmp_path: Path) -> None:
    _score(outputs, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _score(outputs, tmp_path / "stopped", stop_after=1)
    assert _score(outputs, tmp_path / "stopped") == 2
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "stopped")


def test_what_changed_is_scored_again_and_nothing_else(outputs: Path, tmp_path: Path) -> None:
    copied = tmp_path / "outputs"
    copied.mkdir()
    for path in outputs.glob("*"):
        (copied / path.name).write_bytes(path.read_bytes())
    scores = tmp_path / "scores"
    assert _score(copied, scores) == 3
    assert _score(copied, scores) == 0
    Image.fromarray(toy.picture("another")).save(copied / "i40-1.png")
    assert _score(copied, scores) == 1
    (scores / "oracle/part-00002.jsonl").unlink()
    assert _score(copied, scores) == 1
    assert _score(copied, scores, protocol="another") == 3


def test_a_network_reads_each_distinct_picture_once(outputs: Path) -> None:
    scorer = toy.load_scorer(outputs)
    scorer(0)
    # 32 items: two outputs and a target each, and the source for the identity; i5 and i9 have no output, i5 no target.
    assert scorer.networks["level"].num_read == 30 * 2 + 31 + 31


def test_a_log_reads_back_as_written_and_refuses_what_is_no_number(tmp_path: Path) -> None:
    scores = [
        OutputScore(item_id="a", output=0, values={"l1": 0.1 + 0.2, "x": None}, digest="d"),
        OutputScore(item_id="b", output=0, problems={"*": Problem(reason="missing", detail="…")}),
        OutputScore(item_id="c", output=1, statistics={"m": {"n": np.arange(3), "k": np.array(2.5)}}),
    ]
    write_part(tmp_path, 0, scores)
    read = read_part(tmp_path, 0)
    assert read[:2] == scores[:2]
    assert read[2].statistics["m"]["n"].tolist() == [0, 1, 2]
    assert float(read[2].statistics["m"]["k"]) == 2.5
    with pytest.raises(ValueError, match="not finite"):
        write_part(tmp_path, 1, [OutputScore(item_id="a", output=0, values={"l1": float("nan")})])
    (tmp_path / "part-00000.jsonl").write_text('{"item": "a"}\n')
    with pytest.raises(ValueError, match="is damaged"):
        read_part(tmp_path, 0)


@pytest.mark.parametrize("value", ["7.0", '"0.5"', "true", "[1]", "null"])
def test_a_line_that_was_changed_by_hand_is_no_score(value: str, tmp_path: Path) -> None:
    write_part(tmp_path, 0, [OutputScore(item_id="a", output=0, values={"l1": 0.25})])
    path = tmp_path / "part-00000.jsonl"
    path.write_text(path.read_text().replace("0.25", value))
    with pytest.raises(ValueError, match=r"part-00000\.jsonl is damaged \(the line of 'a' was changed"):
        read_part(tmp_path, 0)


def test_a_log_that_is_not_whole_is_known(outputs: Path, tmp_path: Path) -> None:
    _score(outputs, tmp_path)
    assert unscored_parts(toy.benchmark(), tmp_path, CANDIDATES) == []
    (tmp_path / "oracle/part-00002.jsonl").unlink()
    short = tmp_path / "identity/part-00001.jsonl"
    short.write_bytes(b"".join(short.read_bytes().splitlines(keepends=True)[:-1]))
    expected = ["identity/part-00001.jsonl", "oracle/part-00002.jsonl"]
    assert unscored_parts(toy.benchmark(), tmp_path, CANDIDATES) == expected
    assert unscored_parts(toy.benchmark(71), tmp_path, ("model",)) == ["model/part-00002.jsonl"]


def test_a_picture_of_the_dataset_that_was_replaced_outdates_outputs_and_scores(outputs: Path, tmp_path: Path) -> None:
    """Under the same name and listing: the output was made from the old picture, so it is no answer to the new one."""
    assert _score(outputs, tmp_path) == 3
    before = _log(tmp_path, "oracle")
    toy.REPLACED.add("i40")
    try:
        assert _score(outputs, tmp_path) == 1
        assert _score(outputs, tmp_path) == 0
        model, oracle = _log(tmp_path, "model"), _log(tmp_path, "oracle")
    finally:
        toy.REPLACED.clear()
    outdated = {item for (item, _), each in model.items() if (said := each.problem("l1")) and said.reason == "outdated"}
    assert outdated == {"i40"}
    assert {key for key, each in oracle.items() if each.inputs != before[key].inputs} == {("i40", 0), ("i40", 1)}
    assert _score(outputs, tmp_path) == 1


def test_outputs_of_another_size_are_scored_and_known(outputs: Path, tmp_path: Path) -> None:
    copied = tmp_path / "outputs"
    shutil.copytree(outputs, copied)
    Image.new("RGB", (32, 16), (9, 9, 9)).resize((17, 16)).save(copied / "i0-0.png")
    scorer = replace(toy.load_scorer(copied), metrics=toy.METRICS[2:3])
    model = scorer(0).scores["model"]
    assert {each.item_id: each.resized for each in model if each.resized} == {"i0": "17 x 16, compared with 16 x 16"}


def test_what_a_judge_did_not_answer_is_asked_again(outputs: Path, tmp_path: Path) -> None:
    assert _score(outputs, tmp_path) == 3
    scores = read_part(tmp_path / "model", 1)
    silent = replace(scores[0], problems={"level": Problem(reason="no_answer", detail="timed out")})
    assert silent.digest
    write_part(tmp_path / "model", 1, [silent, *scores[1:]])
    assert _score(outputs, tmp_path) == 1
    assert read_part(tmp_path / "model", 1)[0].problems == {}


def test_statistics_of_another_log_are_refused_and_scored_again(outputs: Path, tmp_path: Path) -> None:
    assert _score(outputs, tmp_path) == 3
    (tmp_path / "model/part-00001.npz").write_bytes((tmp_path / "oracle/part-00001.npz").read_bytes())
    with pytest.raises(ValueError, match=r"part-00001\.npz was not written with it"):
        read_part(tmp_path / "model", 1)
    assert _score(outputs, tmp_path) == 1
    oracle = tmp_path / "oracle/part-00000.jsonl"
    oracle.write_bytes(b"".join(oracle.read_bytes().splitlines(keepends=True)[:5]))
    assert _score(outputs, tmp_path) == 1


def test_an_output_that_is_far_too_long_is_a_counted_problem(outputs: Path, tmp_path: Path) -> None:
    copied = tmp_path / "outputs"
    copied.mkdir()
    for path in outputs.glob("*"):
        (copied / path.name).write_bytes(path.read_bytes())
    Image.new("RGB", (16, 5000)).save(copied / "i0-0.png")
    _score(copied, tmp_path / "scores")
    problem = _log(tmp_path / "scores", "model")["i0", 0].problem("l1")
    assert problem is not None
    assert problem.reason == "wrong_size"
