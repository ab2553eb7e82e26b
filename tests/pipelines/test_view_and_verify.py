"""What ``pipelines.view`` and ``pipelines.verify`` say of a root that is no folder of this machine."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from cologen.datagen.engine.parts import DatasetRecipe
from cologen.datagen.manifest import Manifest, PartContent, commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.grounding import GroundingRecipe
from pipelines import verify, view


@pytest.mark.parametrize("command", [view, verify])
def test_a_uri_as_root_is_refused_by_name(
    command: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder.open(tmp_path / "out")
    folder.create()
    source = DatasetRecipe(name="lvis", split="train", num_images=1, part_size=1, fingerprint="x")
    recipe = GroundingRecipe(source=source)
    report = commit_part(folder, 0, PartContent.of("grounding", [], []))
    empty = Manifest.empty("grounding", "lvis", recipe, num_parts=1, root=tmp_path, mix=recipe.mix_asked)
    save_manifest(folder, empty.finished([report]))
    assert command.main([str(tmp_path / "out"), "--root", "s3://bucket/pictures"]) == 1
    assert "--root must be a folder on a disk of this machine" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--per-kind", "--columns"])
def test_a_sheet_has_samples_and_columns(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        view.main([str(tmp_path), option, "0"])
    said = capsys.readouterr()
    assert stopped.value.code == 2 and f"{option} must be at least 1, got 0" in said.out + said.err
