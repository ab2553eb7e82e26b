"""GroundingDINO and SAM from checkpoint files, through the whole build: Ray actors, concept manifest, masks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

from cologen.datagen.manifest import iterate_rows, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.world.formats import World, ensure
from pipelines import build_inpaint, verify

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def options(dino_files, sam_checkpoint: Path, tmp_path: Path) -> list[str]:
    root = tmp_path / "journeydb"
    ensure("journeydb", root, World(num_scenes=7, width=64, height=64, seed=1))
    return [
        *["--src", "journeydb", "--root", str(root), "--out", str(tmp_path / "out"), "--part-size", "3", "--cpus", "2"],
        *["--dino-config", str(dino_files.config), "--dino-checkpoint", str(dino_files.checkpoint)],
        *["--sam-checkpoint", str(sam_checkpoint), "--text-encoder", dino_files.text_encoder, "--device", "cpu"],
        *["--short-side", "64", "--long-side", "64"],
        *["--box-threshold", "0.3", "--text-threshold", "0.1"],
    ]


@pytest.mark.slow
def test_the_papers_segmenter_runs_in_actors(options: list[str], tmp_path: Path) -> None:
    assert build_inpaint.main(options) == 0
    concepts = Folder.open(tmp_path / "out-concepts")
    manifest = load_manifest(concepts)
    segmenter = manifest.recipe["segmenter"]
    assert segmenter["name"] == "groundingdino+sam"
    assert len(segmenter["sam"]["sha256"]) == 64
    rows = list(iterate_rows(concepts, manifest))
    found = [item for row in rows for item in row["objects"]]
    assert found
    assert all(item["noun"] in row["nouns"] for row in rows for item in row["objects"])
    assert verify.main([str(tmp_path / "out")]) == 0
    assert verify.main([str(tmp_path / "out-concepts")]) == 0


def test_a_missing_file_of_weights_is_one_message(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_inpaint.main([*options, "--sam-checkpoint", str(tmp_path / "absent.pth")]) == 1
    said = capsys.readouterr().err
    assert "absent.pth" in said
    assert "Traceback" not in said
