"""A mistake that only a training process on the cluster can see ends the command at its first try, with one message."""

from pathlib import Path

import pytest

from pipelines import train_on_ray

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_mistake_is_one_message_after_one_try(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--gpus-per-worker", "0", "--cpus-per-worker", "1", "--storage", str(tmp_path / "ray")]
    wrong = ["--device", "cpu", "--out", str(tmp_path / "run"), "--from", str(tmp_path / "nowhere")]
    assert train_on_ray.main([*given, "--", *wrong]) == 1
    said = capsys.readouterr()
    assert f"Failed: no checkpoint to branch off from in {tmp_path / 'nowhere' / 'checkpoints'}" in said.err
    assert "Starting again" not in said.out
    assert len(list((tmp_path / "ray").iterdir())) == 1
