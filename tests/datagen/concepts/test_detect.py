"""Laws of detection: each picture as if alone, boxes as the original package finds them, no noun forgotten."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cologen.datagen.concepts.detect import (
    Detection,
    Detector,
    DetectorSettings,
    preprocess,
    resized_size,
    without_overlaps,
)
from cologen.datagen.concepts.grounding_dino import load_grounding_dino
from cologen.datagen.records import Box

pytestmark = [
    pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*autocast:FutureWarning"),
]

SMALL = DetectorSettings(short_side=64, long_side=128, box_threshold=0.5, text_threshold=0.3, nms_iou=1.0, batch_size=3)


@pytest.fixture(scope="module")
def network(dino_files) -> torch.nn.Module:
    return load_grounding_dino(dino_files.config, dino_files.checkpoint, dino_files.text_encoder)


@pytest.fixture(scope="module")
def detector(network: torch.nn.Module) -> Detector:
    return Detector(network, SMALL)


def _picture(seed: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((height // 4, width // 4, 1), dtype=np.uint8))


PICTURES = [_picture(0, 64, 96), _picture(1, 96, 64), _picture(2, 48, 72), _picture(3, 64, 96), _picture(4, 32, 48)]
NOUNS = [("cat", "dog"), ("traffic light",), ("teddy bear", "cats", "dog", "chair"), (), ("chair",)]


def _close(some: tuple[Detection, ...], others: tuple[Detection, ...]) -> None:
    assert [each.noun for each in some] == [each.noun for each in others]
    np.testing.assert_allclose([each.score for each in some], [each.score for each in others], atol=1e-5)
    corners = [[each.box.xyxy() for each in side] for side in (some, others)]
    np.testing.assert_allclose(corners[0], corners[1], atol=1e-3)


@pytest.mark.slow
def test_a_picture_is_read_as_if_alone(detector: Detector) -> None:
    together = detector.detect(PICTURES, NOUNS)
    assert [bool(found) for found in together] == [bool(nouns) for nouns in NOUNS]
    for picture, nouns, found in zip(PICTURES, NOUNS, together, strict=True):
        _close(detector.detect([picture], [nouns])[0], found)


@pytest.mark.slow
def test_order_does_not_matter(detector: Detector) -> None:
    forward = detector.detect(PICTURES, NOUNS)
    backward = detector.detect(PICTURES[::-1], NOUNS[::-1])[::-1]
    for some, others in zip(forward, backward, strict=True):
        _close(some, others)


@pytest.mark.slow
def test_without_the_correction_neighbours_are_read_through_each_others_masks(dino_files) -> None:
    network = load_grounding_dino(dino_files.config, dino_files.checkpoint, dino_files.text_encoder)
    for layer in network.transformer.encoder.text_layers:
        layer._forward_pre_hooks.clear()
    inputs = torch.stack([preprocess(PICTURES[0], (64, 96))] * 2)
    captions = ["cat . dog . chair .", "traffic light traffic light ."]
    with torch.inference_mode():
        together = network(inputs, captions=captions)["pred_logits"][0, :, :6]
        alone = network(inputs[:1], captions=captions[:1])["pred_logits"][0, :, :6]
    assert (together - alone).abs().max() > 1e-3


@pytest.mark.slow
def test_boxes_are_those_of_the_original_inference(network: torch.nn.Module, original_dino) -> None:
    nouns = ("cat", "traffic lights", "dog")
    settings = replace(SMALL, text_threshold=0.0)
    for picture in PICTURES:
        height, width = picture.shape[:2]
        inputs = preprocess(picture, resized_size(height, width, settings))
        boxes, scores, _ = original_dino.predict(
            network, inputs, "cat . traffic lights . dog .", 0.5, 0.25, device="cpu"
        )
        (found,) = Detector(network, settings).detect([picture], [nouns])
        centres, sizes = boxes[:, :2], boxes[:, 2:]
        corners = torch.cat([centres - sizes / 2, centres + sizes / 2], dim=1) * torch.tensor([width, height] * 2)
        corners = corners.clamp(torch.zeros(4), torch.tensor([width, height] * 2))
        expected = sorted(map(tuple, corners.tolist()))
        np.testing.assert_allclose(sorted(each.box.xyxy() for each in found), expected, atol=1e-3)
        assert max(each.score for each in found) <= scores.max() + 1e-5


@pytest.mark.slow
def test_the_noun_is_the_one_with_the_most_probable_token(network: torch.nn.Module) -> None:
    tokens = {"cat": [1], "traffic lights": [3, 4, 5], "dog": [7]}
    with torch.inference_mode():
        outputs = network(preprocess(PICTURES[0], (64, 96))[None], captions=["cat . traffic lights . dog ."])
    probabilities = outputs["pred_logits"][0].sigmoid()
    best = [max(tokens, key=lambda noun: row[tokens[noun]].max()) for row in probabilities]
    expected = [
        (noun, float(row[tokens[noun]].max()))
        for noun, row in zip(best, probabilities, strict=True)
        if row.max() > 0.5 and row[tokens[noun]].max() > 0.3
    ]
    (found,) = Detector(network, SMALL).detect([PICTURES[0]], [tuple(tokens)])
    expected.sort(key=lambda each: -each[1])
    assert [each.noun for each in found] == [noun for noun, _ in expected]
    np.testing.assert_allclose([each.score for each in found], [score for _, score in expected], atol=1e-5)


@pytest.mark.slow
def test_boxes_lie_inside_and_scores_descend(detector: Detector) -> None:
    for picture, found in zip(PICTURES, detector.detect(PICTURES, NOUNS), strict=True):
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
        for each in found:
            x0, y0, x1, y1 = each.box.xyxy()
            assert 0 <= x0 < x1 <= picture.shape[1]
            assert 0 <= y0 < y1 <= picture.shape[0]
            assert each.score > SMALL.text_threshold


def test_strips_hold_no_objects(detector: Detector) -> None:
    assert detector.detect([np.zeros((1, 5000, 3), np.uint8), np.zeros((999, 2, 3), np.uint8)], [("cat",)] * 2) == [
        (),
        (),
    ]


def test_long_noun_lists_are_asked_to_their_end(network: torch.nn.Module) -> None:
    nouns = (*(" ".join(["the"] * length) for length in range(1, 26)), "cat")
    everything = replace(SMALL, box_threshold=0.0, text_threshold=0.0)
    (found,) = Detector(network, everything).detect([PICTURES[0]], [nouns])
    (alone,) = Detector(network, everything).detect([PICTURES[0]], [("cat",)])
    assert len(found) > len(alone) > 0
    assert {each.noun for each in found} <= set(nouns)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (800, 800), (300, 2000), (2000, 300), (799, 1333), (33, 57)])
def test_pictures_are_prepared_as_the_original_package_does(size: tuple[int, int], original_dino) -> None:
    transforms = original_dino.transforms
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    original = transforms.Compose(
        [
            transforms.RandomResize([800], max_size=1333),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    expected, _ = original(Image.fromarray(picture), None)
    ours = preprocess(picture, resized_size(*size, DetectorSettings()))
    assert ours.shape == expected.shape
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def test_of_overlapping_boxes_the_best_stays_whatever_its_noun() -> None:
    worse = Detection(noun="cat", box=Box(x0=0.0, y0=0.0, x1=10.0, y1=10.0), score=0.5)
    better = Detection(noun="dog", box=Box(x0=0.0, y0=0.0, x1=10.0, y1=9.0), score=0.9)
    apart = Detection(noun="cat", box=Box(x0=20.0, y0=0.0, x1=30.0, y1=10.0), score=0.4)
    assert without_overlaps([worse, apart, better], 0.5) == (better, apart)
    assert without_overlaps([worse, apart, better], 0.95) == (better, worse, apart)
    assert without_overlaps([], 0.5) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box_threshold": 1.5}, "box_threshold must be in .* 1.5"),
        ({"text_threshold": -0.1}, "text_threshold"),
        ({"nms_iou": 2.0}, "nms_iou"),
        ({"short_side": 900, "long_side": 800}, "900 and 800"),
        ({"batch_size": 0}, "batch_size .* 0"),
    ],
)
def test_settings_are_checked_by_name(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(DetectorSettings(), **change)
