"""Segmenters: logits and queries to classes, written out a second time in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import Mask2FormerForUniversalSegmentation, SegformerForSemanticSegmentation

from cologen.evaluation.networks.preparing import IMAGENET
from cologen.evaluation.networks.segmenter import fitted, load_segmenter
from tests.evaluation.tiny_networks import NUM_CLASSES, pictures_of, write_mask2former

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), (512, 512)),
        ((640, 480), (683, 512)),
        ((480, 640), (512, 683)),
        ((1024, 1024), (512, 512)),
        ((3000, 300), (2048, 205)),
        ((64, 64), (512, 512)),
    ],
)
def test_pictures_fit_in_mmsegmentation_s_frame(size: tuple[int, int], expected: tuple[int, int]) -> None:
    found = fitted(np.zeros((size[1], size[0], 3), dtype=np.uint8))
    assert (found.shape[1], found.shape[0]) == expected


def test_logits_to_classes(sources: dict[str, str]) -> None:
    folder = Path(sources["segmenter"])
    picture = pictures_of((544, 512))[0]
    with torch.inference_mode():
        logits = SegformerForSemanticSegmentation.from_pretrained(folder).eval()(IMAGENET(picture)[None]).logits
        whole = F.interpolate(logits.double(), (512, 544), mode="bilinear", align_corners=False)[0]
    found = load_segmenter("segformer", folder, CPU).read([picture])[0]
    assert found.shape == (512, 544) and found.dtype == np.float32
    chosen = np.take_along_axis(whole.numpy(), found[None].astype(int), axis=0)[0]
    assert np.allclose(chosen, whole.amax(dim=0), atol=1e-5)
    assert len(np.unique(found)) > 1


def test_masks_and_their_classes(tmp_path: Path) -> None:
    """Each query's mask weighed with its classes, "no object" left out; of a picture that needs padding to 32."""
    folder = write_mask2former(tmp_path / "mask2former")
    picture = pictures_of((530, 512))[0]
    inputs = F.pad(IMAGENET(picture), (0, 544 - 530, 0, 0))
    with torch.inference_mode():
        out = Mask2FormerForUniversalSegmentation.from_pretrained(folder).eval()(inputs[None])
    masks = F.interpolate(out.masks_queries_logits.double(), (512, 544), mode="bilinear", align_corners=False)[0]
    weights = out.class_queries_logits[0].double().softmax(dim=-1)
    assert weights.shape[-1] == NUM_CLASSES + 1
    score = sum(weights[query, :-1, None, None] * masks[query].sigmoid() for query in range(len(masks)))
    assert isinstance(score, torch.Tensor)
    score = score[..., :530]
    found = load_segmenter("mask2former", folder, CPU).read([picture])[0]
    chosen = np.take_along_axis(score.numpy(), found[None].astype(int), axis=0)[0]
    assert np.allclose(chosen, score.amax(dim=0), atol=1e-5)


def test_classes_come_back_in_the_picture_s_size(sources: dict[str, str]) -> None:
    segmenter = load_segmenter("segformer", Path(sources["segmenter"]), CPU)
    found = segmenter.read(pictures_of((70, 40), (33, 61)))
    assert [each.shape for each in found] == [(40, 70), (61, 33)]
    assert all(set(np.unique(each)) <= set(range(NUM_CLASSES)) for each in found)


def test_another_network_is_refused(sources: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="clip"):
        load_segmenter("clip", Path(sources["clip"]), CPU)
