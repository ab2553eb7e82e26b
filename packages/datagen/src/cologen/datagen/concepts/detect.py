"""Boxes for nouns: GroundingDINO over batches of pictures; a batch gives each picture the boxes it gets alone.

Pictures share a batch only where their resized sizes agree, since the backbone reads padding as picture. Prompts of
different lengths may share one: their padding is masked everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from torchvision.ops import box_convert, clip_boxes_to_image, nms
from transformers import PreTrainedTokenizerBase

from cologen.datagen.concepts.detector_settings import DetectorSettings
from cologen.datagen.concepts.grounding_dino import load_grounding_dino
from cologen.datagen.concepts.prompts import Prompt, write_prompts
from cologen.datagen.images import Picture
from cologen.datagen.records import Box
from cologen.datagen.weights import device_named

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PATCH = 4
"""Pixels along a side of the backbone's patches: a resized picture that is narrower than one holds no object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A box in pixels of the picture given, inside it and not empty; ``score`` is the noun's probability in [0, 1]."""

    noun: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class _Job:
    """One reading of one picture: a picture with many nouns has several."""

    picture: int
    size: tuple[int, int]
    prompt: Prompt


class Detector:
    """GroundingDINO with its settings, on one device."""

    def __init__(self, network: nn.Module, settings: DetectorSettings) -> None:
        self.settings = settings
        self._network = network
        self._tokenizer: PreTrainedTokenizerBase = cast(Any, network).tokenizer
        self._device = next(network.parameters()).device

    @classmethod
    def load(
        cls,
        config: Path,
        checkpoint: Path,
        *,
        text_encoder: str = "bert-base-uncased",
        device: str = "auto",
        settings: DetectorSettings | None = None,
    ) -> Detector:
        """From the original files; see :func:`load_grounding_dino` for them and for what is raised."""
        network = load_grounding_dino(config, checkpoint, text_encoder).to(device_named(device))
        return cls(network, settings or DetectorSettings())

    def detect(self, pictures: Sequence[Picture], nouns: Sequence[tuple[str, ...]]) -> list[tuple[Detection, ...]]:
        """The boxes of ``nouns[i]`` in ``pictures[i]``, best first; none where there are no nouns."""
        jobs: list[_Job] = []
        for index, (picture, words) in enumerate(zip(pictures, nouns, strict=True)):
            size = resized_size(picture.shape[0], picture.shape[1], self.settings)
            if min(size) >= PATCH:
                jobs += [_Job(index, size, prompt) for prompt in write_prompts(words, self._tokenizer)]
        found: list[list[Detection]] = [[] for _ in pictures]
        for batch in _batches(jobs, self.settings.batch_size):
            for job, detections in zip(batch, self._run(pictures, batch), strict=True):
                found[job.picture].extend(detections)
        return [without_overlaps(detections, self.settings.nms_iou) for detections in found]

    @torch.inference_mode()
    def _run(self, pictures: Sequence[Picture], batch: Sequence[_Job]) -> Iterator[list[Detection]]:
        inputs = torch.stack([preprocess(pictures[job.picture], job.size) for job in batch]).to(self._device)
        outputs = self._network(inputs, captions=[job.prompt.text for job in batch])
        for job, logits, boxes in zip(batch, outputs["pred_logits"], outputs["pred_boxes"], strict=True):
            height, width = pictures[job.picture].shape[:2]
            yield self._detections(job.prompt, logits.sigmoid().cpu(), boxes.cpu(), height, width)

    def _detections(
        self,
        prompt: Prompt,
        probabilities: Float[Tensor, "queries tokens"],
        boxes: Float[Tensor, "queries 4"],
        height: int,
        width: int,
    ) -> list[Detection]:
        """The detections in the queries of one picture; ``boxes`` are centre x, centre y, width, height as shares of
        it."""
        per_noun = torch.stack([probabilities[:, start:end].amax(dim=1) for start, end in prompt.spans], dim=1)
        scores, best = per_noun.max(dim=1)
        kept = (probabilities.amax(dim=1) > self.settings.box_threshold) & (scores > self.settings.text_threshold)
        corners = box_convert(boxes[kept], "cxcywh", "xyxy") * torch.tensor([width, height, width, height])
        detections = [
            Detection(noun=prompt.nouns[noun], box=Box(x0=x0, y0=y0, x1=x1, y1=y1), score=score)
            for noun, score, (x0, y0, x1, y1) in zip(
                best[kept].tolist(),
                scores[kept].tolist(),
                clip_boxes_to_image(corners, (height, width)).tolist(),
                strict=True,
            )
        ]
        return [detection for detection in detections if detection.box.area > 0]


def resized_size(height: int, width: int, settings: DetectorSettings) -> tuple[int, int]:
    """Height and width at which the network sees a picture of ``height × width``: 480 x 640 → 800 x 1066."""
    short, long = min(height, width), max(height, width)
    side = settings.short_side
    if long / short * side > settings.long_side:
        side = round(settings.long_side * short / long)
    scaled = int(side * long / short)
    return (side, scaled) if height <= width else (scaled, side)


def preprocess(picture: Picture, size: tuple[int, int]) -> Float[Tensor, "3 resized_height resized_width"]:
    """Resized to ``size`` (height, width) with Pillow's bilinear filter, as in training, and normalised by channel."""
    resized = Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255
    return (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)


def without_overlaps(detections: Sequence[Detection], iou: float) -> tuple[Detection, ...]:
    """Best first, without those that overlap a better one by more than ``iou``, whatever their nouns."""
    if not detections:
        return ()
    boxes = torch.tensor([detection.box.xyxy() for detection in detections])
    scores = torch.tensor([detection.score for detection in detections])
    return tuple(detections[index] for index in nms(boxes, scores, iou).tolist())


def _batches(jobs: Sequence[_Job], batch_size: int) -> Iterator[list[_Job]]:
    for _, group in groupby(sorted(jobs, key=lambda job: job.size), key=lambda job: job.size):
        same_size = list(group)
        for start in range(0, len(same_size), batch_size):
            yield same_size[start : start + batch_size]
