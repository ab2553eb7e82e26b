"""``python -m pipelines.verify`` lists everything that is wrong, in the manifest itself too."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from cologen.datagen.manifest import Manifest, PartContent, commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from pipelines.verify import main


class _Recipe(BaseModel):
    seed: int = 0


def test_a_changed_manifest_is_listed_with_all_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Folder.open(tmp_path)
    empty = Manifest.empty("grounding", "refcoco", _Recipe(), num_parts=1, root=tmp_path, mix={})
    save_manifest(folder, empty.finished([commit_part(folder, 0, PartContent.of("grounding", [], []))]))
    changed = json.loads(folder.read("manifest.json")) | {"rows": 7}
    folder.write("manifest.json", json.dumps(changed).encode())
    (tmp_path / "part-00005.parquet").write_bytes(b"")
    assert main([str(tmp_path), "--workers", "1"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    for problem in ("its checksum differs", "the totals are not the sums over the parts", "is no part of the manifest"):
        assert problem in said
