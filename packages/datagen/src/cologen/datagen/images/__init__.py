"""An image's address to bytes, bytes to pixels, and every way in which a file can be damaged."""

from cologen.datagen.images.decoding import (
    MAX_PIXELS,
    MIN_SIDE,
    LabelMap,
    Picture,
    decode,
    decode_map,
    probe,
    read_bytes,
)

__all__ = ["MAX_PIXELS", "MIN_SIDE", "LabelMap", "Picture", "decode", "decode_map", "probe", "read_bytes"]
