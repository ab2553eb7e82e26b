import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cologen.evaluation.reporting.results import read_results
from cologen.reports.contact_sheet import TILE
from cologen.trainer.json_files import write_sealed
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.run_folder import RECIPE, finish_stage
from cologen.trainer.watchers.metrics import (
    HELD_OUT,
    METRICS,
    HeldOutMetrics,
    StepMetrics,
    append,
)
from pipelines import experiment
from pipelines.evaluate import main as evaluate
from pipelines.experiment import Options, _chosen, main
from pipelines.experiment_figures import HEADLINES, RunFigures, Spread, forgotten, sweeps_of, with_parents
from pipelines.experiment_plan import ExperimentName, ExperimentRun, planned
from pipelines.experiment_report import FIGURES, MARKDOWN, write_report
from pipelines.experiment_results import read_figures, write_figures
from pipelines.experiment_steps import Children, Evaluation, Setting, evaluations, is_trained, settle, train_run


def num_samples(run: ExperimentRun) -> int:
    return sum(stage.iterations * stage.global_batch for stage in run.recipe.stages)


class TestPlan:
    def test_table_5_has_its_five_rows_and_ours_for_every_seed_at_equal_samples(self):
        runs = planned("table5", "tiny", (0, 7))
        rows = ["staged", "concept-only", "localization-only", "neither", "co-training", "replay", "gated-replay"]
        assert [run.name for run in runs] == [f"{row}-seed{seed}" for seed in (0, 7) for row in rows]
        most = num_samples(runs[0])
        assert all(abs(num_samples(run) / most - 1) < 0.01 for run in runs)
        assert {run.recipe.seed for run in runs} == {0, 7}

    def test_the_sweeps_of_figure_4_that_share_stages_begin_at_the_end_of_the_last_but_one(self):
        runs = planned("figure4", "tiny", (0,), ("stages.customized.iterations=33",))
        alone = {run.name for run in runs if run.parent is None}
        assert alone == {"staged-seed0", "rank-4-seed0", "rank-8-seed0", "rank-32-seed0"}
        after = [run for run in runs if run.parent]
        assert {(run.parent, run.begins_at) for run in after} == {("staged-seed0", "customized:33")}
        assert {run.sweep for run in after} == {"alpha", "rho"} and len(after) == 8
        assert all([each.stage for each in evaluations(run)] == [4] * 5 for run in after), "the parent has the others"

    def test_a_point_that_changes_nothing_is_the_staged_run(self):
        staged, *points = planned("figure4", "tiny", (3,))
        same = [run for run in points if run.same_as]
        assert [run.row for run in same] == ["alpha-0.5", "rank-16", "rho-0.8"]
        assert all((run.name, run.recipe) == (staged.name, staged.recipe) for run in same)

    def test_parents_come_before_the_runs_that_begin_after_them(self):
        runs = planned("figure4", "tiny", (0, 1))
        names = [run.name for run in runs]
        assert all(names.index(run.parent) < names.index(run.name) for run in runs if run.parent)

    def test_an_override_is_of_all_runs_and_a_wrong_one_is_named(self):
        assert {run.recipe.ema_decay for run in planned("table5", "tiny", (0,), ("ema_decay=0.5",))} == {0.5}
        with pytest.raises(ValueError, match="ema_dekay"):
            planned("table5", "tiny", (0,), ("ema_dekay=0.5",))

    def test_every_run_measures_all_tasks_after_its_last_stage_and_each_after_its_own(self):
        staged, _, _, neither, mixed, replay, gated = planned("table5", "tiny", (0,))
        own = [("inpaint", 0), ("grounding", 1), ("control", 2), ("customized", 3)]
        for run in (staged, replay, gated):
            assert [(each.task, each.stage) for each in evaluations(run)] == [*((task, 4) for task in HEADLINES), *own]
        assert [(each.task, each.stage) for each in evaluations(neither)][5:] == [("control", 0), ("customized", 1)]
        assert [(each.task, each.stage) for each in evaluations(mixed)] == [(task, 0) for task in HEADLINES]


def finished(folder: Path, of: Recipe) -> None:
    """What a run leaves that is trained by a recipe."""
    folder.mkdir(parents=True)
    write_sealed(folder / RECIPE, of.model_dump(mode="json"))
    for number in range(len(of.stages)):
        finish_stage(folder, number)


class TestSteps:
    def test_a_run_is_trained_by_its_own_recipe_alone(self, tmp_path: Path):
        run, *_ = planned("table5", "tiny", (0,))
        assert not is_trained(run, tmp_path)
        finished(tmp_path / run.name, run.recipe)
        assert is_trained(run, tmp_path)
        assert not is_trained(replace(run, recipe=run.recipe.replace(rank=4)), tmp_path)
        held_out = run.recipe.held_out
        assert held_out is not None
        for changed, same in ((held_out.replace(num_samples=1), True), (held_out.replace(rows_per_task=1), False)):
            assert is_trained(replace(run, recipe=run.recipe.replace(held_out=changed, log_every=7)), tmp_path) is same

    def test_training_that_was_stopped_is_not_taken_for_done(self, tmp_path: Path):
        children, (run, *_) = Children(), planned("table5", "tiny", (0,))
        children.stop()
        with pytest.raises(RuntimeError, match="staged-seed0 was stopped: run the same command again"):
            train_run(run, setting(tmp_path), children)

    def test_figures_that_were_measured_otherwise_are_not_mixed_in(self, tmp_path: Path):
        settle(setting(tmp_path))
        settle(setting(tmp_path))
        with pytest.raises(ValueError, match=r"measured otherwise \(items: 8, not 9\): ask for the same"):
            settle(replace(setting(tmp_path), num_items=9))
        base = tmp_path / "base.safetensors"
        base.write_bytes(b"other weights")
        with pytest.raises(ValueError, match=r"base: '[0-9a-f]{64}', not"):
            settle(replace(setting(tmp_path), base=base))


def setting(out: Path) -> Setting:
    return Setting(
        experiment="table5", scale="tiny", out=out, data=out, preset="world-tiny", base=None, num_items=8, steps=1,
        edits_seed=0, threads=1, device="cpu",
    )  # fmt: skip


class TestChildren:
    def test_a_command_that_fails_is_told_with_the_end_of_its_log(self, tmp_path: Path):
        command = [sys.executable, "-c", "print('first'); raise SystemExit('no such base')"]
        with pytest.raises(RuntimeError, match="no such base"):
            Children().run(command, tmp_path / "logs" / "one.log", 1)

    def test_a_stop_reaches_what_is_at_work_and_nothing_else_is_started(self, tmp_path: Path):
        children, log = Children(), tmp_path / "one.log"
        program = (
            "import signal, sys, time\n"
            "def save(*_): print('saved', flush=True); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, save)\n"
            "print('begun', flush=True)\n"
            "time.sleep(60)"
        )
        thread = threading.Thread(target=children.run, args=([sys.executable, "-c", program], log, 1))
        thread.start()
        while not (log.is_file() and log.read_text()):
            time.sleep(0.02)
        children.stop()
        thread.join(30)
        assert not thread.is_alive() and log.read_text() == "begun\nsaved\n"
        children.run([sys.executable, "-c", "print('another')"], log, 1)
        assert log.read_text() == "begun\nsaved\n"


def test_sigterm_stops_what_is_at_work(tmp_path: Path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pipelines.experiment_steps import at_work\n"
        "sleeping = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
        "with at_work(1) as (pool, children):\n"
        "    pool.submit(children.run, [sys.executable, '-c', sleeping], Path(sys.argv[1]), 1).result()\n"
    )
    log = tmp_path / "one.log"
    with subprocess.Popen([sys.executable, "-c", program, str(log)], stderr=subprocess.DEVNULL) as process:
        while not (log.is_file() and log.read_text().endswith("\n")):
            time.sleep(0.02)
        process.terminate()
        assert process.wait(30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


class TestSpread:
    def test_the_interval_is_student_s(self):
        found = Spread.of([1.0, 2.0, 3.0])
        assert found is not None and found.mean == 2.0
        assert found.half_width == pytest.approx(2.4841377, abs=1e-6)  # 4.3026527 · 1 / √3

    def test_one_value_has_no_interval_and_none_no_spread(self):
        assert Spread.of([None, 4.0]) == Spread(mean=4.0, half_width=None, values=[4.0])
        assert Spread.of([None]) is None


def test_what_is_forgotten_is_a_task_after_its_own_stage_and_after_the_last():
    run = planned("table5", "tiny", (0,))[0]
    figures = {(0, "inpaint", "hidden"): 0.8, (4, "inpaint", "hidden"): 0.7, (4, "editing", "made"): 0.5}
    found = [RunFigures(run=run, figures=figures, losses={}, usage={}, samples=0, seconds=0.0)]
    pair = forgotten(found, "staged", "inpaint", "hidden")
    assert pair is not None and [each.mean for each in pair] == [0.8, 0.7]
    assert forgotten(found, "staged", "editing", "made") is None, "the last stage has nothing after it"
    assert forgotten(found, "co-training", "inpaint", "hidden") is None


def test_a_task_is_measured_after_the_stage_that_trained_it_where_one_did():
    staged, _, localization, _, mixed, *_ = (
        RunFigures(run=run, figures={(0, "inpaint", "hidden"): 0.8}, losses={}, usage={}, samples=0, seconds=0.0)
        for run in planned("table5", "tiny", (0,))
    )
    assert [each.own("inpaint", "hidden") for each in (staged, localization, mixed)] == [0.8, None, 0.8]
    assert [each.last("inpaint", "hidden") for each in (staged, mixed)] == [None, 0.8]


def test_a_dry_run_names_the_runs_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert main(["table5", "--out", str(out), "--dry-run", "--rows", "co-training", "--seeds", "3"]) == 0
    said = capsys.readouterr().out
    assert "co-training-seed3: to be trained" in said and "Runs: 1. Evaluations: 5." in said
    assert not out.exists()


def test_rows_of_figure_4_bring_the_run_that_they_begin_after_and_no_other(tmp_path: Path):
    options = Options(experiment="figure4", out=tmp_path, rows=("alpha-0.1",))
    assert [run.row for run in _chosen(options, planned("figure4", "tiny", (0,)))] == ["staged", "alpha-0.1"]


def test_a_dry_run_finds_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = ["--out", str(tmp_path / "out"), "--dry-run"]
    assert main(["table5", "--also", str(tmp_path / "none.json"), *out]) == 1
    assert "none.json" in capsys.readouterr().err
    assert main(["table5", "--scale", "small", *out]) == 1
    assert "no base of world-small comes with the project" in capsys.readouterr().err


def test_an_override_that_a_row_cannot_have_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["table5", "--out", str(tmp_path / "out"), "--dry-run", "--rows", "staged"]
    assert main([*command, "--set", "stages.grounding.alpha=0"]) == 0
    capsys.readouterr()
    assert main([*command, "--set", "stages.grounding.router_rate=0"]) == 1
    assert "stages.grounding.router_rate: Input should be greater than 0" in capsys.readouterr().err
    assert main([*command, "--set", "stages.control.new_expert=false"]) == 1
    said = capsys.readouterr().err
    assert "neither cannot be trained so: the first stage has no expert" in said
    assert "pydantic" not in said


def test_a_row_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["table5", "--out", str(tmp_path / "out"), "--rows", "co-trained"]) == 1
    assert "table5 has no row 'co-trained'" in capsys.readouterr().err


class TestElsewhere:
    def read(self, path: Path, at: Setting) -> list[RunFigures]:
        plan = planned("table5", "tiny", (0,))
        return read_figures([path], plan, plan, at.identity)

    def test_figures_of_another_machine_are_read_as_they_were_written(self, tmp_path: Path):
        there = made_up_figures(1)
        write_figures(tmp_path / FIGURES, there, setting(tmp_path).identity)
        found = self.read(tmp_path / FIGURES, setting(tmp_path))
        assert [(each.run.row, each.run.recipe.seed) for each in found] == [("staged", 1), ("neither", 1)]
        for one, other in zip(found, there, strict=True):
            assert replace(one, run=other.run) == other
            assert one.run.recipe == other.run.recipe

    @pytest.mark.parametrize(("experiment", "num_seeds"), [("table5", 3), ("figure4", 1)])
    def test_the_figures_on_record_are_of_today_s_recipes_and_base(
        self, tmp_path: Path, experiment: ExperimentName, num_seeds: int
    ):
        record = Path(__file__).parents[2] / "docs" / "experiments" / f"{experiment}-tiny.json"
        plan, at = planned(experiment, "tiny", (3,)), replace(setting(tmp_path), num_items=40, steps=12)
        found = read_figures([record], plan, plan, replace(at, experiment=experiment).identity)
        assert Counter(each.run.row for each in found) == {run.row: num_seeds for run in plan}
        assert {each.run.recipe.seed for each in found} == set(range(num_seeds))

    def test_a_run_is_counted_once(self, tmp_path: Path):
        plan, at = planned("table5", "tiny", (0,)), setting(tmp_path).identity
        one, other = tmp_path / "one.json", tmp_path / "other.json"
        write_figures(one, made_up_figures(1), at)
        write_figures(other, [*made_up_figures(2), *made_up_figures(1)], at)
        assert len(read_figures([one], plan, plan, at)) == 2
        for paths in ([one, other], [one, one]):
            with pytest.raises(ValueError, match=r"holds staged of seed 1, which is in .*one\.json too"):
                read_figures(paths, plan, plan, at)

    @pytest.mark.parametrize(
        ("row", "changed", "words"),
        [
            ("staged", {"seed": 0}, "holds staged of seed 0, which is of this experiment's own runs too"),
            ("staged", {"rank": 3}, "holds staged, trained by another recipe than is planned here"),
            ("alpha-0", {}, "holds alpha-0, trained by another recipe than is planned here"),
        ],
    )
    def test_runs_that_do_not_fit_beside_those_here_are_refused(
        self, tmp_path: Path, row: str, changed: dict[str, int], words: str
    ):
        there = made_up_figures(1)[0]
        run = replace(there.run, row=row, recipe=there.run.recipe.replace(**changed))
        write_figures(tmp_path / FIGURES, [replace(there, run=run)], setting(tmp_path).identity)
        with pytest.raises(ValueError, match=words):
            self.read(tmp_path / FIGURES, setting(tmp_path))

    def test_another_experiment_other_measures_and_other_files_are_refused(self, tmp_path: Path):
        write_figures(tmp_path / FIGURES, made_up_figures(1), setting(tmp_path).identity)
        for changed, words in (
            ({"num_items": 9}, "items: 8, not 9"),
            ({"scale": "small"}, "scale: 'tiny', not 'small'"),
        ):
            with pytest.raises(ValueError, match=rf"another experiment, or was measured otherwise \({words}\)"):
                self.read(tmp_path / FIGURES, replace(setting(tmp_path), **changed))
        for text in ('{"format": "cologen-results/1"}', "[]", "{", '{"format": "cologen-experiment/1"}'):
            (tmp_path / "other.json").write_text(text)
            with pytest.raises(ValueError, match=r"other.json holds no results of an experiment: "):
                self.read(tmp_path / "other.json", setting(tmp_path))
        with pytest.raises(FileNotFoundError):
            self.read(tmp_path / "none.json", setting(tmp_path))


def made_up_figures(seed: int) -> list[RunFigures]:
    staged, _, _, neither, *_ = planned("table5", "tiny", (seed,))
    return [
        RunFigures(
            run=run, figures={(0, "control", "miou"): 0.5}, losses={"control": 0.1}, usage={(0, "control"): [1.0]},
            samples=32, seconds=1.5,
        )
        for run in (staged, neither)
    ]  # fmt: skip


class TestSweeps:
    def figures(self) -> list[RunFigures]:
        """Of figure 4: the share of edits made is the setting, that of holes 0.9 after their own stage."""
        found: list[RunFigures] = []
        for run in planned("figure4", "tiny", (0,)):
            own = {} if run.parent else {(0, "inpaint", "hidden"): 0.9}
            usage = {(4, "inpaint"): [0.25, 0, 0, 0, 0.75], (4, "editing"): [0, 0, 0, 0, 1.0]}
            figures = own | {(4, "inpaint", "hidden"): 0.5, (4, "editing", "made"): min(1.0, run.setting)}
            found.append(RunFigures(run=run, figures=figures, losses={}, usage=usage, samples=32, seconds=1.5))
        return found

    def test_a_point_has_the_figures_of_the_stages_that_it_shares(self):
        found = {each.run.row: each for each in with_parents(self.figures())}
        assert found["alpha-0"].own("inpaint", "hidden") == found["staged"].own("inpaint", "hidden") == 0.9
        assert found["alpha-0"].last("inpaint", "hidden") == 0.5
        assert found["rank-4"].own("inpaint", "hidden") == 0.9

    def test_values_rise_in_each_sweep(self):
        rows = {name: [each.run.row for each in runs] for name, runs in sweeps_of(self.figures()).items()}
        assert rows == {
            "alpha": ["alpha-0", "alpha-0.1", "alpha-0.25", "alpha-0.5", "alpha-1"],
            "rank": ["rank-4", "rank-8", "rank-16", "rank-32"],
            "rho": ["rho-0.2", "rho-0.4", "rho-0.6", "rho-0.8", "rho-1"],
        }

    def test_each_sweep_has_its_tables_and_its_curve(self, tmp_path: Path):
        at = replace(setting(tmp_path), experiment="figure4")
        text = write_report(self.figures(), [], at).read_text()
        _, alpha, rest = text.partition("## Figure 4a")
        alpha, _, rho = rest.partition("## Figure 4c")
        assert "| alpha-0 | 0.900 |" in alpha, "after its own stage, from the staged run"
        assert "| alpha-0.25 | 0.500 | – |" in alpha, "after the last stage"
        assert "| alpha-0.1 | 0.25 | – | – | – | 1.00 |" in alpha, "own experts"
        assert alpha.index("| alpha-0 |") < alpha.index("| alpha-0.1 |") < alpha.index("| alpha-0.5 |")
        assert "| rho-0.2 |" in rho and "rho-" not in alpha.partition("## Figure 4b")[0]
        assert {path.name for path in (tmp_path / "plots").iterdir()} == {"alpha.svg", "rank.svg", "rho.svg"}
        assert 'stroke-dasharray="3 3"' in (tmp_path / "plots" / "alpha.svg").read_text(), "the staged value"


class TestReport:
    def test_two_seeds_become_tables_plots_and_pictures(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """The training is made up; the questions are asked of the base alone."""
        out, asked = tmp_path / "out", list[Evaluation]()

        def train(run: ExperimentRun, setting: Setting, children: Children) -> bool:
            _made_up_logs(run, setting.out / run.name)
            return True

        def ask(evaluation: Evaluation, setting: Setting, children: Children) -> None:
            asked.append(evaluation)
            if evaluation.run.recipe.seed == 0:
                question = ["--bench", f"world_{evaluation.task}", "--level", "simple", "--limit", "4", "--steps", "1"]
                folder = str(evaluation.folder(setting.out))
                assert evaluate([*question, "--device", "cpu", "--candidates", "model", "--out", folder]) == 0

        monkeypatch.setattr(experiment, "train_run", train)
        monkeypatch.setattr(experiment, "evaluate_run", ask)
        monkeypatch.setattr(experiment, "ensure_manifests", lambda *_, **__: None)
        command = ["table5", "--rows", "co-training", "--seeds", "0", "1", "--jobs", "1", "--out", str(out)]
        assert main(command) == 0
        assert {(each.run.name, each.task) for each in asked} == {
            (f"co-training-seed{seed}", task) for seed in (0, 1) for task in HEADLINES
        }
        text = (out / MARKDOWN).read_text()
        assert "| co-training | 0.5000 ± 1.2706 |" in text, "losses of 0.4 and 0.6"
        figures = json.loads((out / FIGURES).read_text())["runs"]
        results = read_results(asked[0].folder(out) / "results.json").figure("model", "l1_outside")
        assert results is not None
        assert {"stage": 0, "task": "inpaint", "metric": "l1_outside", "value": results.figure} in figures[0]["figures"]
        assert {path.name for path in (out / "pictures").iterdir()} == {f"{task}.png" for task in HEADLINES}
        widths = set[int]()
        for path in (out / "pictures").iterdir():
            with Image.open(path) as picture:
                widths.add(picture.width)
        assert widths == {2 * 20 + 3 * TILE + 2 * 8}, "source, target and output side by side"
        assert len(list((out / "plots").glob("*.svg"))) == sum(map(len, HEADLINES.values()))

        other = tmp_path / "other"
        command = ["table5", "--rows", "co-training", "neither", "--seeds", "2", "--jobs", "1", "--out", str(other)]
        assert main([*command, "--also", str(out / FIGURES)]) == 0
        text = (other / MARKDOWN).read_text()
        assert "Means over 3 seeds, or as many as are named" in text
        assert "| co-training | 0.6000 ± 0.4968 |" in text, "losses of 0.4, 0.6 and 0.8"
        assert "| neither | 0.8000 (1 of 3 seeds) |" in text
        seeds = [each["recipe"]["seed"] for each in json.loads((other / FIGURES).read_text())["runs"]]
        assert seeds == [2, 2, 0, 1]
        with Image.open(other / "pictures" / "inpaint.png") as picture:
            assert picture.width == 2 * 20 + 2 * TILE + 8, "those elsewhere have no pictures here"


def _made_up_logs(run: ExperimentRun, folder: Path) -> None:
    folder.mkdir(parents=True)
    loss, last = 0.4 + 0.2 * run.recipe.seed, len(run.recipe.stages) - 1
    append(
        folder / METRICS,
        StepMetrics(
            stage=last, task="mixed", step=10, num_steps=10, loss=1.0, veteran=0.0, usage=1.0, gradient_norm=1.0,
            learning_rate=1e-3, samples_per_second=10.0, seconds=32.0, waited=0.0, skipped=0, failed=0, per_task={},
            router={},
        ),
    )  # fmt: skip
    append(
        folder / HELD_OUT,
        HeldOutMetrics(
            stage=last, task="mixed", step=10, protocol="p", seconds=1.0, loss=loss, overall=loss,
            num_rows={"inpaint": 2}, per_task={"inpaint": loss}, times=[0.5], per_time={"inpaint": [loss]}, measures={},
        ),
    )  # fmt: skip
