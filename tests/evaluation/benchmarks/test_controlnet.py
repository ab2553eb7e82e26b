from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import controlnet, controlnet_files
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws

Opener = Callable[[Path, Options], Benchmark]
OPENERS: dict[str, tuple[Opener, str]] = {
    "canny": (controlnet.open_canny, "multigen_canny_eval"),
    "hed": (controlnet.open_hed, "multigen_canny_eval"),
    "lineart": (controlnet.open_lineart, "multigen_canny_eval"),
    "depth": (controlnet.open_depth, "multigen_depth_eval"),
    "ade20k": (controlnet.open_ade20k, "ade20k"),
    "cocostuff": (controlnet.open_cocostuff, "captioned_cocostuff_eval"),
}
REAL = Path(__file__).resolve().parents[4] / "shared/real"
DRAWN = [name for name in OPENERS if name not in ("hed", "lineart")]


def noise(seed: int, size: tuple[int, int] = (48, 36)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(PIL.Image.fromarray(coarse).resize(size))


def cell(values: np.ndarray) -> dict[str, Any]:
    return {"bytes": laws.encoded(values), "path": None}


def row(seed: int, **others: Any) -> dict[str, Any]:
    return {
        "image": cell(noise(seed)),
        "text": f"prompt {seed}",
        "control_depth": cell(np.repeat(noise(seed + 100)[..., :1], 3, axis=2)),
        "prompt": f"prompt {seed}",
        "control_seg": cell(noise(seed + 200)),
        "seg_map": [[seed, 150], [0, 1]],
        "panoptic_seg_map": [[seed, 170], [255, 1]],
        **others,
    }


def put_rows(root: Path, rows: list[dict[str, Any]]) -> Path:
    (root / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "data/validation-00000-of-00001.parquet")
    return root


@pytest.mark.parametrize("name", OPENERS)
def test_rows_are_asked_four_times_under_the_protocol(name: str, tmp_path: Path) -> None:
    opener, _ = OPENERS[name]
    found = opener(put_rows(tmp_path, [row(1), row(2)]), Options())
    assert [(item.item_id, item.prompt) for item in found.items] == [("0", "prompt 1"), ("1", "prompt 2")]
    assert found.items[1].num_outputs == 4 and found.items[1].task == "control"
    assert found.items[1].output_names[0].format(i=2) == "images/group_2/1.png"
    assert dict(found.sampling) == {"num_inference_steps": 20, "true_cfg_scale": 7.5}
    target = found.expected(found.items[0]).target
    assert target is not None and target.shape == (512, 512, 3)
    wanted = PIL.Image.fromarray(noise(1)).resize((512, 512), PIL.Image.Resampling.BICUBIC)
    assert np.array_equal(target, np.asarray(wanted)), "squashed, bicubic, not cropped"


@pytest.mark.parametrize("name", DRAWN)
def test_every_item_repeats(name: str, tmp_path: Path) -> None:
    opener, _ = OPENERS[name]
    put_rows(tmp_path, [row(1), row(2)])
    laws.check(opener(tmp_path, Options(size=64)), opener(tmp_path, Options(size=64)))
    question = opener(tmp_path, Options(size=64)).question(opener(tmp_path, Options()).items[0])
    assert question.pictures[0].shape == (64, 64, 3) and (question.width, question.height) == (64, 64)
    assert question.negative_prompt == "worst quality, low quality"


def test_edges_are_the_protocols_and_others_can_be_shown(tmp_path: Path) -> None:
    put_rows(tmp_path, [row(1)])
    usual, other = (controlnet.open_canny(tmp_path, Options(size=128, edges=edges)) for edges in (None, "opencv"))
    item = usual.items[0]
    expected = usual.expected(item)
    assert expected.condition is not None and expected.target is not None
    assert set(np.unique(expected.condition)) == {0, 255}
    assert np.array_equal(usual.question(item).pictures[0], np.repeat(expected.condition[..., None], 3, axis=2))
    shown = other.question(item).pictures[0][..., 0]
    assert np.array_equal(shown, cv2.Canny(expected.target, 100, 200))
    assert np.array_equal(other.expected(item).condition, expected.condition), "scored by the protocol's in both"


def test_depth_is_shown_squashed_and_scored_as_it_is_stored(tmp_path: Path) -> None:
    found = controlnet.open_depth(put_rows(tmp_path, [row(1)]), Options(size=64))
    stored = noise(101)[..., 0]
    assert np.array_equal(found.expected(found.items[0]).condition, stored)
    wanted = PIL.Image.fromarray(np.repeat(stored[..., None], 3, axis=2)).resize((64, 64), PIL.Image.Resampling.BICUBIC)
    assert np.array_equal(found.question(found.items[0]).pictures[0], np.asarray(wanted))


def test_labels_are_the_maps_of_the_protocol(tmp_path: Path) -> None:
    put_rows(tmp_path, [row(3), row(4)])
    ade, coco = (opener(tmp_path, Options()) for opener in (controlnet.open_ade20k, controlnet.open_cocostuff))
    for found, values in ((ade, [[4, 150], [0, 1]]), (coco, [[4, 170], [255, 1]])):
        condition = found.expected(found.items[1]).condition
        assert condition is not None and condition.dtype == np.uint8 and condition.tolist() == values


@pytest.mark.parametrize("name", ["hed", "lineart"])
def test_networks_conditions_need_their_weights_only_to_generate(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener, _ = OPENERS[name]
    found = opener(put_rows(tmp_path, [row(1)]), Options(size=64))
    assert found.expected(found.items[0]).condition is None
    with pytest.raises(ValueError, match=rf"control_{name} makes its conditions by a network: give its weights"):
        found.question(found.items[0])
    asked: list[tuple[str, Path]] = []

    def half(network: str, weights: Path, picture: np.ndarray) -> np.ndarray:
        asked.append((network, weights))
        return picture[..., 0] // 2

    monkeypatch.setattr(controlnet_files, "extracted", half)
    given = opener(tmp_path, Options(size=64, extractor=Path("w.pth")))
    target = given.expected(given.items[0]).target
    assert target is not None
    assert np.array_equal(given.question(given.items[0]).pictures[0][..., 1], target[..., 0] // 2)
    assert asked == [(name, Path("w.pth"))]
    assert "ms_ssim_wrapped" in [metric.name for metric in given.metrics] or name == "hed"


def test_bad_rows_are_rejected_and_damage_is_a_bad_input(tmp_path: Path) -> None:
    rows = [
        row(1, text=None, prompt=None),
        row(2, image={"bytes": b"xx", "path": None}),
        row(3, control_seg=None, control_depth=None, seg_map=[[1, 2], [3]]),
        row(4, seg_map=None),
        row(5, prompt="long " * 300, text="long " * 300),
    ]
    put_rows(tmp_path, rows)
    found = controlnet.open_ade20k(tmp_path, Options(size=64))
    assert [item.item_id for item in found.items] == ["1", "2", "3", "4"], "by the row, as outputs are named"
    assert [each.reason for each in found.rejected] == [Reason.NULL_CAPTION]
    for use, item, words in (
        (found.question, 0, "not_an_image"),
        (found.question, 1, "missing_image"),
        (found.expected, 1, "expected a map of classes"),
        (found.expected, 2, "expected a map of classes"),
    ):
        with pytest.raises(ScoreError, match=f"bad_input.*{words}"):
            use(found.items[item])
    assert len(found.items[3].texts["output"].split()) == 300
    with pytest.raises(ScoreError, match=r"bad_input.*missing_image"):
        controlnet.open_depth(tmp_path, Options()).expected(found.items[1])


def test_what_does_not_apply_or_is_missing_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file validation-\*\.parquet"):
        controlnet.open_canny(tmp_path, Options())
    put_rows(tmp_path, [{"image": cell(noise(1)), "text": "a"}])
    with pytest.raises(ValueError, match="no column control_depth"):
        controlnet.open_depth(tmp_path, Options())
    for opener, options, words in (
        (controlnet.open_canny, Options(extractor=tmp_path), "control_canny has no option extractor"),
        (controlnet.open_depth, Options(edges="opencv"), "control_depth has no option edges"),
        (controlnet.open_canny, Options(edges="sobel"), "no edges 'sobel'"),
    ):
        with pytest.raises(ValueError, match=words):
            opener(tmp_path, options)


@pytest.mark.parametrize("name", DRAWN)
def test_the_synthetic_dataset_has_the_same_layout(name: str, tmp_path: Path) -> None:
    opener, layout = OPENERS[name]
    world = World(num_scenes=12, width=64, height=48, seed=3)
    ensure(layout, tmp_path, world)
    found = opener(tmp_path, Options(size=64))
    laws.check(found, opener(tmp_path, Options(size=64)))
    assert len(found.items) == (2 if name == "ade20k" else 12) and found.rejected == ()
    condition = found.expected(found.items[0]).condition
    assert condition is not None and len(np.unique(condition)) > 1


@pytest.mark.skipif(not REAL.is_dir(), reason="no real samples at hand")
def test_real_photographs_and_maps_go_through(tmp_path: Path) -> None:
    """COCO's photographs beside MultiGen-20M's depth maps, of other sizes; ADE20K's with their labels."""
    photographs = sorted(REAL.glob("coco2017/**/*.jpg"))[:3]
    depths = sorted(REAL.glob("multigen20m/dataset/conditions/depth/*.jpg"))[:3]
    rows = [
        {"image": stored(photograph), "text": photograph.stem, "control_depth": stored(depth)}
        for photograph, depth in zip(photographs, depths, strict=True)
    ]
    put_rows(tmp_path / "multigen", rows)
    for opener in (controlnet.open_canny, controlnet.open_depth):
        found = opener(tmp_path / "multigen", Options(size=96))
        laws.check(found, opener(tmp_path / "multigen", Options(size=96)))
        assert [item.prompt for item in found.items] == [path.stem for path in photographs]
        for item in found.items:
            condition = found.expected(item).condition
            assert condition is not None and 0 < condition.mean() < 250
    labels = sorted(REAL.glob("ade20k_challenge/**/annotations/**/*.png"))
    pictures = [next(REAL.glob(f"ade20k_challenge/**/images/**/{path.stem}.jpg")) for path in labels]
    values = [np.asarray(PIL.Image.open(path)) for path in labels]
    put_rows(
        tmp_path / "ade/Captioned_ADE20K",
        [
            {"image": stored(picture), "control_seg": stored(picture), "prompt": "a room", "seg_map": [*value]}
            for picture, value in zip(pictures, values, strict=True)
        ],
    )
    ade = controlnet.open_ade20k(tmp_path / "ade", Options(size=96))
    assert len(ade.items) == len(values) > 0
    for item, value in zip(ade.items, values, strict=True):
        assert np.array_equal(ade.expected(item).condition, value)


def stored(path: Path) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": path.name}
