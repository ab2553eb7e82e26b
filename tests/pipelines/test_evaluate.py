"""One command generates, scores and reports: every benchmark end to end, with the same scores come what may."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from cologen.evaluation.benchmarks.catalog import BENCHMARKS
from cologen.evaluation.reporting.results import read_results
from cologen.model.world_base import packaged_base
from pipelines.evaluate import main
from tests.datagen.engine.test_actors import on_ray
from tests.evaluation import tiny_networks
from tests.evaluation.judges.chat_server import Asked, Reply, chat_server, said

DRAWN = ("--bench", "procedural", "--limit", "6", "--size", "32", "--steps", "1", "--device", "cpu")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Defaults such as data/ are below the working folder; the hub's cache of this machine is not looked into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """CLIP's tokens are bytes here: it reads more of them than the real one, so that captions fit."""
    found = tiny_networks.write_all(folder := tmp_path_factory.mktemp("networks"))
    found["clip"] = str(tiny_networks.write_clip(folder / "long-clip", most_tokens=600))
    return tuple(f"{name}={path}" for name, path in found.items())


def _scores(out: Path) -> dict[str, str]:
    """Each line of the log of scores, by its file and number: a difference is then named in one line."""
    files = {path.relative_to(out).as_posix(): path.read_text() for path in out.glob("scores/*/part-*.jsonl")}
    return {f"{name}:{number}": line for name, text in files.items() for number, line in enumerate(text.splitlines())}


def _value(out: Path, candidate: str, metric: str) -> float | None:
    figure = read_results(out / "results.json").figure(candidate, metric)
    assert figure is not None
    return figure.figure


def test_a_drawn_benchmark_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([*DRAWN, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "6 items, 6 outputs" in said
    assert "6 outputs generated, 0 were there, 0 could not be made" in said
    assert len(list((out / "outputs").glob("*.png"))) == 6
    assert _value(out, "oracle", "edit_accuracy") == _value(out, "oracle", "preservation_accuracy") == 1
    assert _value(out, "oracle", "l1_inside") == 0
    assert _value(out, "identity", "preservation_accuracy") == 1
    assert (_value(out, "identity", "edit_accuracy") or 0) < 0.5
    for name in ("report.html", "report.md"):
        assert "Procedural" in (out / name).read_text()
    settings = json.loads((out / "outputs/generation.json").read_text())
    assert settings["sampling"] == {"num_inference_steps": 1}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*-*.png")}
    assert main([*DRAWN, "--out", str(out)]) == 0
    assert "0 outputs generated, 6 were there" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*-*.png")}


def test_each_step_runs_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([*DRAWN, "--out", str(out), "--only", "report"]) == 1
    assert "nothing is scored" in capsys.readouterr().err
    assert main([*DRAWN, "--out", str(out), "--only", "generate"]) == 0
    assert not (out / "scores").exists()
    assert main([*DRAWN, "--out", str(out), "--only", "score"]) == 0
    assert not (out / "report.html").exists()
    assert main([*DRAWN, "--out", str(out), "--only", "report"]) == 0
    assert (out / "report.html").exists()


def test_versions_are_of_what_scored_and_other_versions_score_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([*DRAWN, "--out", str(out)]) == 0
    now = read_results(out / "results.json").run.versions
    file = out / "scores/scoring.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"versions": settings["versions"] | {"kornia": "0.0.1"}}))
    assert main([*DRAWN, "--out", str(out), "--only", "report"]) == 0
    assert read_results(out / "results.json").run.versions == {**now, "kornia": "0.0.1"}
    before = (out / "scores/model/part-00000.jsonl").stat().st_mtime_ns
    assert main([*DRAWN, "--out", str(out)]) == 0
    assert read_results(out / "results.json").run.versions == now
    assert (out / "scores/model/part-00000.jsonl").stat().st_mtime_ns > before


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DRAWN, "--out", str(tmp_path / "out"), "--dry-run", "--gpu", "h100"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "6 outputs to generate" in said
    assert "hours of one h100" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_outputs_of_another_model_are_scored_in_place_and_gaps_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, images = tmp_path / "out", tmp_path / "theirs"
    assert main([*DRAWN, "--out", str(out)]) == 0
    images.mkdir()
    for path in (out / "outputs").glob("*.png"):
        Image.open(path).save(images / f"{path.stem.removesuffix('-0')}.webp", lossless=True)
    Image.new("RGB", (16, 16)).save(images / "stray.png")
    other = tmp_path / "other"
    given = [*DRAWN, "--out", str(other), "--images", str(images)]
    assert main(given) == 0
    assert "1 pictures in" in capsys.readouterr().out
    assert _value(other, "model", "delta_e_inside") == _value(out, "model", "delta_e_inside")
    complete = _value(other, "model", "edit_accuracy")
    assert complete is not None
    next(images.glob("0*.webp")).unlink()
    assert main(given) == 1
    assert "1 of 6 outputs have no value" in capsys.readouterr().out
    pessimistic = _value(other, "model", "edit_accuracy")
    assert pessimistic is not None and pessimistic <= complete


@pytest.mark.slow
def test_more_items_are_added_and_another_reference_generates_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--bench", "magicbrush", "--scenes", "12", "--size", "32", "--steps", "1", "--device", "cpu"]
    given += ["--out", str(tmp_path / "out")]
    assert main([*given, "--limit", "2"]) == 0
    target = _value(tmp_path / "out", "model", "l1")
    assert main([*given, "--limit", "3"]) == 0
    assert "1 outputs generated, 2 were there" in capsys.readouterr().out
    assert main([*given, "--limit", "2", "--reference", "source"]) == 0
    assert "0 outputs generated, 2 were there" in capsys.readouterr().out
    assert _value(tmp_path / "out", "model", "l1") != target


def test_a_folder_without_any_output_leaves_what_was_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    assert main([*DRAWN, "--out", str(out), "--images", str(empty)]) == 1
    assert "no output of any item" in " ".join(capsys.readouterr().err.split())
    assert not (out / "scores").exists()


@pytest.mark.slow
def test_a_report_is_refused_where_its_log_is_of_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*DRAWN, "--out", str(out)]) == 0
    before = (out / "results.json").read_bytes()
    changed = [each if each != "32" else "64" for each in DRAWN]
    assert main([*changed, "--out", str(out), "--only", "report"]) == 1
    assert "another protocol" in capsys.readouterr().err
    oracle = out / "scores/oracle/part-00000.jsonl"
    whole = oracle.read_bytes()
    oracle.unlink()
    assert main([*DRAWN, "--out", str(out), "--only", "report"]) == 1
    assert "lacks oracle/part-00000.jsonl" in " ".join(capsys.readouterr().err.split())
    oracle.write_bytes(whole)
    settings = (out / "scores/scoring.json").read_bytes()
    (out / "scores/scoring.json").write_text('{"protocol": 1}')
    assert main([*DRAWN, "--out", str(out), "--only", "report"]) == 1
    assert "says no protocol and no metrics" in " ".join(capsys.readouterr().err.split())
    (out / "scores/scoring.json").write_bytes(settings)
    victim = sorted((out / "outputs").glob("0*.png"))[0]
    Image.new("RGB", (32, 32)).save(victim)
    assert main([*DRAWN, "--out", str(out), "--only", "report"]) == 1
    assert "1 outputs have changed" in " ".join(capsys.readouterr().err.split())
    assert (out / "results.json").read_bytes() == before


@pytest.mark.slow
def test_outputs_of_other_weights_are_never_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    for factor in (1.0, 0.5):
        weights = {name: factor * each for name, each in load_file(packaged_base("world-tiny")).items()}
        (tmp_path / str(factor)).mkdir()
        save_file(weights, tmp_path / str(factor) / "base.safetensors")
    given = [*DRAWN, "--out", str(out), "--only", "generate", "--weights"]
    assert main([*given, str(tmp_path / "1.0/base.safetensors")]) == 0
    next((out / "outputs").glob("0*.png")).unlink()
    assert main([*given, str(tmp_path / "0.5/base.safetensors")]) == 1
    assert "weights:" in capsys.readouterr().err


@pytest.mark.slow
def test_outputs_of_conditions_by_another_extractor_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (tiny_networks.write_annotators(tmp_path / f"{seed}", seed=seed) for seed in (0, 1))
    given = ["--bench", "control_lineart", "--scenes", "2", "--limit", "1", "--size", "32", "--steps", "1"]
    given += ["--true-cfg", "1", "--device", "cpu", "--only", "generate", "--out", str(tmp_path / "out")]
    assert main([*given, "--extractor", str(first)]) == 0
    assert main([*given, "--extractor", str(first / "sk_model.pth")]) == 0
    assert main([*given, "--extractor", str(second)]) == 1
    assert "extractor:" in capsys.readouterr().err


@pytest.mark.slow
def test_outputs_made_otherwise_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([*DRAWN, "--out", str(out), "--only", "generate"]) == 0
    assert main([*DRAWN, "--out", str(out), "--seed", "5"]) == 1
    assert "seed: 0, not 5" in " ".join(capsys.readouterr().err.split())
    assert main([*DRAWN, "--out", str(out), "--seed", "5", "--fresh", "--only", "generate"]) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--bench", "procedural", "--turns", "multi"], "no option turns"),
        (["--bench", "magicbrush", "--root", "nowhere"], "nowhere"),
        (["--bench", "procedural", "--network", "clip"], "NAME=PATH"),
        (["--bench", "procedural", "--images", ".", "--only", "generate"], "nothing is to be generated"),
        (["--bench", "procedural", "--images", "nowhere"], "nowhere is no folder"),
        (["--bench", "procedural", "--images", ".", "--adapter", "a"], "--adapter is of no use without outputs"),
        (["--bench", "gedit", "--judge-model", "m"], "judge-endpoint"),
        (["--bench", "procedural", "--candidates", "model", "model"], "names one twice: model model"),
        (["--bench", "nothing"], "invalid choice"),
    ],
)
def test_mistakes_are_one_message(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main([*given, "--device", "cpu"])
    except SystemExit as error:
        code = error.code
    assert code in (1, 2)
    captured = capsys.readouterr()
    assert said in " ".join((captured.out + captured.err).split())
    assert "Traceback" not in captured.err


@pytest.mark.slow
@pytest.mark.parametrize("bench", [name for name in BENCHMARKS if name != "procedural"])
def test_every_benchmark_runs_on_its_synthetic_layout(bench: str, networks: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    # MS-SSIM needs 176 pixels, where attention and the annotators, of their published sizes, take seconds an output.
    large = bench in ("control_hed", "control_lineart")
    num_items = 2 if large else 3
    scenes = "24" if bench == "control_ade20k" else "6"  # a tenth of ADE20K is its validation split
    given = ["--bench", bench, "--scenes", scenes, "--limit", str(num_items), "--out", str(out), "--device", "cpu"]
    given += ["--size", "176" if large else "64"] if _has(bench, "size") else []
    sources = dict(each.split("=", 1) for each in networks)
    extractor = ["--extractor", sources[bench.removeprefix("control_")]] if _has(bench, "extractor") else []
    given += ["--steps", "1", "--true-cfg", "1", "--network", *networks]
    assert main([*given, *extractor]) == 0
    if extractor:  # a report needs no network
        assert main([*given, "--only", "report"]) == 0
    results = read_results(out / "results.json")
    assert results.benchmark.num_items == num_items
    judged = bench in ("gedit", "imgedit")
    assert bool(results.run.unmeasured) == judged
    for figure in results.candidates["model"]:
        assert figure.counts.num_problems == 0, figure
    if not judged:
        assert results.candidates["model"], "something is measured"
        assert bool(results.run.networks) == (BENCHMARKS[bench].format is not None), "what is drawn needs no network"


def _has(bench: str, option: str) -> bool:
    return option in BENCHMARKS[bench].options


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    assert main([*DRAWN, "--out", str(out)]) == 0
    return out


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", ["3", "8"])
def test_a_batch_size_changes_no_score(batch_size: str, undisturbed: Path, tmp_path: Path) -> None:
    assert main([*DRAWN, "--out", str(tmp_path / "out"), "--batch-size", batch_size]) == 0
    assert _scores(tmp_path / "out") == _scores(undisturbed) != {}


class TestOnRay:
    pytestmark = on_ray

    def test_two_workers_change_no_score(self, undisturbed: Path, tmp_path: Path) -> None:
        assert main([*DRAWN, "--out", str(tmp_path / "out"), "--workers", "2"]) == 0
        assert _scores(tmp_path / "out") == _scores(undisturbed)


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_scores(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pipelines.evaluate", *DRAWN, "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while not list(out.glob("outputs/*.png")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert 0 < len(list(out.glob("outputs/*.png"))) < 6
    assert main([*DRAWN, "--out", str(out)]) == 0
    assert _scores(out) == _scores(undisturbed)


@pytest.mark.slow
def test_chance_is_told_from_skill(tmp_path: Path) -> None:
    """Blank pictures, noise and another item's output score far from the oracle."""
    out = tmp_path / "out"
    candidates = ["model", "oracle", "identity", "blank", "noise", "shuffled"]
    assert main([*DRAWN, "--out", str(out), "--candidates", *candidates]) == 0
    accuracy = {each: _value(out, each, "preservation_accuracy") for each in candidates}
    assert accuracy["oracle"] == accuracy["identity"] == 1
    assert all((accuracy[each] or 0) < 0.3 for each in ("blank", "noise", "shuffled")), accuracy
    assert np.isfinite([value for value in accuracy.values() if value is not None]).all()


@pytest.mark.slow
def test_a_judge_is_asked_once_and_nonsense_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    consistent = '{"reasoning": "", "scores": {"followed": 4, "kept": 9}}'
    perceived = '{"reasoning": "", "scores": {"natural": 9, "clean": 9}}'
    nonsense: list[str] = []

    def script(asked: Asked) -> Reply:
        if '"followed"' not in asked.prompt:
            return said(perceived if '"natural"' in asked.prompt else "ready")
        nonsense.append(asked.prompt)
        return said("I would give it a nine!" if len(nonsense) == 1 else consistent)

    given = ["--bench", "gedit", "--scenes", "12", "--limit", "4", "--steps", "1", "--device", "cpu"]
    given += ["--out", str(tmp_path / "out"), "--judge-model", "judge", "--judge-concurrency", "1"]
    with chat_server(script) as server:
        assert main([*given, "--judge-endpoint", server.url]) == 1
        asked = len(server.asked)
        assert main([*given, "--judge-endpoint", server.url]) == 1
        assert len(server.asked) == asked
    results = read_results(tmp_path / "out/results.json")
    semantic = results.figure("model", "gedit_sc")
    assert semantic is not None
    assert semantic.counts.problems == {"unparsable": 1}
    assert semantic.mean_of_scored == 4
    assert semantic.figure is not None and semantic.figure < 4
    identity = results.figure("identity", "gedit_sc")
    assert identity is not None and identity.counts.not_applicable == 4
