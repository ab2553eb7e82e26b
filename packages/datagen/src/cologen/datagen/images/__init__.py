"""From an image's address to its bytes and pixels; a damaged file is rejected with a reason."""

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
