"""A small hole is filled at full size: only the picture around it is generated, and put back into the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from diffusers.image_processor import VaeImageProcessor
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cologen.model.conditions import Given, Size, with_known
from cologen.model.pictures import Mask, Rgb, resized


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """The part of a picture around its hole.

    Columns ``left`` to ``right`` and rows ``top`` to ``bottom``, the last ones excluded. The part itself is diffusers'
    (``padding_mask_crop`` of its inpainting pipelines). Diffusers puts it back by ``apply_overlay``, which knows PIL
    pictures alone, as they are stored, and resizes by another filter than pictures are read with here; ``pasted`` does
    it for every form of result.
    """

    whole: Rgb
    mask: Mask
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around_hole(cls, given: Given, size: Size, padding: int) -> Crop:
        """The hole with ``padding`` pixels on each side, grown to the proportions of ``size`` within the picture.

        Raises:
            ValueError: the padding is negative, or there is not just one picture with one hole.
        """
        if padding < 0:
            raise ValueError(f"padding_mask_crop is a number of pixels, at least 0: got {padding}")
        masks = given.masks or []
        if (len(given.images), len(given.images[0]), len(masks)) != (1, 1, 1):
            raise ValueError("padding_mask_crop is for one image with one mask: call once for each")
        hole = Image.fromarray((masks[0][0] * 255).byte().numpy())
        left, top, right, bottom = VaeImageProcessor.get_crop_region(hole, size.width, size.height, pad=padding)
        return cls(whole=given.images[0][0], mask=masks[0], left=left, top=top, right=right, bottom=bottom)

    def of(self, given: Given) -> Given:
        """What is given, cut out."""
        return replace(given, images=[[self._cut(self.whole)]], masks=[self._cut(self.mask)])

    def pasted(self, pixels: Float[Tensor, "draws 3 _ _"]) -> Float[Tensor, "draws 3 height width"]:
        """The whole picture, in its own size, with what was generated in its hole."""
        made = self.whole.to(pixels.device).repeat(len(pixels), 1, 1, 1)
        for draw, drawn in zip(made, pixels.float(), strict=True):
            self._cut(draw).copy_(resized(drawn, self.bottom - self.top, self.right - self.left))
        return with_known(made, self.whole[None], self.mask[None])

    def _cut(self, picture: Tensor) -> Tensor:
        return picture[:, self.top : self.bottom, self.left : self.right]
