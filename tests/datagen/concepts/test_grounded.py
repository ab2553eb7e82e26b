"""Laws of the paper's segmenter: objects named by the nouns asked for, masks never empty, each picture as if alone."""

from pathlib import Path

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.concepts.detect import Detector
from cologen.datagen.concepts.detector_settings import DetectorSettings
from cologen.datagen.concepts.grounded import GroundedSegmenter
from cologen.datagen.concepts.segment import Sam
from cologen.datagen.concepts.segmenter import Segmenter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*autocast:FutureWarning"),
]

PICTURES = [
    np.kron(
        np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8),
        np.ones((16, width // 4, 1), dtype=np.uint8),
    )
    for seed, width in enumerate([96, 64, 96])
]
NOUNS = [("cat", "dog"), ("traffic light", "chair"), ()]
KEYS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def detector(dino_files) -> Detector:
    settings = DetectorSettings(short_side=64, long_side=128, box_threshold=0.5)
    return Detector.load(
        dino_files.config,
        dino_files.checkpoint,
        text_encoder=dino_files.text_encoder,
        device="cpu",
        settings=settings,
    )


@pytest.fixture(scope="module")
def sam(sam_checkpoint: Path) -> Sam:
    return Sam.load(sam_checkpoint, device="cpu")


@pytest.fixture(scope="module")
def segmenter(detector: Detector, sam: Sam) -> Segmenter:
    return GroundedSegmenter(detector, sam)


def test_objects_carry_noun_score_and_tight_box(segmenter: Segmenter) -> None:
    found = segmenter(PICTURES, NOUNS, KEYS)
    assert [bool(objects) for objects in found] == [True, True, False]
    for picture, nouns, objects in zip(PICTURES, NOUNS, found, strict=True):
        assert [each.score for each in objects] == sorted((each.score for each in objects), reverse=True)
        for each in objects:
            assert each.noun in nouns
            assert 0 < each.score <= 1
            assert rle.area(each.rle) > 0
            assert each.box == rle.box(each.rle, *picture.shape[:2])
            assert each.kind == "thing"


def test_scores_are_the_detectors(segmenter: Segmenter, detector: Detector) -> None:
    for objects, detections in zip(segmenter(PICTURES, NOUNS, KEYS), detector.detect(PICTURES, NOUNS), strict=True):
        assert {(each.noun, each.score) for each in objects} <= {(each.noun, each.score) for each in detections}


def test_twice_the_same(segmenter: Segmenter) -> None:
    assert segmenter(PICTURES, NOUNS, KEYS) == segmenter(PICTURES, NOUNS, KEYS[::-1])


def test_masks_that_overlap_more_than_asked_are_dropped(detector: Detector, sam: Sam) -> None:
    every = GroundedSegmenter(detector, sam)(PICTURES, NOUNS, KEYS)
    apart = GroundedSegmenter(detector, sam, mask_iou=0.1)(PICTURES, NOUNS, KEYS)
    assert sum(map(len, apart)) < sum(map(len, every))
    for picture, all_objects, objects in zip(PICTURES, every, apart, strict=True):
        assert objects[:1] == all_objects[:1]
        for place, each in enumerate(objects):
            iou, _ = rle.overlaps(each.rle, [other.rle for other in objects[:place]], *picture.shape[:2])
            assert iou.max(initial=0.0) <= 0.1


def test_the_overlap_must_be_a_share(detector: Detector, sam: Sam) -> None:
    with pytest.raises(ValueError, match=r"mask_iou must be in \[0, 1\], got 1.5"):
        GroundedSegmenter(detector, sam, mask_iou=1.5)


def test_its_name_goes_into_the_recipe(segmenter: Segmenter) -> None:
    assert segmenter.name == "groundingdino+sam"
