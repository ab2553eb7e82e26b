"""Structural similarity of pictures and of control maps, by torchmetrics.

Sources: Wang et al., Image quality assessment (2004) and Multiscale structural similarity (2003).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from cologen.evaluation.metrics.pixels import Pixels, resized_to, size_of
from cologen.evaluation.records import ConditionMap, Picture, ScoreError

Form = Literal["corrected", "wrapped"]
"""How drawings are inverted to white on black: 255 - x, or ControlNet++'s 1 - x of 8 bits without sign."""

WINDOW = 11
"""Pixels of the Gaussian window's side, of which half is reflected at a border."""
LEAST_SIDE = 176
"""Pixels: the window has to fit into a map halved four times (176 / 16 = 11)."""


def ssim(output: Picture, reference: Picture, pixels: Pixels | None = None) -> float | None:
    """The mean of the SSIM map over pixels and channels (over ``pixels`` alone if given, None where there are none).

    In [-1, 1]; the output is resized to the reference's size, and values are in [0, 1] with a Gaussian window of 11
    pixels, sigma 1.5.

    Raises:
        ScoreError: ``wrong_size``: a side is shorter than the window.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    if pixels is not None and not pixels.any():
        return None
    if min(reference.shape[:2]) < WINDOW:
        width, height = size_of(reference)
        raise ScoreError("wrong_size", f"SSIM needs sides of {WINDOW} pixels or more, got {width} x {height}")
    pair = [torch.from_numpy(_channels_first(each)) for each in (resized_to(output, size_of(reference)), reference)]
    found: Any = structural_similarity_index_measure(pair[0], pair[1], data_range=1.0, return_full_image=True)
    similarity = found[1][0].double()
    counted = similarity if pixels is None else similarity[:, torch.from_numpy(pixels)]
    return float(counted.mean())


def ms_ssim(found: ConditionMap, expected: ConditionMap) -> float:
    """Multi-scale SSIM of two maps of 8 bits, in [0, 1]: five scales, each half of the one before.

    ControlNet++'s "SSIM" of HED and lineart. The found map is resized to the expected one's size (bicubic).

    Raises:
        ScoreError: ``wrong_size``: a side is shorter than 176 pixels.
    """
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    if min(expected.shape) < LEAST_SIDE:
        width, height = size_of(expected)
        raise ScoreError(
            "wrong_size",
            f"multi-scale SSIM needs sides of {LEAST_SIDE} pixels or more, the map has {width} x {height}: "
            "generate larger pictures (the protocol's are 512 x 512)",
        )
    if found.shape != expected.shape:
        found = np.asarray(Image.fromarray(found).resize(size_of(expected), Image.Resampling.BICUBIC))
    pair = [torch.from_numpy(each.astype(np.float32) / 255)[None, None] for each in (found, expected)]
    return float(multiscale_structural_similarity_index_measure(pair[0], pair[1], data_range=1.0))


def to_bytes(levels: Float[np.ndarray, "height width"]) -> ConditionMap:
    """Levels in [0, 1] to 8 bits, cut off and not rounded, as torchvision writes a tensor to a picture."""
    return (levels.clip(0, 1) * 255).astype(np.uint8)


def white_on_black(drawing: ConditionMap, form: Form) -> UInt8[np.ndarray, "height width"]:
    """A drawing of black lines inverted.

    ControlNet++ subtracts from 1 in 8 bits without sign, which wraps around: 0 and 1 change places, and x from 2 on
    becomes 257 - x. Its published lineart figures are of this form.
    """
    return 255 - drawing if form == "corrected" else np.uint8(1) - drawing


def _channels_first(picture: Picture) -> Float[np.ndarray, "1 3 height width"]:
    return np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255
