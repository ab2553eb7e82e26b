"""Numbers of any type to 8 bits, or to floats in [0, 1]; what cannot be brightness is refused."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

_SIXTEEN_BITS = 65535
_ROUNDING = 1e-6
"""Numbers may exceed [0, 1] by this rounding error of float32, or by one step of a smaller type."""


def eight_bits(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Brightness in [0, 255].

    bool: 0 and 255. uint8: itself. uint16: divided by 257 and rounded, so that 65535 is 255. Other integers count as
    16 bits, as in Pillow's mode I. Floats in [0, 1] are multiplied by 255 and rounded.

    Raises:
        ValueError: numbers outside these ranges, not finite, or integers of unknown depth.
    """
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        return np.rint(unit_floats(values) * 255).astype(np.uint8)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if values.dtype.kind not in "iu":
        raise ValueError(f"expected numbers, got {values.dtype}")
    return _sixteen_bits(values)


def unit_floats(values: np.ndarray) -> Float32[np.ndarray, "..."]:
    """Floats in [0, 1] as float32; what is outside by a rounding error is clipped.

    Raises:
        ValueError: they are outside [0, 1] or not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"expected numbers in [0, 1]: {(~np.isfinite(values)).sum()} are NaN or infinite")
    slack = max(_ROUNDING, float(np.finfo(values.dtype).eps)) if values.dtype.kind == "f" else 0.0
    if values.size and (values.min() < -slack or values.max() > 1 + slack):
        raise ValueError(
            f"expected numbers in [0, 1], or uint8: got {values.min():.7g} to {values.max():.7g} as {values.dtype}"
        )
    return values.astype(np.float32).clip(0, 1)


def _sixteen_bits(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low < 0 or high > _SIXTEEN_BITS:
        raise ValueError(f"expected integers of 16 bits, 0 to {_SIXTEEN_BITS}: got {low} to {high} as {values.dtype}")
    if 0 < high <= 255:
        raise ValueError(f"{values.dtype} with numbers up to {high} may be of 8 or of 16 bits: give uint8 or uint16")
    return eight_bits(values.astype(np.uint16))
