"""A class for every pixel, by a semantic segmentation network of transformers, tested as mmsegmentation tests.

    picture -> within 2048 x 512, shape kept (OpenCV, bilinear) -> ImageNet's normalisation -> the whole at once
    logits -> the picture's size (bilinear) -> the largest

Mask2Former (ControlNet++'s judge of ADE20K) is padded to sides divisible by 32, and its masks are enlarged before they
are weighed with the classes, as in mmsegmentation. The weights of the hub's ``facebook/mask2former-swin-large-ade-
semantic`` are its authors' and not mmsegmentation's. ControlNet++'s judge of COCO-Stuff, DeepLabV3, is read from
mmsegmentation's own file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cologen.datagen.weights import named
from cologen.evaluation.networks.checkpoints import identity_of, read_checkpoint
from cologen.evaluation.networks.deeplab import read_deeplab
from cologen.evaluation.networks.passes import passed
from cologen.evaluation.networks.preparing import IMAGENET, Input
from cologen.evaluation.records import Picture

LONGER, SHORTER = 2048, 512
MULTIPLE = 32
"""Mask2Former's sides are padded to multiples of it."""


def load_segmenter(source: str, path: Path, device: torch.device) -> Segmenter:
    """From a folder in transformers' form, or mmsegmentation's file of a DeepLabV3.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is no network of semantic segmentation, or damaged.
    """
    identity = identity_of(source, path, f"within-{LONGER}x{SHORTER}-whole-1")
    if path.is_file():
        return Segmenter(read_deeplab(path).to(device), device, identity, queries=False)
    network, queries = _of_transformers(path)
    return Segmenter(network.to(device), device, identity, queries)


def _of_transformers(folder: Path) -> tuple[Any, bool]:
    """The network, and whether it gives masks and their classes."""
    from transformers import (
        AutoConfig,
        AutoModelForSemanticSegmentation,
        Mask2FormerForUniversalSegmentation,
        MaskFormerForInstanceSegmentation,
    )

    with named(folder, "is not a checkpoint of a segmentation network"):
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
    of_queries: dict[str, Any] = {
        "mask2former": Mask2FormerForUniversalSegmentation,
        "maskformer": MaskFormerForInstanceSegmentation,
    }
    network: Any = of_queries.get(kind, AutoModelForSemanticSegmentation)
    return read_checkpoint(network, folder, "segmentation"), kind in of_queries


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A ``PictureNetwork``; ``queries`` says that the network gives masks and their classes."""

    network: Any
    device: torch.device
    identity: str
    queries: bool

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """The class of every pixel of each picture, from 0 on, as float32."""
        return [self._classes(picture) for picture in pictures]

    def _classes(self, picture: Picture) -> np.ndarray:
        scaled = IMAGENET(fitted(picture))
        size = scaled.shape[1], scaled.shape[2]

        def classes(inputs: Float[Tensor, "1 3 rows columns"]) -> Float[Tensor, "1 height width"]:
            logits = self._logits(inputs)[..., : size[0], : size[1]]
            whole = F.interpolate(logits, picture.shape[:2], mode="bilinear", align_corners=False)
            return whole.argmax(dim=1).float()

        return passed(classes, [_padded(scaled) if self.queries else scaled], self.device)[0]

    def _logits(self, inputs: Float[Tensor, "1 3 rows columns"]) -> Float[Tensor, "1 classes rows columns"]:
        """In the inputs' size; of queries, the sum of masks weighed with their classes, "no object" left out."""
        found = self.network(inputs)
        if not self.queries:
            logits = found if isinstance(found, Tensor) else found.logits
            return F.interpolate(logits, inputs.shape[-2:], mode="bilinear", align_corners=False)
        masks = found.masks_queries_logits
        masks = F.interpolate(masks, inputs.shape[-2:], mode="bilinear", align_corners=False).sigmoid()
        return torch.einsum("bqc,bqhw->bchw", found.class_queries_logits.softmax(dim=-1)[..., :-1], masks)


def fitted(picture: Picture) -> Picture:
    """The largest size within 2048 x 512, in either direction, that keeps the picture's shape.

    512 x 512 stays; 640 x 480 becomes 683 x 512.
    """
    height, width = picture.shape[:2]
    scale = min(LONGER / max(height, width), SHORTER / min(height, width))
    size = int(width * scale + 0.5), int(height * scale + 0.5)
    return picture if size == (width, height) else cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)


def _padded(values: Input) -> Float[Tensor, "3 rows columns"]:
    """To the right and below, with the mean colour."""
    height, width = values.shape[-2:]
    return F.pad(values, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
