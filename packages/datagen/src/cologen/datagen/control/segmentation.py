"""Class maps to colours: the palettes in which segmentation is shown to a model."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from cologen.datagen.control.maps import Images

Palette = UInt8[np.ndarray, "values 3"]
"""The RGB colour of every value that a class map may have."""

_ADE20K_COLOURS = """
    787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d 787846 08ff33
    ff0652 8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0 0907e6 dcdcdc ff095c 7009ff
    08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207 ff7a08 00ff14 ff0829 ff0599 0633ff
    eb0cff a09614 00a3ff 8c8c8c fa0a0f 14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff 1f00ff
    0bc8c8 ff5200 00fff5 003dff 00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00 008fff 33ff00 0052ff 00ff29 00ffad
    0a00ff adff00 00ff99 ff5c00 ff00ff ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2
    00ff52 000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900 00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00 08b8aa
    8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070 5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 ff00a3
    ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500 0abed4 d6ff00 00ccff 1400ff ffff00 0099ff 0029ff
    00ffcc 2900ff 29ff00 ad00ff 00f5ff 4700ff 7a00ff 00ffb8 005cff b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff
"""


def ade20k_palette() -> Palette:
    """Of scene-parsing labels: 0 (other) is black, 1 to 150 have the colours of the benchmark's ``color150``.

    MultiGen-20M's segmentation maps are drawn in them; a few of them are given to two classes.
    """
    return np.array([[0, 0, 0], *(list(bytes.fromhex(colour)) for colour in _ADE20K_COLOURS.split())], dtype=np.uint8)


def coco_stuff_palette() -> Palette:
    """Of the values of COCO-Stuff's maps: 0 to 181 (the id less one) are all different, the rest up to 255 is black.

    The colours are PASCAL VOC's from 1 on: every third bit of the id, the lowest first, goes to the top of a channel.
    """
    ids = np.where(np.arange(256) < 182, np.arange(256) + 1, 0)[:, None] >> np.arange(3)
    channels = sum((ids >> (3 * place) & 1) << (7 - place) for place in range(3))
    return np.asarray(channels, dtype=np.uint8)


def coloured(class_maps: Integer[Tensor, "batch height width"], palette: Palette) -> Images:
    """Class maps in the colours of ``palette``, in [0, 1], on the device of the maps.

    Raises:
        ValueError: a value has no colour.
    """
    low, high = (int(value) for value in class_maps.aminmax())
    if not 0 <= low <= high < len(palette):
        raise ValueError(
            f"class maps hold values from {low} to {high}, the palette has colours for 0 to {len(palette) - 1}"
        )
    colours = torch.from_numpy(palette).to(class_maps.device, torch.float32) / 255
    return colours[class_maps.long()].permute(0, 3, 1, 2).contiguous()
