"""How different two colours look: sRGB to CIE L*a*b*, and the CIEDE2000 difference.

Sources: IEC 61966-2-1 (sRGB, white D65); Sharma, Wu and Dalal, The CIEDE2000 Color-Difference Formula (2005), whose
equation numbers stand at the lines. About 1 is just noticeable beside each other, 5 is seen at a glance.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

Lab = Float[np.ndarray, "*shape 3"]
"""L* in [0, 100], a* from green to red, b* from blue to yellow."""

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)
"""D65, as the matrix has it, so that greys have a* = b* = 0."""
_KINK = 6 / 29
_FAR = 25.0**7


def lab_of(picture: UInt8[np.ndarray, "*shape 3"]) -> Lab:
    """The colours of 8-bit sRGB under D65."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    x, y, z = np.moveaxis(_compressed(linear[picture] @ _TO_XYZ.T / _WHITE), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: Lab, second: Lab) -> Float[np.ndarray, "*shape"]:
    """The difference of each pair of colours, 0 or more, with all weights k = 1."""
    l1, a1, b1 = np.moveaxis(first, -1, 0)
    l2, a2, b2 = np.moveaxis(second, -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2  # (3)
    stretch = 1.5 - 0.5 * _saturation(mean_chroma)  # 1 + G (4)
    a1, a2 = stretch * a1, stretch * a2  # (5)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)  # (6)
    h1, h2 = np.arctan2(b1, a1) % (2 * np.pi), np.arctan2(b2, a2) % (2 * np.pi)  # (7)
    turn, hue = _hues(h1, h2, coloured=c1 * c2 > 0)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2  # (12), (13)
    weight = (
        1
        - 0.17 * np.cos(hue - np.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.radians(6))
        - 0.20 * np.cos(4 * hue - np.radians(63))
    )  # T (15)
    bend = np.radians(30) * np.exp(-(((np.degrees(hue) - 275) / 25) ** 2))  # Δθ (16)
    rotation = -np.sin(2 * bend) * 2 * _saturation(chroma)  # R_T (17), (21)
    away = (lightness - 50) ** 2
    in_lightness = (l2 - l1) / (1 + 0.015 * away / np.sqrt(20 + away))  # (8), (18)
    in_chroma = (c2 - c1) / (1 + 0.045 * chroma)  # (9), (19)
    in_hue = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2) / (1 + 0.015 * chroma * weight)  # (11), (20)
    squared = in_lightness**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue
    return np.sqrt(squared.clip(min=0))  # (22)


def _hues(
    first: Float[np.ndarray, "*shape"], second: Float[np.ndarray, "*shape"], *, coloured: np.ndarray
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """The turn from one hue to the other the short way (10), and the hue half-way (14), in radians.

    A grey has no hue: then the turn is 0 and the other colour's hue stands, which is their sum.
    """
    gap = second - first
    turn = gap - 2 * np.pi * (gap > np.pi) + 2 * np.pi * (gap < -np.pi)
    both = first + second
    far = np.abs(gap) > np.pi
    middle = (both + 2 * np.pi * (far & (both < 2 * np.pi)) - 2 * np.pi * (far & (both >= 2 * np.pi))) / 2
    return np.where(coloured, turn, 0), np.where(coloured, middle, both)


def _saturation(chroma: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """√(C⁷ / (C⁷ + 25⁷)), the seventh power by products: NumPy's own is four times as slow."""
    cube = chroma * chroma * chroma
    seventh = cube * cube * chroma
    return np.sqrt(seventh / (seventh + _FAR))


def _compressed(share: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """CIE's cube root with a straight piece near black."""
    return np.where(share > _KINK**3, np.cbrt(share), share / (3 * _KINK**2) + 4 / 29)
