"""What the command line means; what it does is tried in ``end_to_end``."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from cologen.trainer.cli import main, parsed


def test_without_arguments_it_is_the_world():
    options = parsed([])
    assert (options.recipe, options.data, options.out, options.stage) == ("world", Path("data"), None, None)
    assert (options.loading.num_workers, options.loading.online.num_actors) == (2, 0)


def test_options_say_who_makes_the_batches_and_where_pictures_lie():
    makers = ["--workers", "8", "--control-workers", "2", "--control-gpus", "0.5"]
    options = parsed([*makers, "--root", "a=/b", "--root", "c=/d=e"])
    online = options.loading.online
    assert (options.loading.num_workers, online.num_actors, online.gpus_per_actor) == (8, 2, 0.5)
    assert options.roots == {"a": Path("/b"), "c": Path("/d=e")}
    assert parsed(["--set", "a=1", "--set", "b=2"]).set == ("a=1", "b=2")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--resume", "--fresh"], "starts over"),
        (["--root", "/data"], "--root takes MANIFEST=FOLDER"),
        (["--gpus", "0"], "--gpus must be at least 1"),
        (["--strategy", "none"], "ddp"),
    ],
)
def test_wrong_options_end_with_2_and_say_why(capsys: pytest.CaptureFixture[str], given: list[str], words: str):
    with pytest.raises(SystemExit) as ended:
        parsed(given)
    assert ended.value.code == 2
    assert words in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], 0),  # the world brings all that it needs
        (["--stage", "inpaint"], 0),
        (["--stage", "4"], 1),  # stands on stages that were not trained
        (["--stage", "none"], 1),
        (["--gpu", "tpu"], 1),
        (["--gpus", "3"], 1),  # 32 samples are not shared out among 3
        (["--base", "nowhere.safetensors"], 1),
        (["--recipe", "cologen-flux", "--gpus", "8"], 1),
        (["--recipe", "world-co-training", "--set", "quantize_base=int8"], 1 - bool(find_spec("torchao"))),
    ],
)
def test_a_dry_run_ends_with_1_if_the_run_could_not_begin(tmp_path: Path, given: list[str], code: int):
    assert main(["--dry-run", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *given]) == code
    assert list(tmp_path.iterdir()) == []
