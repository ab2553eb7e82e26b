from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.world.formats import magicbrush, multigen, omniedit, subjects200k, triplets
from cologen.datagen.world.formats.drawing import World
from cologen.datagen.world.formats.parquet_files import FILES, write_file, write_rows

pytestmark = pytest.mark.slow

IMAGE = "struct<bytes: binary, path: string>"
JUDGED = "struct<compositeStructure: int64, objectConsistency: int64, imageQuality: int64>"
DESCRIBED = (
    "struct<item: string, description_0: string, description_1: string, category: string, description_valid: bool>"
)
EDITED = {
    "omni_edit_id": "string", "task": "string", "src_img": IMAGE, "edited_img": IMAGE,
    "edited_prompt_list": "list<element: string>", "width": "int64", "height": "int64", "sc_score_1": "int64",
    "sc_score_2": "int64", "sc_reasoning": "string", "pq_score": "int64", "pq_reasoning": "string", "o_score": "double",
}  # fmt: skip
BRUSHED = {
    "img_id": "string", "turn_index": "int32", "source_img": IMAGE, "mask_img": IMAGE, "instruction": "string",
    "target_img": IMAGE,
}  # fmt: skip
MAPS = "list<element: list<element: uint8>>"
CAPTIONED = {
    "image": IMAGE, "control_seg": IMAGE, "prompt": "string", "semantic_seg_map": MAPS, "panoptic_seg_map": MAPS,
    "image_path": "string",
}  # fmt: skip
WRITERS: dict[Callable[..., None], dict[str, str]] = {
    subjects200k.write: {
        "image": IMAGE, "collection": "string", "quality_assessment": JUDGED, "description": DESCRIBED,
    },
    omniedit.write: EDITED,
    magicbrush.write: BRUSHED,
    triplets.write_parquet: {"source": IMAGE, "instruction": "string", "target": IMAGE, "edit_type": "string"},
    multigen.write_plain: {"image": IMAGE, "text": "string"},
    multigen.write_depth: {"image": IMAGE, "control_depth": IMAGE, "text": "string"},
    multigen.write_captioned_cocostuff: CAPTIONED,
}  # fmt: skip
OTHERS = [magicbrush.write_test, triplets.write, multigen.write]
Hashes = Callable[[Path], dict[str, str]]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: f"{write.__module__.rpartition('.')[2]}.{write.__name__}")
def test_columns_have_the_published_types(write: Callable[..., None], tmp_path: Path) -> None:
    write(tmp_path, World(num_scenes=2, width=32, height=32, seed=0))
    train, val = sorted((tmp_path / "data").iterdir(), key=lambda path: not path.name.startswith("train"))
    for path in (train, val):
        schema = pq.read_schema(path)
        types = {field.name: str(field.type).replace("item: list", "element: list") for field in schema}
        types = {name: kind.replace("<item: uint8", "<element: uint8") for name, kind in types.items()}
        assert types == WRITERS[write]


@pytest.mark.parametrize(
    "write", [*WRITERS, *OTHERS], ids=lambda write: f"{write.__module__.rpartition('.')[2]}.{write.__name__}"
)
def test_the_same_world_has_the_same_bytes(write: Callable[..., None], tmp_path: Path, hashes: Hashes) -> None:
    world = World(num_scenes=6, width=48, height=32, seed=3)
    for name in ("a", "b"):
        write(tmp_path / name, world)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


@pytest.mark.parametrize("write", [magicbrush.write_test, multigen.write, subjects200k.write])
def test_two_workers_write_what_one_does(write: Callable[..., None], tmp_path: Path, hashes: Hashes) -> None:
    for workers in (1, 2):
        write(tmp_path / str(workers), World(num_scenes=12, width=32, height=32, seed=3), workers=workers)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


def test_rows_keep_their_order_across_groups_and_scenes_without_a_row_leave_none(tmp_path: Path) -> None:
    rows = (("val" if i % 10 == 1 else "train", None if i == 5 else {"number": i}) for i in range(100))
    write_rows(tmp_path / "data", pa.schema([("number", pa.int64())]), rows)
    found = {split: pq.read_table(tmp_path / "data" / FILES[split])["number"].to_pylist() for split in FILES}
    assert found["train"] == [i for i in range(100) if i % 10 != 1 and i != 5]
    assert found["val"] == list(range(1, 100, 10))


def test_one_file_holds_its_rows_in_groups(tmp_path: Path) -> None:
    schema = pa.schema([("number", pa.int64())])
    write_file(tmp_path / "data/x.parquet", schema, ({"number": number} for number in range(70)))
    file = pq.ParquetFile(tmp_path / "data/x.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [32, 32, 6]
    assert file.read()["number"].to_pylist() == list(range(70))
