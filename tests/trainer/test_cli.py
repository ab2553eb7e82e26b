"""What the command line means; what it does is tried in ``end_to_end``."""

from pathlib import Path

import pytest

from cologen.trainer.cli import parsed


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
