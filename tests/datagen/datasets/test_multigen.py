import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen import images
from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.multigen import open_multigen
from cologen.datagen.pair_records import Condition
from cologen.datagen.records import Reason
from cologen.datagen.world.formats import multigen
from cologen.datagen.world.formats.drawing import World, draw

REAL = Path(__file__).resolve().parents[4] / "shared/real/multigen20m"
LINE = {"source": "./coco_sel/1.jpg", "prompt": "a cat ", "control_hed": "hed/control_1.jpg"}
Put = Callable[..., bytes]


@pytest.fixture
def root(tmp_path: Path, put_picture: Put) -> Path:
    put_picture(tmp_path / "multigen20m/dataset/images/coco_sel/1.jpg")
    put_picture(tmp_path / "multigen20m/dataset/conditions/hed/control_1.jpg", (80, 60), "L")
    put_picture(tmp_path / "multigen20m/dataset/conditions/seg/control_1.jpg", (80, 60))
    return tmp_path / "multigen20m"


def put_list(root: Path, task: str, *lines: object) -> None:
    path = root / f"dataset/json_files/aesthetics_plus_all_group_{task}_all.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))


def conditions(source: Dataset[Condition]) -> list[Condition]:
    readings = [source.read(index) for index in range(len(source))]
    return [reading.item for reading in readings if reading.item]


def rejections(source: Dataset[Condition]) -> list[tuple[str, Reason]]:
    return [(each.sample_id, each.reason) for i in range(len(source)) for each in source.read(i).rejections]


def test_each_line_of_each_list_is_a_condition(root: Path) -> None:
    put_list(root, "hed", LINE, {**LINE, "prompt": "again"})
    put_list(root, "segbase", {"source": "coco_sel/1.jpg", "prompt": "a cat", "control_seg": "seg/control_1.jpg"})
    put_list(root, "hedsketch", "never opened")
    for start, folder in ((root.parent, "multigen20m/dataset"), (root, "dataset"), (root / "dataset", ".")):
        source = open_multigen(start)
        assert isinstance(source, Dataset) and rejections(source) == []
        found = conditions(source)
        assert [each.condition_id for each in found] == ["hed/000000001", "hed/000000002", "segbase/000000001"]
        assert [each.kind for each in found] == ["hed", "hed", "segmentation"]
        assert found[0].image_uri == (Path(folder) / "images/coco_sel/1.jpg").as_posix()
        assert found[0].condition_uri == (Path(folder) / "conditions/hed/control_1.jpg").as_posix()
        assert (found[0].width, found[0].height, found[0].condition_size) == (64, 48, (80, 60))
        assert (found[0].prompt, found[1].prompt, found[0].split) == ("a cat", "again", "train")


def test_every_bad_line_is_counted_and_takes_no_other_with_it(root: Path) -> None:
    line = {"source": "./coco_sel/1.jpg", "prompt": "a cat ", "control_seg": "seg/control_1.jpg"}
    put_list(
        root,
        "seg",
        line,
        '{"source": "./coco_sel/1.jpg", "prompt": "a", "control_seg": "seg/control_1.jpg",}',
        {**line, "source": "./coco_sel/2.jpg"},
        {**line, "control_seg": "seg/control_2.jpg"},
        {**line, "control_seg": None},
        {**line, "prompt": " \n"},
        {**line, "source": "../../../../secret.jpg"},
        "3",
        "",
        {**line, "prompt": "\u200b."},
        line,
    )
    source = open_multigen(root)
    assert rejections(source) == [
        ("multigen/seg/000000002", Reason.MALFORMED_JSON),
        ("multigen/seg/000000003", Reason.MISSING_IMAGE),
        ("multigen/seg/000000004", Reason.MISSING_IMAGE),
        ("multigen/seg/000000005", Reason.MALFORMED_RECORD),
        ("multigen/seg/000000006", Reason.NULL_CAPTION),
        ("multigen/seg/000000007", Reason.UNSAFE_PATH),
        ("multigen/seg/000000008", Reason.MALFORMED_RECORD),
        ("multigen/seg/000000010", Reason.NULL_CAPTION),
    ]
    assert len(conditions(source)) == 2


@pytest.mark.parametrize("task", ["canny", "hed"])
def test_a_picture_needs_no_map_that_is_made_of_itself(task: str, root: Path) -> None:
    (root / "dataset/conditions/hed/broken.jpg").write_bytes(b"no picture")
    paths = ["hed/control_1.jpg", "hed/absent.jpg", "hed/broken.jpg", "../../../secret.jpg", None, 5]
    put_list(root, task, *({**LINE, f"control_{task}": path} for path in paths), {"source": "1.jpg", "prompt": "gone"})
    source = open_multigen(root)
    first, *others = conditions(source)
    assert (first.kind, first.condition_size) == (task, (80, 60))
    assert [(one.kind, one.condition_uri, one.condition_size, one.prompt) for one in others] == [
        (None, None, None, "a cat")
    ] * 5
    assert rejections(source) == [(f"multigen/{task}/000000007", Reason.MISSING_IMAGE)]


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dataset/json_files, json_files"):
        open_multigen(root)
    put_list(root, "pose", LINE)
    with pytest.raises(FileNotFoundError, match=r"none of aesthetics_plus_all_group_canny_all\.json"):
        open_multigen(root)
    with pytest.raises(ValueError, match="no split 'val'"):
        open_multigen(root, "val")


def test_the_world_comes_back(tmp_path: Path) -> None:
    world = World(num_scenes=4, width=96, height=80, seed=5)
    multigen.write(tmp_path, world)
    source = open_multigen(tmp_path)
    found = conditions(source)
    assert rejections(source) == []
    assert [each.kind for each in found] == ["canny"] * 4 + ["depth"] * 4 + ["segmentation"] * 4
    exact = {"canny": multigen.canny, "depth": multigen.depth_map, "segmentation": multigen.segmentation}
    for place, each in enumerate(found):
        drawing = draw(world, place % 4)
        assert each.kind and each.condition_uri and each.condition_size == (112, 96)
        assert each.prompt == drawing.captions[0]
        picture = images.decode(images.read_bytes(tmp_path, each.image_uri))
        assert np.abs(picture.astype(int) - drawing.rendering.picture).mean() < 8
        condition = images.decode(images.read_bytes(tmp_path, each.condition_uri)).astype(int)
        expected = exact[each.kind](drawing)
        expected = expected if expected.ndim == 3 else np.stack([expected] * 3, axis=-1)
        # Nearest neighbours: pixel i of the picture is first found at the next whole place of the condition.
        at = np.ix_(-(-np.arange(80) * 96 // 80), -(-np.arange(96) * 112 // 96))
        assert np.abs(condition[at] - expected).mean() < 16


@pytest.mark.skipif(not REAL.is_dir(), reason="no real samples beside the checkout")
def test_real_lines_read_where_their_pictures_are() -> None:
    source = open_multigen(REAL)
    found = conditions(source)
    assert len(source) > len(found) >= 1
    assert {reason for _, reason in rejections(source)} == {Reason.MISSING_IMAGE}
    cat = next(each for each in found if each.condition_uri == "dataset/conditions/hed/control_19578.jpg")
    assert (cat.width, cat.height, cat.condition_size) == (640, 427, (768, 512))
    assert cat.prompt == "A cat and a dog rest together on a hideous orange couch."
