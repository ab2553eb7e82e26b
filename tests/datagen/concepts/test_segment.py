"""Laws of segmentation: the masks of the original predictor, each picture as if alone, any shape read from the file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam as SamNetwork

from cologen.datagen import rle
from cologen.datagen.concepts.segment import Sam, build_sam
from cologen.datagen.records import Box

# pycocotools reads arrays in a way that NumPy 2 will give up.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PICTURES = [
    np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    for seed, size in enumerate([(40, 60), (90, 30), (64, 64), (50, 70), (20, 20)])
]
BOXES = [
    [Box(x0=2.0, y0=3.0, x1=40.0, y1=30.0), Box(x0=10.0, y0=10.0, x1=59.0, y1=39.0)],
    [Box(x0=0.0, y0=0.0, x1=30.0, y1=90.0)],
    [],
    [
        Box(x0=5.5, y0=1.25, x1=60.0, y1=44.0),
        Box(x0=1.0, y0=1.0, x1=9.0, y1=9.0),
        Box(x0=0.0, y0=0.0, x1=70.0, y1=50.0),
    ],
    [Box(x0=4.0, y0=4.0, x1=16.0, y1=16.0)],
]


@pytest.fixture(scope="module")
def sam(sam_checkpoint: Path) -> Sam:
    return Sam.load(sam_checkpoint, device="cpu", batch_size=2)


def test_masks_are_those_of_the_original_predictor(sam: Sam, tiny_sam: SamNetwork) -> None:
    predictor = SamPredictor(tiny_sam)
    for picture, boxes, found in zip(PICTURES, BOXES, sam.masks(PICTURES, BOXES), strict=True):
        assert len(found) == len(boxes)
        predictor.set_image(picture)
        for box, mask in zip(boxes, found, strict=True):
            expected, quality, _ = predictor.predict(box=np.array(box.xyxy()), multimask_output=False)
            decoded = rle.decode(mask.rle, *picture.shape[:2]).astype(bool)
            assert (decoded != expected[0]).mean() < 1e-3
            assert mask.predicted_iou == pytest.approx(float(quality[0]), abs=1e-5)
            assert mask.box == rle.box(mask.rle, *picture.shape[:2])


def test_masks_are_neither_all_nor_nothing(sam: Sam) -> None:
    shares = [
        rle.area(mask.rle) / (picture.shape[0] * picture.shape[1])
        for picture, found in zip(PICTURES, sam.masks(PICTURES, BOXES), strict=True)
        for mask in found
    ]
    assert sum(0.02 < share < 0.98 for share in shares) >= len(shares) // 2


def test_a_picture_is_segmented_as_if_alone(sam: Sam) -> None:
    together = sam.masks(PICTURES, BOXES)
    for picture, boxes, found in zip(PICTURES, BOXES, together, strict=True):
        (alone,) = sam.masks([picture], [boxes])
        for some, other in zip(alone, found, strict=True):
            size = picture.shape[:2]
            assert (rle.decode(some.rle, *size) != rle.decode(other.rle, *size)).mean() < 1e-3
            assert some.predicted_iou == pytest.approx(other.predicted_iou, abs=1e-5)


def test_the_shape_is_read_from_the_file(tiny_sam: SamNetwork) -> None:
    network = build_sam(tiny_sam.state_dict())
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name: value.shape for name, value in tiny_sam.state_dict().items()
    }
    assert [block.window_size for block in network.image_encoder.blocks] == [3, 0, 3]
    assert network.image_encoder.blocks[0].attn.num_heads == 4


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_published_shapes_are_read_from_their_files(name: str) -> None:
    with torch.device("meta"):
        original = sam_model_registry[name]()
        ours = build_sam(original.state_dict())
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: value.shape for key, value in original.state_dict().items()
    }
    for block, expected in zip(ours.image_encoder.blocks, original.image_encoder.blocks, strict=True):
        assert block.window_size == expected.window_size
        assert block.attn.num_heads == expected.attn.num_heads
        assert block.norm1.eps == expected.norm1.eps
    assert ours.image_encoder.img_size == original.image_encoder.img_size == 1024
    for layer, expected in zip(
        ours.mask_decoder.transformer.layers, original.mask_decoder.transformer.layers, strict=True
    ):
        assert layer.self_attn.num_heads == expected.self_attn.num_heads


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "linear.pth"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(ValueError, match=r"linear\.pth is no checkpoint of Segment Anything: it lacks 'image_encoder"):
        Sam.load(path)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        Sam.load(tmp_path / "nowhere.pth")
