"""Latents to tokens and back, position ids, and the layout of Fill's inputs.

A token is a square of ``patch × patch`` latents: 2 for FLUX, 1 for the synthetic dataset. Its numbers go by latent
channel, then row, then column of the square, which is the order of ``pixel_unshuffle`` and of FLUX.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def pack(latents: Float[Tensor, "batch channels height width"], patch: int) -> Float[Tensor, "batch tokens dim"]:
    """Tokens in reading order, of ``channels · patch²`` numbers each.

    Raises:
        ValueError: a side is not a multiple of the patch.
    """
    height, width = latents.shape[2:]
    if height % patch or width % patch:
        raise ValueError(f"latents of {height} x {width} do not divide into patches of {patch} x {patch}")
    return functional.pixel_unshuffle(latents, patch).flatten(2).transpose(1, 2).contiguous()


def unpack(
    tokens: Float[Tensor, "batch tokens dim"], height: int, width: int, patch: int
) -> Float[Tensor, "batch channels height width"]:
    """What ``pack`` was given: latents of ``height × width``.

    Raises:
        ValueError: there are more or fewer tokens than such latents have.
    """
    if tokens.shape[1] * patch * patch != height * width:
        raise ValueError(f"{tokens.shape[1]} tokens of patch {patch} are not latents of {height} x {width}")
    squares = tokens.transpose(1, 2).unflatten(2, (height // patch, width // patch))
    return functional.pixel_shuffle(squares, patch).contiguous()


def grid_ids(
    rows: int, columns: int, *, source: int = 0, target: tuple[int, int] | None = None
) -> Float[Tensor, "tokens 3"]:
    """Position ids of a grid of tokens: (which picture, row, column), for FLUX's rotary embedding; in float32 on the
    CPU.

    The target is picture 0, the k-th source picture k. A source whose grid is not the ``target``'s (rows, columns) is
    stretched to cover it: its i-th centre is at ``(i + ½) · target / source - ½``. So a source of half the size has
    rows at ½, 2½, 4½ …, and one of the same size at exactly 0, 1, 2 …
    """
    target_rows, target_columns = target or (rows, columns)
    ids = torch.empty(rows, columns, 3)
    ids[..., 0] = source
    ids[..., 1] = _centres(rows, target_rows)[:, None]
    ids[..., 2] = _centres(columns, target_columns)
    return ids.reshape(-1, 3)


def text_ids(num_tokens: int) -> Float[Tensor, "tokens 3"]:
    """Position ids of text: zeros, as in FLUX."""
    return torch.zeros(num_tokens, 3)


def as_flux2(ids: Float[Tensor, "tokens 3"]) -> Float[Tensor, "tokens 4"]:
    """Position ids of a grid as FLUX.2 has them: (10 · picture, row, column, 0)."""
    return torch.cat((10 * ids[:, :1], ids[:, 1:], torch.zeros_like(ids[:, :1])), dim=1)


def flux2_text_ids(num_tokens: int) -> Float[Tensor, "tokens 4"]:
    """Position ids of text as FLUX.2 has them: (0, 0, 0, place)."""
    ids = torch.zeros(num_tokens, 4)
    ids[:, 3] = torch.arange(num_tokens)
    return ids


def as_qwen_image(ids: Float[Tensor, "tokens 3"], rows: int, columns: int) -> Float[Tensor, "tokens 3"]:
    """Position ids of a grid as Qwen-Image has them: around the middle of a target of ``rows × columns``.

    Of five rows they are -3 … 1: (picture, row - 3, column - …).
    """
    return ids - torch.tensor([0, rows - rows // 2, columns - columns // 2])


def qwen_image_text_ids(num_tokens: int) -> Float[Tensor, "tokens 3"]:
    """Position ids of text for ``CoLoGenQwenImageTransformer2DModel``: its place on all axes, counted from 0."""
    return torch.arange(num_tokens, dtype=torch.float32)[:, None].expand(-1, 3).clone()


def pack_mask(
    mask: Float[Tensor, "batch 1 height width"], downscale: int, patch: int
) -> Float[Tensor, "batch tokens dim"]:
    """A mask in pixels (1 is to be painted) as Fill reads it: a token carries all its ``(downscale · patch)²`` pixels.

    Raises:
        ValueError: a side is not a multiple of ``downscale · patch`` pixels.
    """
    height, width = mask.shape[2:]
    if height % (downscale * patch) or width % (downscale * patch):
        raise ValueError(
            f"a mask of {height} x {width} pixels does not divide into tokens of {downscale * patch} pixels"
        )
    return pack(functional.pixel_unshuffle(mask, downscale), patch)


def fill_target(
    noisy: Float[Tensor, "batch tokens dim"],
    masked: Float[Tensor, "batch tokens dim"],
    mask: Float[Tensor, "batch tokens mask_dim"],
) -> Float[Tensor, "batch tokens fill_dim"]:
    """What Fill denoises: the noisy tokens, those of the picture with its hole in mid-grey, and the packed mask."""
    return torch.cat((noisy, masked, mask), dim=2)


def fill_source(source: Float[Tensor, "batch tokens dim"], mask_dim: int) -> Float[Tensor, "batch tokens fill_dim"]:
    """A source in Fill's layout: itself twice and an empty mask, for a source has no noise and no hole."""
    return torch.cat((source, source, source.new_zeros(*source.shape[:2], mask_dim)), dim=2)


def _centres(count: int, target: int) -> Float[Tensor, "count"]:
    """The middles of ``count`` cells on an axis where the target's cells have theirs at 0, 1, 2 …"""
    return (torch.arange(count) + 0.5) * (target / count) - 0.5
