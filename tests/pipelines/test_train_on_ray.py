"""What is wrong with the command is said before Ray is started; training on a cluster is tried in ``end_to_end``."""

from typing import Any

import pytest

from pipelines import train_on_ray


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray may not be started."""

    def connected(cluster: Any) -> None:
        raise AssertionError(f"connects to {cluster}")

    monkeypatch.setattr(train_on_ray, "connected", connected)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--recipe", "nosuch"], "no recipe 'nosuch'; there are world"),
        (["--recipe", "nosuch.toml"], "no recipe file nosuch.toml"),
        (["--set", "rank=0"], "rank: Input should be greater than or equal to 1, got 0"),
        (["--stage", "paint"], "has no stage paint"),
        (["--dry-run"], "--dry-run trains nothing"),
    ],
)
def test_mistakes_are_one_message(given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_on_ray.main(["--workers", "2", "--", *given]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Failed: ") and words in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--", "--workers", "-1"], "--workers must be at least 0, got -1"),
        (["--", "--device", "tpu"], "--device must be auto, cpu or cuda"),
        (["--", "--fresh"], "--resume goes on and --fresh starts over"),
        (["--workers", "0", "--", "--stage", "0"], "--workers must be at least 1, got 0"),
        (["--stage", "0"], "--stage"),
    ],
)
def test_wrong_usage_leaves_with_two(given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        train_on_ray.main(given)
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())
