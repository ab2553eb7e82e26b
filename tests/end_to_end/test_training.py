"""``train`` as it is used: killed and resumed, in two processes, on Ray, and with everything that can be wrong."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cologen.datagen.world.formats import World
from cologen.model.world_base import packaged_base
from cologen.trainer import cli
from cologen.trainer.data.world import ensure_manifests
from tests.processes import ray_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STEPS = 20
SHORT = [
    "micro_batch=4",
    "checkpoint_every=5",
    "num_samples=2",
    "stages.inpaint.warmup_steps=2",
    f"stages.inpaint.iterations={STEPS}",
    "stages.inpaint.global_batch=8",
    # The veteran loss at work from the first step, with both experts chosen about equally often.
    "stages.grounding.warmup_steps=0",
    f"stages.grounding.iterations={STEPS}",
    "stages.grounding.global_batch=8",
    "stages.grounding.newcomer_bias=0",
    "stages.grounding.rho=0.5",
    "stages.grounding.alpha=0.5",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic dataset's manifests of the first two stages, made by the engine."""
    folder = tmp_path_factory.mktemp("data")
    ensure_manifests(
        folder,
        ["inpaint-cocostuff", "grounding-refcoco"],
        World(num_scenes=24, width=48, height=48, seed=0),
        lambda line: None,
    )
    return folder


def arguments(data: Path, out: Path, *more: str, stage: str = "inpaint") -> list[str]:
    given = ["--data", str(data), "--out", str(out), "--workers", "0", "--device", "cpu", "--stage", stage]
    return [*given, *(part for each in SHORT for part in ("--set", each)), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def command(given: Sequence[str], launcher: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", *launcher, "cologen.trainer", *given]


def finished(given: Sequence[str], launcher: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    line = command(given, launcher)
    return subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=600, check=False)


def experts(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "adapter" / "expert-0.safetensors") | load_file(run / "adapter" / "router-0.safetensors")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 steps that nothing has disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = finished(arguments(data, run))
    assert done.returncode == 0, done.stderr
    return run


def test_a_run_leaves_a_report_pictures_and_an_adapter(whole: Path) -> None:
    assert (whole / "report.html").stat().st_size > 10_000
    assert (whole / "samples" / "0-inpaint.png").is_file()
    assert list((whole / "tensorboard").rglob("events.*"))
    assert (whole / "adapter" / "adapter.json").is_file()


def learned(run: Path) -> list[dict[str, object]]:
    """What a run wrote of its steps, but for how long they took."""
    kept = (json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in each.items() if name not in TIMES} for each in kept]


TIMES = ("seconds", "waited", "samples_per_second")


def test_killed_at_random_moments_a_supervised_stage_ends_in_the_same_files(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    """With its loading workers, as a machine that goes down; before, between and while checkpoints are written."""
    undisturbed, run, chance = tmp_path / "undisturbed", tmp_path / "run", random.Random(11)
    for each in (undisturbed, run):
        shutil.copytree(whole, each)
    steps = ("--resume", "--set", "log_every=1")
    done = finished(arguments(data, undisturbed, *steps, stage="grounding"))
    assert done.returncode == 0, done.stderr

    given = arguments(data, run, *steps, "--set", "checkpoint_every=3", "--workers", "2", stage="grounding")
    for step in (3, 9):
        with subprocess.Popen(
            command(given), env=environment(), stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            deadline = time.monotonic() + 300
            while not [*run.glob(f"checkpoints/1-grounding-*{step}")] and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.5))
            os.killpg(process.pid, signal.SIGKILL)
    assert not (run / "adapter" / "router-1.safetensors").exists()
    done = finished(given)
    assert done.returncode == 0, done.stderr

    ours, theirs = (
        {path.name: path.read_bytes() for path in (each / "adapter").glob("*.safetensors")}
        for each in (run, undisturbed)
    )
    assert ours == theirs
    assert learned(run) == learned(undisturbed)
    assert [path for path in (run / "checkpoints").iterdir() if path.name.startswith(".")] == []


def test_asked_to_stop_it_saves_and_goes_on_to_the_same_bits(data: Path, whole: Path, tmp_path: Path) -> None:
    """A terminal's Ctrl-C reaches the loading workers too: all processes of the group are asked, as by SIGTERM."""
    run = tmp_path / "run"
    given = arguments(data, run, "--workers", "2", "--set", "checkpoint_every=1000")
    with subprocess.Popen(
        command(given), env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "step 10/" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert "SIGINT: finishing this step and saving" in said
    assert "the same command with --resume goes on" in said
    assert len(list(run.glob("checkpoints/0-inpaint-*"))) == 1
    resumed = finished([*given, "--resume"])
    assert resumed.returncode == 0, resumed.stderr
    assert all(torch.equal(weight, experts(whole)[name]) for name, weight in experts(run).items())


TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
ACCELERATE = ["accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1", "-m"]
ADAMW = ["--set", "optimizer.kind=adamw"]  # Muon's matrices cannot be sharded
SHARDED = [*ADAMW, "--strategy", "fsdp", "--set", "gradient_checkpointing=true"]


@pytest.mark.parametrize(
    ("launcher", "more"),
    [(TORCHRUN, []), (TORCHRUN, SHARDED), (ACCELERATE, [])],
    ids=["torchrun", "torchrun-fsdp", "accelerate"],
)
def test_two_processes_train_what_one_does(
    data: Path, whole: Path, tmp_path: Path, launcher: list[str], more: list[str]
) -> None:
    done = finished(arguments(data, tmp_path / "run", *more), launcher)
    assert done.returncode == 0, done.stderr
    if more == SHARDED:
        whole = tmp_path / "whole"
        assert finished(arguments(data, whole, *ADAMW)).returncode == 0
    found, expected = experts(tmp_path / "run"), experts(whole)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6)


def test_a_run_of_one_process_goes_on_in_two(data: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "checkpoints" / "0-inpaint-00000020")
    (run / "finished.json").unlink()
    done = finished(arguments(data, run, "--resume"), TORCHRUN)
    assert done.returncode == 0, done.stderr
    for name, weight in experts(whole).items():
        torch.testing.assert_close(experts(run)[name], weight, rtol=0, atol=1e-6)


def test_a_ray_cluster_that_loses_a_worker_goes_on(data: Path, whole: Path, tmp_path: Path) -> None:
    import ray
    from ray.cluster_utils import Cluster

    from pipelines import train_on_ray

    run = tmp_path / "run"
    killed: list[int] = []

    def kill_one() -> None:
        """A training process, once there is a checkpoint to go on from."""
        deadline = time.monotonic() + 300
        while not list(run.glob("checkpoints/0-inpaint-*05")) and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = ray_processes("RayTrainWorker")
        if workers:
            workers[-1].kill()
            killed.append(workers[-1].pid)

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        killer = threading.Thread(target=kill_one)
        killer.start()
        given = [
            "--workers",
            "2",
            "--gpus-per-worker",
            "0",
            "--cpus-per-worker",
            "1",
            "--storage",
            str(tmp_path / "ray"),
        ]
        code = train_on_ray.main([*given, "--", *arguments(data, run)])
        killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert code == 0
    assert killed
    for name, weight in experts(whole).items():
        torch.testing.assert_close(experts(run)[name], weight, rtol=0, atol=1e-6)


def _no_room_on_the_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--stage", "paint"], "has no stage paint"),
        (["--set", "stages.inpaint.learning_rat=1"], "learning_rate"),
        (["--recipe", "cologen-flux", "--data", "nowhere"], "give the folder of its weights with --base"),
        (["--root", "inpaint-cocostuff=/nowhere"], "give their root"),
        (["--base", "nowhere.safetensors"], "no weights at nowhere.safetensors"),
        (["--base", "EMPTY/base.safetensors"], "base.safetensors is damaged"),
        (["--root", "inpaint-cocostuff=EMPTY"], "8 samples in a row cannot be loaded"),
        (["--stage", "editing"], "stands on stage 0 (inpaint)"),
    ],
)
def test_a_mistake_is_one_message(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "base.safetensors").write_bytes(b"weights")
    more = [each.replace("EMPTY", str(empty)) for each in more]
    assert cli.main([*arguments(data, tmp_path / "run"), *more]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Failed: ")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("wanted", [lambda: torch.empty(1 << 60), _no_room_on_the_gpu])
def test_out_of_memory_says_what_to_lower(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wanted: Callable[[], object]
) -> None:
    monkeypatch.setattr(cli, "train", lambda options: wanted())
    assert cli.main([]) == 1
    error = capsys.readouterr().err
    assert "out of memory: lower micro_batch" in error
    assert len(error.splitlines()) == 1


def test_experts_of_one_base_do_not_go_on_with_another(
    data: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    (run / "finished.json").unlink()
    other = {name: weight + 0.01 for name, weight in load_file(packaged_base("world-tiny")).items()}
    save_file(other, tmp_path / "other.safetensors")
    assert cli.main(arguments(data, run, "--resume", "--base", str(tmp_path / "other.safetensors"))) == 1
    assert "experts of another base" in capsys.readouterr().err
    assert all(torch.equal(weight, experts(whole)[name]) for name, weight in experts(run).items())


def test_the_plan_of_the_papers_run_names_what_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = ["--recipe", "cologen-flux", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--dry-run"]
    assert cli.main([*given, "--gpus", "8"]) == 1
    printed = capsys.readouterr().out
    for expected in ("11.9", "inpaint-journeydb", "Missing"):
        assert expected in printed
    assert not (tmp_path / "run").exists()
