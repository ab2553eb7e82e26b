"""Bad input is a counted rejection with its reason, and nothing else is lost; a user's mistake is one clear message."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.manifest import Manifest, iterate_rows, load_manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.world.formats import World, ensure
from pipelines import build_editing, build_inpaint, verify, view

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SIDE = 96


@pytest.fixture(scope="module", autouse=True)
def one_cluster() -> Iterator[None]:
    """Builds join a cluster that is already there: all of this file share one."""
    with connected(Cluster(num_cpus=1)):
        yield


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _turned(data: bytes) -> bytes:
    """The same picture stored lying on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(Image.open(io.BytesIO(data)).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def _huge() -> bytes:
    """A PNG that claims 3.6 billion pixels."""
    data = bytearray(_encoded(Image.new("RGB", (SIDE, SIDE)), "PNG"))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    return bytes(data)


FAULTS: dict[str, Callable[[bytes], bytes | None]] = {
    "truncated_image": lambda data: data[: len(data) // 2],
    "empty_file": lambda _: b"",
    "not_an_image": lambda _: b"<html>404 Not Found</html>",
    "too_small": lambda _: _encoded(Image.new("RGB", (1, 1)), "JPEG"),
    "unsupported_mode": lambda _: _encoded(Image.new("LAB", (SIDE, SIDE)), "TIFF"),
    "unsupported_mode ": lambda _: _encoded(Image.new("RGB", (SIDE, SIDE)), "JPEG").replace(b"\xff\xc0", b"\xff\xc3"),
    "too_large": lambda _: _huge(),
    "missing_image": lambda _: None,
}


def _damage(paths: list[Path]) -> Counter[str]:
    """One fault for each of the first pictures, and a harmless turned one; returns the rejections to expect."""
    for path, (_, fault) in zip(paths, FAULTS.items(), strict=False):
        damaged = fault(path.read_bytes())
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
    turned = paths[len(FAULTS)]
    turned.write_bytes(_turned(turned.read_bytes()))
    return Counter(reason.strip() for reason in FAULTS)


def _build(source: str, root: Path, out: Path, *more: str) -> int:
    return build_inpaint.main(["--src", source, "--root", str(root), "--out", str(out), "--part-size", "8", *more])


def _rejected(out: Path, manifest: Manifest) -> dict[str, str]:
    folder = Folder.open(out)
    rows = [row for part in manifest.parts for row in read_part(folder, part.rejected_file).to_pylist()]
    return {row["sample_id"]: row["reason"] for row in rows}


def test_every_fault_of_an_annotated_source_is_counted(world: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "coco", tmp_path / "out"
    shutil.copytree(world / "cocostuff", root)
    paths = sorted((root / "train2017").iterdir())
    expected = _damage(paths)
    instances = json.loads((root / "annotations/instances_train2017.json").read_text())
    captions = json.loads((root / "annotations/captions_train2017.json").read_text())
    untouched = [int(path.stem) for path in paths[len(FAULTS) + 1 :]]
    outside, degenerate, uncaptioned = untouched[:3]
    common = {"category_id": instances["categories"][0]["id"], "iscrowd": 0, "area": 9.0, "bbox": [0, 0, 3, 3]}
    instances["annotations"] += [
        common | {"id": 900_001, "image_id": outside, "segmentation": [[500, 500, 600, 500, 600, 600]]},
        common | {"id": 900_002, "image_id": degenerate, "segmentation": [[1, 1, 2, 2]]},
    ]
    for caption in captions["annotations"]:
        if caption["image_id"] == uncaptioned:
            caption["caption"] = None
    (root / "annotations/instances_train2017.json").write_text(json.dumps(instances))
    (root / "annotations/captions_train2017.json").write_text(json.dumps(captions))

    assert _build("cocostuff", root, out) == 0

    manifest = load_manifest(Folder.open(out))
    rejected = _rejected(out, manifest)
    assert rejected["cocostuff/" + f"{outside:012d}@900001"] == "outside_image"
    assert rejected[f"cocostuff/{degenerate:012d}@900002"] == "degenerate_polygon"
    assert rejected[f"cocostuff/{uncaptioned:012d}"] == "null_caption"
    expected += Counter(
        {"outside_image": 1, "degenerate_polygon": 1, "null_caption": manifest.rejected["null_caption"]}
    )
    assert manifest.rejected == dict(expected)
    assert manifest.rows == len(paths) - len(FAULTS) - 1
    turned = f"cocostuff/{paths[len(FAULTS)].stem}#0"
    assert turned in {row["sample_id"] for row in iterate_rows(Folder.open(out), manifest)}
    assert verify.main([str(out)]) == 0
    assert view.main([str(out), "--per-kind", "1"]) == 0


def test_every_fault_of_a_source_without_objects_is_counted(world: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "journeydb", tmp_path / "out"
    shutil.copytree(world / "journeydb", root)
    expected = _damage(sorted((root / "data/train/imgs").rglob("*.jpg")))
    listing = next((root / "data/train").glob("*repath.jsonl"))
    lines = listing.read_bytes().splitlines()
    damaged = {json.loads(line)["img_path"] for line in lines} - {
        "./" + str(path.relative_to(root / "data/train/imgs"))
        for path in sorted((root / "data/train/imgs").rglob("*.jpg"))[len(FAULTS) - 1 :]
    }
    sound = [index for index, line in enumerate(lines) if json.loads(line)["img_path"] not in damaged]
    malformed, invalid, uncaptioned, nameless = sound[-4:]
    lines[malformed] = lines[malformed][:-20]
    lines[invalid] = lines[invalid].replace(b'"prompt": "', b'"prompt": "\xff\xfe', 1)
    for index, words in ((uncaptioned, None), (nameless, "very quickly and slowly")):
        lines[index] = json.dumps(json.loads(lines[index]) | {"prompt": words, "Task2": {"Caption": words}}).encode()
    listing.write_bytes(b"\n".join(lines) + b"\n")
    expected += Counter({"malformed_json": 1, "invalid_utf8": 1, "null_caption": 1, "no_nouns": 1})

    assert _build("journeydb", root, out) == 0

    manifest, concepts = (load_manifest(Folder.open(folder)) for folder in (out, f"{out}-concepts"))
    assert concepts.rejected == dict(expected)
    # The mix can turn pictures without objects away, and says so; nothing else is lost on the way.
    assert {**manifest.rejected, "no_objects": 0} == {**expected, "no_objects": 0}
    assert manifest.rows + manifest.rejected.get("no_objects", 0) == concepts.rows == len(lines) - expected.total()
    assert verify.main([str(out)]) == 0
    assert verify.main([f"{out}-concepts"]) == 0


def _edit(source: str, root: Path, out: Path) -> Manifest:
    arguments = ["--src", source, "--root", str(root), "--out", str(out), "--part-size", "8"]
    assert build_editing.main(arguments) == 0
    assert verify.main([str(out), "--workers", "1"]) == 0
    return load_manifest(Folder.open(out))


def test_every_fault_of_lines_of_pairs_is_counted(tmp_path: Path) -> None:
    root, out = tmp_path / "triplets", tmp_path / "out"
    ensure("triplets", root, World(num_scenes=24, width=SIDE, height=SIDE, seed=5))
    listing = root / "train.jsonl"
    lines = listing.read_text().splitlines()
    expected = _damage([root / json.loads(line)["target"] for line in lines])
    untouched = range(len(FAULTS) + 1, len(lines))
    comma, mute, escaping = list(untouched)[:3]
    lines[comma] = lines[comma].removesuffix("}") + ",}"
    lines[mute] = json.dumps(json.loads(lines[mute]) | {"instruction": "  "})
    lines[escaping] = json.dumps(json.loads(lines[escaping]) | {"source": "../../etc/passwd"})
    lines += [lines[untouched[-1]], lines[untouched[-2]]]
    listing.write_text("\n".join(lines) + "\n")
    expected += Counter({"malformed_json": 1, "empty_instruction": 1, "unsafe_path": 1, "duplicate_image": 2})

    manifest = _edit("triplets", root, out)

    assert manifest.rejected == dict(expected)
    # The turned picture is upright again, and kept.
    assert manifest.rows == len(lines) - expected.total()
    rejected = _rejected(out, manifest)
    assert rejected[f"triplets/train/{comma + 1:09d}"] == "malformed_json"
    assert rejected[f"triplets/train/{mute + 1:09d}"] == "empty_instruction"


def test_every_fault_of_parquet_is_counted_and_a_missing_column_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "omniedit", tmp_path / "out"
    ensure("omniedit", root, World(num_scenes=24, width=SIDE, height=SIDE, seed=5))
    [path] = (root / "data").glob("train-*.parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["src_img"] = None
    rows[1]["edited_img"] = {"bytes": None, "path": "gone.jpg"}
    rows[2]["edited_img"]["bytes"] = rows[2]["edited_img"]["bytes"][:-400]
    rows[3]["edited_prompt_list"] = [" "]
    rows[4]["edited_img"] = rows[4]["src_img"]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    expected = {
        "missing_image": 2, "truncated_image": 1, "empty_instruction": 1, "identical_pair": 1
    }  # fmt: skip

    manifest = _edit("omniedit", root, out)

    assert manifest.rejected == expected
    assert manifest.rows == len(rows) - sum(expected.values())

    pq.write_table(table.drop_columns(["edited_img"]), path)
    capsys.readouterr()
    arguments = ["--src", "omniedit", "--root", str(root), "--out", str(tmp_path / "other")]
    assert build_editing.main(arguments) == 1
    assert "has no column edited_img" in _message(capsys)


@pytest.fixture
def built(world: Path, tmp_path: Path) -> Path:
    out = tmp_path / "built"
    assert _build("cocostuff", world / "cocostuff", out, "--limit", "16") == 0
    return out


def _message(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.startswith("Failed:")
    assert "Traceback" not in said
    return said


def test_mistakes_are_one_message_and_exit_code_1(
    world: Path, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = world / "cocostuff"
    capsys.readouterr()
    assert _build("cocostuff", tmp_path / "nowhere", tmp_path / "out") == 1
    assert "nowhere" in _message(capsys)

    (tmp_path / "file").write_text("")
    assert _build("cocostuff", root, tmp_path / "file" / "out") == 1
    assert "cannot write" in _message(capsys)

    assert _build("cocostuff", root, built, "--limit", "16", "--max-object-iou", "0.2") == 1
    assert "policy.max_object_iou: 0.3 there, 0.2 now" in _message(capsys)

    assert _build("cocostuff", root, tmp_path, "--limit", "16") == 1
    assert "holds" in _message(capsys)

    with Folder.open(built).locked():
        assert _build("cocostuff", root, built, "--limit", "16") == 1
    assert "another process is building" in _message(capsys)

    part = built / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-9] + b"corrupted")
    assert _build("cocostuff", root, built, "--limit", "16") == 1
    assert "part-00001.parquet is damaged" in _message(capsys)
    assert verify.main([str(built)]) == 1
    assert "part-00001.parquet" in capsys.readouterr().out


def test_a_changed_recipe_starts_over_when_told_to(world: Path, built: Path) -> None:
    before = load_manifest(Folder.open(built))
    assert _build("cocostuff", world / "cocostuff", built, "--limit", "16", "--seed", "3", "--fresh") == 0
    after = load_manifest(Folder.open(built))
    assert after.recipe["seed"] == 3
    assert [part.sha256 for part in after.parts] != [part.sha256 for part in before.parts]


def test_building_again_changes_nothing(world: Path, built: Path) -> None:
    before = {path.name: path.read_bytes() for path in built.glob("*.parquet")}
    assert _build("cocostuff", world / "cocostuff", built, "--limit", "16") == 0
    assert {path.name: path.read_bytes() for path in built.glob("*.parquet")} == before


def test_dry_run_writes_no_manifest(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _build("journeydb", world / "journeydb", tmp_path / "out", "--dry-run") == 0
    assert "saliency+grabcut" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", ["ade20k", "ade20k_full"])
def test_both_forms_of_ade20k(world: Path, tmp_path: Path, layout: str) -> None:
    assert _build("ade20k", world / layout, tmp_path / "out") == 0
    assert verify.main([str(tmp_path / "out")]) == 0
    assert load_manifest(Folder.open(tmp_path / "out")).rows > 40


@pytest.mark.parametrize("wrong", [["--mix", "0.5", "0.5", "0.5"], ["--preset", "huge"], ["--part-size", "0"]])
def test_wrong_usage_is_exit_code_2(wrong: list[str], world: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        _build("cocostuff", world / "cocostuff", tmp_path / "out", *wrong)
    assert left.value.code == 2
