"""Masks for boxes: Segment Anything, one encoding per picture and one decoding for all of its boxes.

The shape of the network is read from the checkpoint itself, so ``sam_vit_b_01ec64.pth``, the larger ones and any of
their form load the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from segment_anything.modeling import Sam as SamNetwork
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor, nn

from cologen.datagen import rle
from cologen.datagen.images import Picture
from cologen.datagen.records import Box
from cologen.datagen.weights import StateDict, device_named, fill, named, read_state_dict, refuse_other

DECODER_HEADS = 8
"""Attention heads of the mask decoder, which no tensor's shape shows; the same in all published models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedMask:
    """One mask over the whole picture as COCO run lengths, possibly empty, with the tight box of its pixels.

    ``predicted_iou`` is the network's own guess of how well the mask fits, about [0, 1] but not held to it.
    """

    rle: bytes
    box: Box
    predicted_iou: float


class Sam:
    """Segment Anything on one device; ``batch_size`` pictures are encoded together."""

    def __init__(self, network: SamNetwork, batch_size: int = 4) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size = batch_size
        self._network = network
        self._resize = ResizeLongestSide(network.image_encoder.img_size)

    @classmethod
    def load(cls, checkpoint: Path, *, device: str = "auto", batch_size: int = 4) -> Sam:
        """From an original checkpoint.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a checkpoint of Segment Anything.
        """
        state = read_state_dict(checkpoint)
        with named(checkpoint, "is no checkpoint of Segment Anything"):
            # Without memory at first: a tensor of a wrong shape could ask for a network of any size.
            with torch.device("meta"):
                try:
                    shapes = build_sam(state)
                except KeyError as error:
                    raise ValueError(f"it lacks {error}") from error
            refuse_other(shapes, state, checkpoint)
            network = build_sam(state)
        fill(network, state, checkpoint)
        return cls(network.eval().requires_grad_(False).to(device_named(device)), batch_size)

    @torch.inference_mode()
    def masks(self, pictures: Sequence[Picture], boxes: Sequence[Sequence[Box]]) -> list[tuple[SegmentedMask, ...]]:
        """For each box of ``boxes[i]``, in pixels of ``pictures[i]``, in order, the mask of the object it holds."""
        found: list[tuple[SegmentedMask, ...]] = [()] * len(pictures)
        asked = [index for index, wanted in enumerate(boxes) if wanted]
        for start in range(0, len(asked), self.batch_size):
            batch = asked[start : start + self.batch_size]
            inputs = [self._input(pictures[index]) for index in batch]
            embeddings = self._network.image_encoder(torch.stack([self._network.preprocess(each) for each in inputs]))
            for index, resized, embedding in zip(batch, inputs, embeddings, strict=True):
                size = pictures[index].shape[:2]
                found[index] = tuple(self._decode(embedding, boxes[index], resized.shape[-2:], size))
        return found

    def _input(self, picture: Picture) -> Float[Tensor, "3 resized_height resized_width"]:
        resized = self._resize.apply_image(picture)
        return torch.from_numpy(resized).permute(2, 0, 1).to(self._network.device, torch.float32)

    def _decode(
        self,
        embedding: Float[Tensor, "channels rows columns"],
        boxes: Sequence[Box],
        resized: Sequence[int],
        size: tuple[int, ...],
    ) -> Iterator[SegmentedMask]:
        network = self._network
        corners = self._resize.apply_boxes(np.array([box.xyxy() for box in boxes]), size)
        sparse, dense = network.prompt_encoder(
            points=None, boxes=torch.as_tensor(corners, dtype=torch.float32, device=network.device), masks=None
        )
        small, quality = network.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        # Enlarged one by one: a hundred masks of a large photograph at once would take gigabytes.
        for logits, predicted_iou in zip(small, quality[:, 0].tolist(), strict=True):
            mask = network.postprocess_masks(logits[None], tuple(resized), size)[0, 0] > network.mask_threshold
            counts = rle.encode(mask.to(torch.uint8).cpu().numpy())
            yield SegmentedMask(rle=counts, box=rle.box(counts, *size), predicted_iou=predicted_iou)


def build_sam(state: StateDict) -> SamNetwork:
    """A network without weights in the shape of ``state``'s tensors.

    Raises:
        KeyError: a tensor that determines the shape is missing.
    """
    encoder = _image_encoder(state)
    grid = encoder.img_size // state["image_encoder.patch_embed.proj.weight"].shape[-1]
    channels = state["image_encoder.neck.0.weight"].shape[0]
    return SamNetwork(
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(
            embed_dim=channels,
            image_embedding_size=(grid, grid),
            input_image_size=(encoder.img_size, encoder.img_size),
            mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
        ),
        mask_decoder=_mask_decoder(state, channels),
    )


def _image_encoder(state: StateDict) -> ImageEncoderViT:
    width, _, _, patch = state["image_encoder.patch_embed.proj.weight"].shape
    grid = state["image_encoder.pos_embed"].shape[1]
    blocks = [f"image_encoder.blocks.{index}" for index in range(_count(state, "image_encoder.blocks"))]
    # Relative positions from -(n-1) to n-1 for windows of n: a block of the whole grid attends globally.
    windows = [(state[f"{block}.attn.rel_pos_h"].shape[0] + 1) // 2 for block in blocks]
    return ImageEncoderViT(
        img_size=grid * patch,
        patch_size=patch,
        embed_dim=width,
        depth=len(blocks),
        num_heads=width // state["image_encoder.blocks.0.attn.rel_pos_h"].shape[1],
        mlp_ratio=state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0] / width,
        out_chans=state["image_encoder.neck.0.weight"].shape[0],
        norm_layer=cast(type[nn.Module], partial(nn.LayerNorm, eps=1e-6)),
        use_rel_pos=True,
        window_size=min(windows),
        global_attn_indexes=tuple(index for index, window in enumerate(windows) if window == grid),
    )


def _mask_decoder(state: StateDict, channels: int) -> MaskDecoder:
    return MaskDecoder(
        transformer_dim=channels,
        num_multimask_outputs=state["mask_decoder.mask_tokens.weight"].shape[0] - 1,
        iou_head_depth=_count(state, "mask_decoder.iou_prediction_head.layers"),
        iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
        transformer=TwoWayTransformer(
            depth=_count(state, "mask_decoder.transformer.layers"),
            embedding_dim=channels,
            mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
            num_heads=DECODER_HEADS,
        ),
    )


def _count(state: StateDict, prefix: str) -> int:
    """How many numbered modules stand under ``prefix``."""
    depth = prefix.count(".") + 1
    return len({name.split(".")[depth] for name in state if name.startswith(f"{prefix}.")})
