import os
import re
import shlex
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import tyro
import yaml

from pipelines.inpaint_options import InpaintOptions

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
WORKSPACE = "~/cologen-workspace/"


def load(name: str):
    return yaml.safe_load((DEPLOY / name).read_text())


def commands() -> list[str]:
    """The README's command lines, continued lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (DEPLOY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]


def builds() -> dict[str, str]:
    """The arguments after the builder's name, by where they are written."""
    found = {line.split(" --")[0]: line for line in [*commands(), load("rayjob.yaml")["spec"]["entrypoint"]]}
    return {where: re.split(r"build_inpaint(?:\.py --)? ", line)[1] for where, line in found.items() if "--src" in line}


@pytest.fixture(scope="module")
def ray() -> ModuleType:
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    import ray

    return ray


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.yaml")), ids=lambda path: path.name)
def test_every_yaml_is_a_mapping(path: Path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_every_script_parses(path: Path):
    subprocess.run(["bash", "-n", path], check=True)


def test_cluster_holds_to_rays_schema(ray: ModuleType):
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(load("cluster.yaml"))
    validate_config(prepared)
    node_type = prepared["available_node_types"][prepared["head_node_type"]]
    assert node_type["min_workers"] == node_type["max_workers"] == len(prepared["provider"]["worker_ips"])
    with pytest.raises(ValidationError, match="file_mount"):
        validate_config(prepared | {"file_mount": {}})


def test_cluster_mounts_what_a_node_needs():
    cluster = load("cluster.yaml")
    mounts = {there: here for there, here in cluster["file_mounts"].items() if there.startswith(WORKSPACE)}
    assert {there.removeprefix(WORKSPACE) for there in mounts} == set(mounts.values())
    assert all((ROOT / here).exists() for here in mounts.values())
    [setup] = cluster["setup_commands"]
    assert (ROOT / setup.removeprefix(f"bash {WORKSPACE}")).is_file()
    copied = re.findall(r"^COPY (\S+) \1$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert set(copied) == set(mounts.values())


def test_head_is_told_to_use_the_autoscaler_that_starts_workers():
    *_, start = load("cluster.yaml")["head_start_ray_commands"]
    assert start.startswith("RAY_enable_autoscaler_v2=0 ray start --head ")
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start


def test_environment_lies_outside_of_the_workspace_and_first_on_the_path():
    script = f". {shlex.quote(str(DEPLOY / 'environment.sh'))}; echo $UV_PROJECT_ENVIRONMENT $PATH; env -0"
    output = subprocess.run(["bash", "-c", script], env={"PATH": os.environ["PATH"]}, check=True, capture_output=True)
    first, rest = output.stdout.decode().split("\n", 1)
    environment, path = first.split(" ", 1)
    assert environment == f"{ROOT}-env"
    assert path == f"{environment}/bin:{os.environ['PATH']}"
    variables = dict(entry.split("=", 1) for entry in rest.split("\0") if entry)
    assert variables["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert variables["RAY_AUTH_MODE"] == "token"
    assert "PYTHONPATH" not in variables


def test_job_brings_the_sources_of_every_member(ray: ModuleType):
    runtime = ray.runtime_env.RuntimeEnv(**load("job.yaml"))
    members = {str(path.relative_to(ROOT)) for path in ROOT.glob("packages/*/src")}
    assert set(runtime["env_vars"]["PYTHONPATH"].split(":")) == members


def test_rayjob_has_the_shape_that_kuberay_expects(ray: ModuleType):
    job = load("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    [workers] = cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    [head_pod, worker_pod] = [group["template"]["spec"] for group in (cluster["headGroupSpec"], workers)]
    assert head_pod["volumes"] == worker_pod["volumes"]
    [[head], [worker]] = head_pod["containers"], worker_pod["containers"]
    assert head["image"] == worker["image"]
    assert head["volumeMounts"] == worker["volumeMounts"]
    assert f"docker build -f deploy/Dockerfile -t {head['image']} ." in commands()


def test_every_form_runs_the_same_build_with_options_that_exist():
    assert list(builds()) == [
        "uv run ray submit deploy/cluster.yaml pipelines/build_inpaint.py",
        "uv run ray job submit",
        "python -m pipelines.build_inpaint",
    ]
    [arguments] = set(builds().values())
    options = tyro.cli(InpaintOptions, args=shlex.split(arguments))
    assert options.build.address == "auto"
    assert options.build.root is not None
    assert options.build.root.is_absolute()
    assert options.build.out is not None
    assert Path(options.build.out).is_absolute()


def test_readme_names_files_that_exist():
    for line in commands():
        for word in shlex.split(line):
            if word.startswith(("deploy/", "pipelines/")):
                assert (ROOT / word).is_file(), line
